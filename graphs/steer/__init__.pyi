from .config import SteerConfig
from .loop import steer_vlm
from .result import SteerResult
from .task import SteerTask

__all__ = ["SteerConfig", "SteerResult", "SteerTask", "steer_vlm"]
