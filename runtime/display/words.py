"""How numbers are put into words, on the terminal, in notebooks and on pages alike.

Scores are fractions (0-1) and are said as points (0-100); gains are points already. None is "not scored".
"""

from __future__ import annotations

__all__ = ["amount", "counted", "points", "seconds", "signed"]


def points(value: float | None) -> str:
    """A score of 0-1 as points: `0.8333` is "83.3"; None is "not scored"."""
    return "not scored" if value is None else f"{value * 100:.1f}"


def signed(value: float | None) -> str:
    """A difference in points with its sign: "+4.2", "−1.0", "±0.0"; None is "not scored"."""
    if value is None:
        return "not scored"
    if abs(value) < 0.05:
        return "±0.0"
    return f"{'+' if value > 0 else '−'}{abs(value):.1f}"


def seconds(value: float) -> str:
    """A duration: "7.3 s", "2 min 05 s", "1 h 12 min"."""
    if value < 99.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 prompt", "8 prompts"."""
    return f"{amount(number)} {noun}{'' if number == 1 else 's'}"


def amount(value: int) -> str:
    """A whole number with thin spaces between its thousands."""
    return f"{value:,}".replace(",", "\u202f")
