"""Documents as text: readers of formats, chunks, terms."""

from .chunks import Chunker, Document
from .readers import Hints, kinds_in_words, known_encoding, media_of, parse, rules_of
from .scripts import word_count
from .terms import RAG_REMEDY, TERMS, terms

__all__ = [
    "Chunker", "Document", "Hints", "RAG_REMEDY", "TERMS", "kinds_in_words", "known_encoding", "media_of", "parse", "rules_of", "terms",
    "word_count",
]  # fmt: skip
