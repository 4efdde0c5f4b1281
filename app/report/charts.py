"""A small SVG drawing for the report: a score curve.

A plain function from numbers to an SVG string, without scripts or fonts of its own. Colours come from the page's CSS
variables, so that one drawing serves light and dark. Every drawing carries a `<title>` and a `<desc>` that say in words
what it shows. Points are 0-100; None is left out, never drawn as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["CurvePoint", "curve"]


class CurvePoint(NamedTuple):
    """One scored candidate: its iteration, its points (0-100), and what to say when it is pointed at."""

    iteration: int
    points: float | None
    label: str


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    span = max(high - low, 1e-9)
    step = next((s for s in (1, 2, 5, 10, 20, 25, 50, 100) if span / s <= wanted), 100)
    first = int(low // step) * step
    return [float(t) for t in range(first, int(high) + step + 1, step) if low - 1e-9 <= t <= high + 1e-9]


def curve(points: Sequence[CurvePoint], *, baseline: float | None, name: str) -> str:
    """Candidates as dots, the best so far as a step line, the user's own prompt as a dashed line.

    Returns an empty string where nothing was scored.
    """
    scored = [(p.iteration, p.points, p.label) for p in points if p.points is not None]
    if not scored:
        return ""
    width, height, left, right, top, bottom = 480.0, 190.0, 34.0, 12.0, 12.0, 26.0
    values = [v for _, v, _ in scored] + ([baseline] if baseline is not None else [])
    low, high = min(values), max(values)
    pad = max((high - low) * 0.08, 2.0)
    low, high = max(0.0, low - pad), min(100.0, high + pad)
    last = max(max(i for i, _, _ in scored), 1)

    def x(iteration: float) -> float:
        return left + (width - left - right) * iteration / last

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - low) / (high - low))

    best: float | None = None
    path: list[str] = []
    for iteration in range(last + 1):
        here = [v for i, v, _ in scored if i == iteration]
        new = max([*here, *([best] if best is not None else [])], default=None)
        if new is None:
            continue
        path.append(f"M{_n(x(iteration))} {_n(y(new))}" if best is None else f"H{_n(x(iteration))}V{_n(y(new))}")
        best = new

    parts = [
        f'<svg class="chart" viewBox="0 0 {_n(width)} {_n(height)}" role="img" preserveAspectRatio="xMidYMid meet">',
        f"<title>{escape(name)}</title>",
        f"<desc>{len(scored)} scored candidates over {last} iterations, from {_n(scored[0][1])} to "
        f"{_n(best or 0.0)} points for the best.</desc>",
    ]
    for tick in _ticks(low, high):
        parts.append(
            f'<line class="grid" x1="{_n(left)}" x2="{_n(width - right)}" y1="{_n(y(tick))}" y2="{_n(y(tick))}"/>'
        )
        parts.append(f'<text x="{_n(left - 7)}" y="{_n(y(tick) + 4)}" text-anchor="end">{_n(tick)}</text>')
    every = max(1, -(-last // 10))
    for iteration in range(0, last + 1, every):
        parts.append(
            f'<text x="{_n(x(iteration))}" y="{_n(height - bottom + 18)}" text-anchor="middle">{iteration}</text>'
        )
    if baseline is not None:
        parts.append(
            f'<line class="base" x1="{_n(left)}" x2="{_n(width - right)}" '
            f'y1="{_n(y(baseline))}" y2="{_n(y(baseline))}"/>'
        )
    parts.append(f'<path class="best" d="{"".join(path)}"/>')
    for iteration, value, label in scored:
        kind = "dot user" if iteration == 0 else "dot"
        parts.append(
            f'<circle class="{kind}" cx="{_n(x(iteration))}" cy="{_n(y(value))}" r="{4.5 if iteration == 0 else 3}">'
            f"<title>{escape(label)}</title></circle>"
        )
    parts.append("</svg>")
    return "".join(parts)
