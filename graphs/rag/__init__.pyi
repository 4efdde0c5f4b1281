from .config import RagConfig
from .models import open_for_search
from .result import RagOutcome, RagTask
from .run import ask, check_question, run_rag

__all__ = [
    "RagConfig",
    "RagOutcome",
    "RagTask",
    "ask",
    "check_question",
    "open_for_search",
    "run_rag",
]
