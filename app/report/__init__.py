"""What all HTML pages share: their look, their pictures, their charts."""

from ...runtime.display import DEFAULT_LIMIT, Pictures
from .charts import CurvePoint, Interval, curve, intervals
from .page import draw, run_page

__all__ = ["CurvePoint", "DEFAULT_LIMIT", "Interval", "Pictures", "curve", "draw", "intervals", "run_page"]
