"""Documents as text: readers of formats, chunks, terms."""

from .chunks import Chunker, Document
from .readers import media_of, parse
from .terms import RAG_REMEDY, terms

__all__ = ["Chunker", "Document", "RAG_REMEDY", "media_of", "parse", "terms"]
