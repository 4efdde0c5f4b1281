from .evaluation import evaluate
from .models import train

__all__ = [
    "evaluate",
    "train",
]
