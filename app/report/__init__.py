"""What all HTML pages share: their look, their pictures, their charts."""

from .charts import CurvePoint, Interval, curve, intervals
from .page import DEFAULT_LIMIT, Pictures, draw

__all__ = ["CurvePoint", "DEFAULT_LIMIT", "Interval", "Pictures", "curve", "draw", "intervals"]
