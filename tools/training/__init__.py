"""The training loop, and what feeds it: recipes, batches, checkpoints, an average of the weights."""

from .average import WeightAverage
from .batches import by_epoch
from .checkpoint import Checkpoint
from .fine_tuning import Recipe, Say, fine_tune
from .loop import Outcome, Progress, TrainingLoop
from .randomness import seeded

__all__ = [
    "Checkpoint",
    "Outcome",
    "Progress",
    "Recipe",
    "Say",
    "TrainingLoop",
    "WeightAverage",
    "by_epoch",
    "fine_tune",
    "seeded",
]
