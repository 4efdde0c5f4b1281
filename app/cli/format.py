"""How results are put into words on the terminal; numbers as everywhere (`runtime.display`)."""

from __future__ import annotations

from ...evaluators.stats import Estimate
from ...runtime.display import amount, counted, points, seconds, signed

__all__ = ["amount", "clip", "counted", "points", "seconds", "signed", "percent"]


def clip(text: str, width: int) -> str:
    """At most `width` characters of `text`; an ellipsis stands for what is cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)].rstrip() + "…"


def percent(value: Estimate, *, signed: bool = False) -> str:
    """A share as percent with its interval: "41.2 (35.0 to 47.7)"."""
    if value.value is None:
        return "not scored"
    sign = "+" if signed else ""
    said = f"{100 * value.value:{sign}.1f}"
    return said if value.ci is None else f"{said} ({100 * value.ci[0]:{sign}.1f} to {100 * value.ci[1]:{sign}.1f})"
