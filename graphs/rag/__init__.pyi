from .answering import Answering
from .config import RagConfig
from .context import open_for_search
from .events import Answered, Decided, SentenceChecked
from .loop import ask
from .result import RagResult, RagTask

__all__ = [
    "Answered",
    "Answering",
    "Decided",
    "RagConfig",
    "RagResult",
    "RagTask",
    "SentenceChecked",
    "ask",
    "open_for_search",
]
