"""`inloop encoders compare`: one table, and which of its differences are real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import encoders as room
from ..cli import LoopCommand, RunView, printable, seconds

if TYPE_CHECKING:
    from ...evaluators.stats import Estimate
    from ...graphs.encoders import CompareResult

__all__ = ["compare"]

_ABOUT = """Compare encoders of pictures on a labelled set.

Each is judged by a linear probe (its L2 penalty chosen on validation pictures), k nearest neighbours, a few examples a class, and, where
it knows words, zero-shot. Intervals are over test pictures. Pairs are compared on the same pictures, and their p values are
corrected for the number of pairs."""


def _words(result: CompareResult, bold: bool) -> list[str]:
    lines = [
        f"{len(result.classes)} classes, {result.train} pictures to learn from, {result.test} to test, {seconds(result.seconds)}",
        "",
    ]
    if result.ranking is None:
        return lines
    tasks = {task.encoder: task for task in result.tasks}
    wide = max(7, *(len(printable(name)) for name in tasks))
    lines.append(
        f"{'encoder':{wide}}  {'probe':>5}  {'95 % interval':14}  {'first':>5}  {'kNN':>5}  {'k-shot':>13}  zero-shot  worst class"
    )
    for name in result.ranking.order:
        task = tasks[name]
        few = f"{_three(task.k_shot)} +- {task.k_shot_spread:.3f}"
        zero = _three(task.zero_shot) if task.zero_shot else "no words"
        lines.append(
            f"{printable(name):{wide}}  {_three(task.probe):>5}  {_ends(task.probe):14}  {result.ranking.first[name]:>5.0%}"
            f"  {_three(task.knn):>5}  {few:>13}  {zero:9}  {printable(task.worst_class)} {task.worst:.3f}"
        )
        seeds = task.probe_by_seed
        lines.append(f"{'':{wide}}  probe by validation split {min(seeds):.3f} to {max(seeds):.3f}")
        lines += [
            f"{'':{wide}}  shifted {printable(other)}: {_three(each)} ({_ends(each)})"
            for other, each in task.shifted.items()
        ]
        if task.penalty_at_edge:
            lines.append(f"{'':{wide}}  its penalty {task.penalty:g} is at the end of those tried")
    if result.ranking.pairs:
        lines += ["", "linear probe, paired:"]
    for pair in result.ranking.pairs:
        gain = pair.gain.gain
        value = "not known" if gain.value is None else f"{gain.value:+.3f}"
        ends = "" if gain.ci is None else f" ({gain.ci[0]:+.3f} to {gain.ci[1]:+.3f})"
        p = "" if pair.p is None else f", p = {pair.p:.4f}"
        verdict = "a real difference" if pair.differs else "not told apart"
        lines.append(f"  {printable(pair.other)} over {printable(pair.one)}: {value}{ends}{p}: {verdict}")
    return [*lines, ""]


def _three(estimate: Estimate | None) -> str:
    return "none" if estimate is None or estimate.value is None else f"{estimate.value:.3f}"


def _ends(estimate: Estimate) -> str:
    return "" if estimate.ci is None else f"{estimate.ci[0]:.3f} to {estimate.ci[1]:.3f}"


def _data(result: CompareResult) -> Mapping[str, Any]:
    return result.model_dump(mode="json")


compare = LoopCommand(
    config=room.CompareConfig,
    loop=lambda: room.encoders,
    about=_ABOUT,
    words=_words,
    data=_data,
    view=lambda config: RunView(""),
    exit_code=lambda result: int(not result.tasks),
)
