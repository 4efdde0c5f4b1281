"""What all HTML pages share: their look, their pictures, their charts."""

from ...runtime.display import DEFAULT_LIMIT, Pictures
from .charts import CurvePoint, curve, lines
from .page import run_page

__all__ = ["CurvePoint", "DEFAULT_LIMIT", "Pictures", "curve", "lines", "run_page"]
