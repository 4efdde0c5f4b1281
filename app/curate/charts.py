"""The threshold curve as SVG: colours come from the page's CSS variables, and a `<desc>` says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...tools.curation import CurvePoint

__all__ = ["threshold_chart"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 560.0, 240.0, 44.0, 14.0, 14.0, 34.0


def threshold_chart(points: Sequence[CurvePoint], threshold: float | None) -> str:
    """Recall of planted copies and look-alikes removed, in percent by threshold, with bands of 95 %; "" for no points."""
    if not points:
        return ""
    low, high = points[0].threshold, points[-1].threshold

    def x(value: float) -> str:
        return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / max(high - low, 1e-9):.1f}"

    def y(share: float) -> str:
        return f"{_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share):.1f}"

    def line(values: Sequence[float]) -> str:
        return "M" + "L".join(f"{x(point.threshold)} {y(value)}" for point, value in zip(points, values, strict=True))

    def band(ends: Sequence[tuple[float, float]]) -> str:
        there = [f"{x(point.threshold)} {y(end[1])}" for point, end in zip(points, ends, strict=True)]
        back = [f"{x(point.threshold)} {y(end[0])}" for point, end in zip(points, ends, strict=True)]
        return "M" + "L".join([*there, *reversed(back)]) + "Z"

    here = min(points, key=lambda point: abs(point.threshold - (threshold if threshold is not None else high)))
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" preserveAspectRatio="xMidYMid meet">',
        "<title>What each threshold finds and what it takes by mistake</title>",
        f"<desc>At {here.threshold:g}, {here.recall:.0%} of planted copies are found and {here.false:.0%} of look-alikes are taken for copies.</desc>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y(share)}" y2="{y(share)}"/>')
        parts.append(f'<text x="{_LEFT - 6:g}" y="{float(y(share)) + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for step in range(5):
        at = low + (high - low) * step / 4
        parts.append(f'<text x="{x(at)}" y="{_HEIGHT - 14:g}" text-anchor="middle">{at:.2f}</text>')
    parts += [
        f'<path class="band" d="{band([point.recall_ci for point in points])}"/>',
        f'<path class="band wrong" d="{band([point.false_ci for point in points])}"/>',
        f'<path class="best" d="{line([point.recall for point in points])}"/>',
        f'<path class="best wrong" d="{line([point.false for point in points])}"/>',
    ]
    if threshold is not None and low <= threshold <= high:
        parts.append(
            f'<line class="base" x1="{x(threshold)}" x2="{x(threshold)}" y1="{_TOP:g}" y2="{_HEIGHT - _BOTTOM:g}"/>'
        )
    return "".join([*parts, "</svg>"])
