from .config import CaptionSynthesisConfig, CaptionTrainingConfig
from .files import named
from .result import (
    CaptionedRow,
    CaptionSynthesisResult,
    CaptionTrainingResult,
    Measured,
    Proposal,
    TrainedCaptioner,
    figures,
)
from .synthesis import caption_synthesis
from .training import caption_training

__all__ = [
    "CaptionSynthesisConfig",
    "CaptionSynthesisResult",
    "CaptionTrainingConfig",
    "CaptionTrainingResult",
    "CaptionedRow",
    "Measured",
    "Proposal",
    "TrainedCaptioner",
    "caption_synthesis",
    "caption_training",
    "figures",
    "named",
]
