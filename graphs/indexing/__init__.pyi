from .config import IndexConfig
from .loop import index
from .result import IndexedFolder, IndexResult

__all__ = ["IndexConfig", "IndexResult", "IndexedFolder", "index"]
