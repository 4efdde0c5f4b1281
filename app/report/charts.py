"""Small SVG drawings for reports: a score curve, and lines with intervals.

Plain functions from numbers to an SVG string, without scripts or fonts of its own. Colours come from the page's CSS
variables, so that one drawing serves light and dark. Every drawing carries a `<title>` and a `<desc>` that say in words
what it shows. Points are 0-100; None is left out, never drawn as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

__all__ = ["CurvePoint", "curve", "lines"]


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


LinePoint = tuple[float, float, tuple[float, float] | None]
"""Where it is across, its points (0-100), and the ends of its interval."""
_STYLES = 6  # of lines, which the page's CSS tells apart by colour and dashes


def lines(series: Mapping[str, Sequence[LinePoint]], *, name: str, across: str) -> str:
    """Lines with their intervals over a common axis from the least to the largest place, with a legend; "" where there are none.

    Args:
        series: by name, points in the order of their places.
        name: what is drawn, in which unit.
        across: what the places are.
    """
    drawn = {each: points for each, points in series.items() if points}
    if not drawn:
        return ""
    width, height, left, right, top, bottom = 480.0, 220.0, 34.0, 12.0, 12.0, 40.0
    places = [place for points in drawn.values() for place, _, _ in points]
    first, last = min(places), max(places)

    def x(place: float) -> float:
        return left + (width - left - right) * ((place - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - value / 100)

    told = "; ".join(f"{each} from {points[0][1]:.0f} to {points[-1][1]:.0f}" for each, points in drawn.items())
    parts = [
        f'<h3>{escape(name)}</h3><svg class="chart" viewBox="0 0 {_n(width)} {_n(height)}" role="img" preserveAspectRatio="xMidYMid meet">',
        f"<title>{escape(name)}</title><desc>{escape(told)}.</desc>",
    ]
    for tick in (0, 25, 50, 75, 100):
        parts.append(
            f'<line class="grid" x1="{_n(left)}" x2="{_n(width - right)}" y1="{_n(y(tick))}" y2="{_n(y(tick))}"/>'
        )
        parts.append(f'<text x="{_n(left - 7)}" y="{_n(y(tick) + 4)}" text-anchor="end">{tick}</text>')
    for step in range(6):
        place = first + (last - first) * step / 5
        parts.append(f'<text x="{_n(x(place))}" y="{_n(height - bottom + 16)}" text-anchor="middle">{place:.2g}</text>')
    parts.append(
        f'<text x="{_n((left + width - right) / 2)}" y="{_n(height - 6)}" text-anchor="middle">{escape(across)}</text>'
    )
    legend = []
    for number, (each, points) in enumerate(drawn.items()):
        style, beside = f"s{number % _STYLES}", 3 * (number - (len(drawn) - 1) / 2)
        path = "L".join(f"{_n(x(place))} {_n(y(value))}" for place, value, _ in points)
        parts.append(f'<path class="series {style}" d="M{path}"/>')
        for place, value, ends in points:
            at = x(place) + beside  # so that the intervals of several lines do not hide each other
            if ends is not None:
                parts.append(
                    f'<line class="series {style}" x1="{_n(at)}" x2="{_n(at)}" y1="{_n(y(ends[0]))}" y2="{_n(y(ends[1]))}"/>'
                )
            shown = f"{each}: {value:.1f} at {place:g}" + ("" if ends is None else f" ({ends[0]:.1f} to {ends[1]:.1f})")
            parts.append(
                f'<circle class="{style}" cx="{_n(x(place))}" cy="{_n(y(value))}" r="3"><title>{escape(shown)}</title></circle>'
            )
        legend.append(f'<span class="{style}"><i></i>{escape(each)}</span>')
    parts.append(f'</svg><p class="legend">{"".join(legend)}</p>')
    return "".join(parts)
