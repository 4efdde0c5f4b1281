from .config import VQAEvalConfig
from .loop import vqa_eval
from .plan import read_data
from .result import MethodReport, VQAEvalResult

__all__ = [
    "MethodReport",
    "VQAEvalConfig",
    "VQAEvalResult",
    "read_data",
    "vqa_eval",
]
