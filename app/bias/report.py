"""The page of `inloop bias`: pictures with their answers, curves, bars, and how to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..report import DEFAULT_LIMIT, Pictures, lines, run_page

if TYPE_CHECKING:
    from ...evaluators.stats import Estimate
    from ...graphs.bias import BiasResult, BiasTask, CurvePoint
    from ...runtime.store import BlobStore

__all__ = ["render"]


def render(result: BiasResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; a picture that is not in the store is named and not shown."""
    pictures = Pictures(blobs, limit)
    pictures.embed(each.image for each in result.samples)
    return run_page(
        result,
        blobs,
        template="bias/bias.html.j2",
        pictures=pictures,
        curves=[_curve(result, "low_pass"), _curve(result, "high_pass")],
        bars={task.model: _bars(task) for task in result.tasks if task.conflict and not task.at_chance},
        changes={task.model: [_change(each) for each in task.changes] for task in result.tasks if task.changes},
        bands=[_band(task) for task in result.tasks if task.band is not None],
        relations=[
            (each.bias, each.models, "not told" if each.rho is None else f"{each.rho:+.2f}", _ends(each.ci), each.why)
            for each in result.relations
        ],
        three=_three,
    )


def _curve(result: BiasResult, name: str) -> str:
    series = {}
    for task in result.tasks:
        points: tuple[CurvePoint, ...] = getattr(task, name)
        if points:
            series[task.model] = [
                (each.cutoff, 100 * each.accuracy.value, _points(each.accuracy.ci))
                for each in points
                if each.accuracy.value is not None
            ]
    what = (
        "Low-pass: what is finer than the cutoff is gone"
        if name == "low_pass"
        else "High-pass: what is coarser than the cutoff is gone"
    )
    return lines(series, name=f"{what}; accuracy in percent", across="cutoff, a share of the largest frequency")


def _points(ends: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if ends is None else (100 * ends[0], 100 * ends[1])


def _bars(task: BiasTask) -> list[tuple[str, float | None, str]]:
    classes = task.conflict.classes if task.conflict else ()
    ordered = sorted(classes, key=lambda each: (each.bias is None, -(each.bias or 0.0)))
    return [
        (each.label, each.bias, f"{each.shapes} by shape, {each.textures} by texture, of {each.pictures}")
        for each in ordered
    ]


def _change(each: object) -> list[str]:
    from ...graphs.bias import ChangeEffect

    assert isinstance(each, ChangeEffect)
    return [
        each.change,
        _three(each.accuracy),
        "not known" if each.gain.value is None else f"{each.gain.value:+.3f}",
        _ends(each.gain.ci),
        _three(each.moved),
        "" if each.followed is None else _three(each.followed),
    ]


def _band(task: BiasTask) -> list[str]:
    band = task.band
    if band is None or band.centre is None or band.bandwidth is None or band.sensitivity is None:
        return [task.model, "not told", "", "", band.why if band else ""]
    return [task.model, f"{band.centre:.1f}", f"{band.bandwidth:.1f}", f"{band.sensitivity:.1f}", ""]


def _three(estimate: Estimate | None) -> str:
    return "not known" if estimate is None or estimate.value is None else f"{estimate.value:.3f}"


def _ends(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:+.3f} to {ends[1]:+.3f}"
