from .config import RetrievalEvalConfig
from .loop import retrieval_eval
from .result import RankedQuery, RetrievalEvalResult

__all__ = ["RankedQuery", "RetrievalEvalConfig", "RetrievalEvalResult", "retrieval_eval"]
