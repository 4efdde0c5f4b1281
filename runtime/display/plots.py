"""Plots with matplotlib, for notebooks and papers: bars, and estimates with their intervals.

Text is drawn in the first font that has its letters, so that Chinese, Japanese and Korean show where the machine has a font for them;
a letter that no font has is a dot, and it is said; it is never drawn as a box.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ..errors import PrerequisiteError
from .forest import Forest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_bars", "draw_forest", "draw_steps", "drawable", "new_figure", "plot_bars"]

ACCENT, SOFT, LINE = "#3b4fd8", "#5c6270", "#dfe0da"
_FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Source Han Sans SC", "PingFang SC",
    "Hiragino Sans GB", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Apple SD Gothic Neo",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip


def new_figure(panels: int = 1, *, width: float = 6.4, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with panels one above the other, each `height` inches high; a notebook shows it where a cell ends with it.

    Raises:
        PrerequisiteError: matplotlib is not installed.
    """
    try:
        from .notebook_figure import NotebookFigure
    except ImportError:
        raise PrerequisiteError(
            "a plot needs matplotlib", remedy="pip install 'inloop[plot]', or pip install matplotlib."
        ) from None
    figure = NotebookFigure(figsize=(width, height * panels), layout="constrained")
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    for each in axes:
        for side in ("top", "right"):
            each.spines[side].set_visible(False)
    return figure, list(axes)


def draw_forest(axes: Axes, forest: Forest) -> None:
    """Estimates with their intervals, the first one at the top; one that was not measured says so."""
    for place, row in enumerate(forest.rows):
        color = ACCENT if row.main else SOFT
        if row.value is None:
            axes.text(0.02, place, "not scored", color=SOFT, va="center", transform=axes.get_yaxis_transform())
            continue
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=color, linewidth=3, solid_capstyle="round")
        axes.plot([row.value], [place], "o", color=color, markersize=8)
    if forest.gains:
        axes.axvline(0, color=SOFT, linewidth=1, zorder=0)
    axes.set_xlim(*forest.span)
    _named(axes, [row.name for row in forest.rows])
    for label, row in zip(axes.get_yticklabels(), forest.rows, strict=True):
        label.set_fontweight("bold" if row.main else "normal")
    axes.grid(axis="x", color=LINE, zorder=0)
    titled(axes, forest.title)


def plot_bars(values: Mapping[str, float], *, title: str) -> Figure:
    """A figure with a bar for each name. Raises what `new_figure` raises."""
    figure, [axes] = new_figure(height=1.0 + 0.35 * len(values))
    draw_bars(axes, values, title=title)
    return figure


def draw_bars(axes: Axes, values: Mapping[str, float], *, title: str) -> None:
    """A bar for each name, the first one at the top, with its number."""
    bars = axes.barh(range(len(values)), list(values.values()), color=ACCENT, height=0.6)
    axes.bar_label(bars, labels=[f"{value:.4g}" for value in values.values()], padding=4)
    axes.margins(x=0.12)
    _named(axes, list(values))
    titled(axes, title)


def draw_steps(axes: Axes, series: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> None:
    """For each name a dot for every (step, value), and a line that is the best value so far."""
    for place, (name, values) in enumerate(series.items()):
        color = ACCENT if len(series) == 1 else f"C{place % 10}"
        axes.plot(
            [step for step, _ in values], [value for _, value in values], "o", color=color, alpha=0.45, markersize=4
        )
        best: dict[float, float] = {}
        for step, value in sorted(values):
            best[step] = max(value, *best.values()) if best else value
        axes.step(list(best), list(best.values()), where="post", color=color, linewidth=2, label=drawable(name[:40]))
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="y", color=LINE, zorder=0)
    if 1 < len(series) <= 8:
        axes.legend(frameon=False, fontsize=8, prop={"family": list(_fonts()), "size": 8})
    titled(axes, title)


def titled(axes: Axes, title: str) -> None:
    """Give a panel its title, above its left end."""
    axes.set_title(drawable(title), loc="left", fontsize=10, color=SOFT, wrap=True, fontfamily=list(_fonts()))


def drawable(text: str) -> str:
    """`text` with a dot for each letter that no font of this machine has, with a warning; control characters are left out."""
    missing = [c for c in text if ord(c) > 127 and not c.isspace() and not _drawn(c)]
    if missing:
        warnings.warn(
            f"no font of this machine has {unicodedata.name(missing[0], 'a letter')} and what is like it: such letters are"
            " dots in plots; install a font that has them (for Chinese, Japanese and Korean: apt install fonts-noto-cjk).",
            stacklevel=3,
        )
    return "".join("·" if c in missing else c for c in text if c.isprintable())


def _named(axes: Axes, names: list[str]) -> None:
    labels = [drawable(name if len(name) <= 40 else name[:39] + "…") for name in names]
    axes.set_yticks(range(len(names)), labels, fontfamily=list(_fonts()))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


@cache
def _fonts() -> tuple[str, ...]:
    """The families of this machine that are asked for a letter, in this order."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return tuple(name for name in _FONTS if name in installed)


@cache
def _letters() -> tuple[Any, ...]:
    from matplotlib import font_manager

    paths = [font_manager.findfont(name, fallback_to_default=False) for name in _fonts()]
    return tuple(font_manager.get_font(path) for path in paths)


@cache
def _drawn(letter: str) -> bool:
    return any(font.get_char_index(ord(letter)) for font in _letters())
