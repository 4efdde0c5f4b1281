"""`inloop bias`: shape or texture, which frequencies, which band, and what else moves the answers of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...evaluators.bias import FEWEST_MODELS
from ...graphs import bias as room
from ...runtime.display import counted
from ..cli import LoopCommand, RunView, printable, seconds

if TYPE_CHECKING:
    from ...evaluators.bias import Relation
    from ...evaluators.stats import Estimate
    from ...graphs.bias import BiasResult, BiasTask
    from ...runtime.store import BlobStore

__all__ = ["bias"]

_ABOUT = """What models look at: shape or texture, which frequencies, which band of noise, and what else moves their answers.

  inloop bias mini                                   # the bundled CLIP, on drawn pictures
  inloop bias mini vqa:mini probe:mini describe:mini # each way of asking
  inloop bias microsoft/resnet-18 clip:openai/clip-vit-base-patch32 --on texture-vs-shape/stimuli

A bias is a description. No single one explains how well a model generalises, so each stands beside the accuracy on shifted pictures.
At the accuracy of guessing a bias means nothing, and is not told."""


def _words(result: BiasResult, bold: bool) -> list[str]:
    counts = f"{result.conflicts} cue-conflict, {result.plain} plain, {result.shifted} shifted pictures"
    lines = [f"{len(result.classes)} classes; {counts}{' (drawn)' if result.drawn else ''}; {seconds(result.seconds)}"]
    for task in result.tasks:
        strong, plain = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
        lines += ["", f"{strong}{printable(task.model)}{plain}  ({printable(task.manner)})", *_of(task)]
    lines += ["", *_relations(result.relations), "", result.reading, ""]
    return lines


def _of(task: BiasTask) -> list[str]:
    lines = []
    if task.conflict is not None:
        named = f"either cue named of {_percent(task.conflict.accuracy)}"
        if task.at_chance:
            lines.append(f"  shape bias         none to tell: {task.at_chance}")
        else:
            lines.append(f"  shape bias         {_three(task.conflict.bias)}; {named}")
    if task.plain is not None:
        lines.append(
            f"  plain pictures     {_three(task.plain)}{'  AT CHANCE: what follows means nothing' * task.plain_at_chance}"
        )
    if task.shifted is not None:
        lines.append(f"  shifted pictures   {_three(task.shifted)}")
    for name, points in (("low-pass", task.low_pass), ("high-pass", task.high_pass)):
        if points:
            some = [points[place] for place in (1, 3, 5, 7, 9) if place < len(points)]
            curve = "  ".join(f"{each.cutoff:g}: {_short(each.accuracy)}" for each in some)
            lines.append(f"  {name + ' at':17}  {curve}")
    if task.band is not None:
        band = task.band
        told = (
            band.why
            if band.centre is None
            else f"centre {band.centre:.1f} cycles, {band.bandwidth:.1f} octaves wide, sensitivity {band.sensitivity:.1f}"
        )
        lines.append(f"  critical band      {told}")
    for each in task.changes:
        ends = "" if each.gain.ci is None else f" ({each.gain.ci[0]:+.3f} to {each.gain.ci[1]:+.3f})"
        word = "" if each.followed is None else f"; names the word {_short(each.followed)}"
        gain = "not known" if each.gain.value is None else f"{each.gain.value:+.3f}"
        lines.append(f"  {each.change:17}  {gain}{ends}{word}")
    if task.unmapped:
        lines.append(f"  answers that mean no class: {task.unmapped}, counted as wrong")
    return lines


def _relations(relations: tuple[Relation, ...]) -> list[str]:
    told = [each for each in relations if each.rho is not None]
    if not told:
        most = max((each.models for each in relations), default=0)
        return [
            f"Whether a bias goes with the shifted accuracy: {counted(most, 'model')} cannot tell; {FEWEST_MODELS} or more may."
        ]
    lines = ["With shifted accuracy, over the models (Spearman):"]
    for each in relations:
        if each.rho is None or each.ci is None:
            lines.append(f"  {each.bias:22} not told: {each.why}")
        else:
            lines.append(
                f"  {each.bias:22} {each.rho:+.2f} ({each.ci[0]:+.2f} to {each.ci[1]:+.2f}), {each.models} models"
            )
    return lines


def _three(estimate: Estimate) -> str:
    if estimate.value is None:
        return "neither cue was ever named"
    return f"{estimate.value:.3f}" + ("" if estimate.ci is None else f" ({estimate.ci[0]:.3f} to {estimate.ci[1]:.3f})")


def _percent(estimate: Estimate) -> str:
    return "none" if estimate.value is None else f"{estimate.value:.1%}"


def _short(estimate: Estimate) -> str:
    return "none" if estimate.value is None else f"{estimate.value:.2f}"


def _data(result: BiasResult) -> Mapping[str, Any]:
    return result.model_dump(mode="json")


def _page(result: BiasResult, blobs: BlobStore, limit: int) -> str:
    from .report import render

    return render(result, blobs, limit)


bias = LoopCommand(
    config=room.BiasConfig,
    loop=lambda: room.bias,
    about=_ABOUT,
    words=_words,
    data=_data,
    page=_page,
    view=lambda config: RunView(""),
    exit_code=lambda result: int(not result.tasks),
)
