from .config import CompareConfig
from .loop import encoders
from .result import CompareResult, EncoderTask

__all__ = ["CompareConfig", "CompareResult", "EncoderTask", "encoders"]
