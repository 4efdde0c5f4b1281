from .config import ScoreConfig
from .loop import score
from .result import ScoreResult, ScoreTask

__all__ = ["ScoreConfig", "ScoreResult", "ScoreTask", "score"]
