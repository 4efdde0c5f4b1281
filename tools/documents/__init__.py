"""Documents as text: readers of formats, blocks, chunks, terms."""

from .blocks import Block, BlockKind, blocks, term_of
from .chunks import Chunker, Document
from .readers import Hints, kinds_in_words, known_encoding, media_of, parse, pictures_of_pages, rules_of, unread_pages
from .scripts import is_unspaced, word_count
from .terms import RAG_REMEDY, SEGMENTED, TERMS, check_terms, terms, terms_here

__all__ = [
    "Block", "BlockKind", "Chunker", "Document", "Hints", "RAG_REMEDY", "SEGMENTED", "TERMS", "blocks", "check_terms",
    "is_unspaced", "kinds_in_words", "known_encoding", "media_of", "parse", "pictures_of_pages", "rules_of", "term_of", "terms", "terms_here",
    "unread_pages", "word_count",
]  # fmt: skip
