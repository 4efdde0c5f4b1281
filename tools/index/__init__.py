"""Vector and keyword indexes behind one protocol: memory, LanceDB, Qdrant, PostgreSQL, LangChain."""

from .contents import Collection, Contents, contents
from .corpus import fill
from .ingestion import Ingested, ingest
from .listing import listing
from .neighbours import Neighbours, Selection
from .open import is_url, open_index
from .reranker import open_reranker

__all__ = [
    "Collection",
    "Contents",
    "Ingested",
    "Neighbours",
    "Selection",
    "contents",
    "fill",
    "ingest",
    "is_url",
    "listing",
    "open_index",
    "open_reranker",
]
