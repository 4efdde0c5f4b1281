from .config import CapacityConfig
from .loop import capacity
from .plan import CapacityPlan, plan
from .result import CapacityResult, CapacityTask

__all__ = ["CapacityConfig", "CapacityPlan", "CapacityResult", "CapacityTask", "capacity", "plan"]
