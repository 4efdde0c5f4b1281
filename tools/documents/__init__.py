"""Documents as text: readers of formats, chunks, terms."""

from .chunks import Chunker, Document
from .readers import media_of, parse
from .scripts import word_count
from .terms import RAG_REMEDY, TERMS, terms

__all__ = ["Chunker", "Document", "RAG_REMEDY", "TERMS", "media_of", "parse", "terms", "word_count"]
