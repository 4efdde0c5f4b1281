"""Vector and keyword indexes behind one protocol: memory, LanceDB, Qdrant, PostgreSQL, LangChain."""

from .corpus import fill
from .ingestion import Ingested, ingest, listing
from .neighbours import Neighbours, Selection
from .open import open_index
from .reranker import open_reranker

__all__ = ["Ingested", "Neighbours", "Selection", "fill", "ingest", "listing", "open_index", "open_reranker"]
