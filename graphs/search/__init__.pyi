from .config import SearchConfig
from .loop import Searches, compared, search, search_one, texts_of
from .result import SearchResult
from .search_task import SearchTask

__all__ = ["SearchConfig", "SearchResult", "SearchTask", "Searches", "compared", "search", "search_one", "texts_of"]
