"""Offered against stored bits as SVG: colours come from the page's CSS variables, and a `<desc>` says in words what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...graphs.capacity import CapacityTask

__all__ = ["stored_chart"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 560.0, 300.0, 64.0, 20.0, 14.0, 44.0


def stored_chart(tasks: Sequence[CapacityTask]) -> str:
    """A point a number of facts with its interval, joined, below the line on which all that was offered is stored; "" for no points."""
    points = [
        (task.offered, task.stored, task.ratio.ci or (task.ratio.value, task.ratio.value))
        for task in tasks
        if task.offered is not None and task.stored is not None and task.ratio is not None
    ]
    if not points:
        return ""
    points.sort()
    most = max(offered for offered, _, _ in points)
    least = min(0.0, *(offered * float(ends[0] or 0) for offered, _, ends in points))

    def x(bits: float) -> str:
        return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * bits / most:.1f}"

    def y(bits: float) -> str:
        return f"{_TOP + (_HEIGHT - _TOP - _BOTTOM) * (most - bits) / (most - least):.1f}"

    offered, stored, _ = points[-1]
    parts = [
        f'<svg class="chart" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" preserveAspectRatio="xMidYMid meet">',
        "<title>Bits stored by bits offered</title>",
        f"<desc>Of {offered:,.0f} bits that were offered at most, {stored:,.0f} were stored.</desc>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = most * share
        parts += [
            f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y(at)}" y2="{y(at)}"/>',
            f'<text x="{_LEFT - 6:g}" y="{float(y(at)) + 4:.1f}" text-anchor="end">{at:,.0f}</text>',
            f'<text x="{x(at)}" y="{_HEIGHT - 24:g}" text-anchor="{"end" if share == 1 else "middle"}">{at:,.0f}</text>',
        ]
    parts += [
        f'<text x="{(_WIDTH + _LEFT) / 2:g}" y="{_HEIGHT - 6:g}" text-anchor="middle">bits offered</text>',
        f'<line class="base" x1="{x(0)}" y1="{y(0)}" x2="{x(most)}" y2="{y(most)}"/>',
        '<path class="best" d="M' + "L".join(f"{x(across)} {y(up)}" for across, up, _ in points) + '"/>',
    ]
    for across, up, ends in points:
        low, high = (across * float(end or 0) for end in ends)
        parts.append(f'<line class="end" x1="{x(across)}" x2="{x(across)}" y1="{y(low)}" y2="{y(high)}"/>')
        parts.append(f'<circle class="dot" cx="{x(across)}" cy="{y(up)}" r="4"/>')
    return "".join([*parts, "</svg>"])
