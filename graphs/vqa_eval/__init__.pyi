from .result import VQAReport
from .run import VQAEvalConfig, read_data, run_vqa_eval

__all__ = [
    "VQAEvalConfig",
    "VQAReport",
    "read_data",
    "run_vqa_eval",
]
