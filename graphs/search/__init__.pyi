from .config import SearchConfig
from .loop import search
from .result import SearchResult
from .search_task import SearchTask

__all__ = ["SearchConfig", "SearchResult", "SearchTask", "search"]
