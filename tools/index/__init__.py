"""Vector and keyword indexes behind one protocol: memory, LanceDB, Qdrant, PostgreSQL, LangChain."""

from .folder import index, index_folder
from .ingestion import Ingested, ingest
from .neighbours import Neighbours, Selection
from .open import open_index
from .reranker import open_reranker

__all__ = ["Ingested", "Neighbours", "Selection", "index", "index_folder", "ingest", "open_index", "open_reranker"]
