from .config import ScoreConfig
from .loop import score
from .result import PicturesScored, ScoreResult, ScoreTask

__all__ = ["PicturesScored", "ScoreConfig", "ScoreResult", "ScoreTask", "score"]
