from .config import MEASURES, BiasConfig
from .loop import bias
from .pictures import conflicts_of
from .result import BandPoint, BiasResult, BiasTask, ChangeEffect, CurvePoint, Sample

__all__ = [
    "BandPoint",
    "BiasConfig",
    "BiasResult",
    "BiasTask",
    "ChangeEffect",
    "CurvePoint",
    "MEASURES",
    "Sample",
    "bias",
    "conflicts_of",
]
