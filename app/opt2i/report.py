"""The report of a run: one HTML file that needs nothing else.

Drawn from `result.json` (an `Opt2iResult`) and the blob store, and from nothing else; the same two give the same bytes. The
page holds its images as data URIs, has no script, and its content security policy forbids every outside resource.

Invariants: a score that is None is shown as "not scored", never as 0; every image has a text alternative; text from
outside (prompts, model replies, names) is escaped by the template. Scores are shown as points, 0-100.

Images are embedded most telling first (unseen seeds, the user's prompt, the best one, then the candidates by score)
until `limit` bytes are used; what is left out is counted on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ...graphs.opt2i import Comparison, Opt2iResult, TrialImage
from ..cli import amount, seconds, signed
from ..report import DEFAULT_LIMIT, Interval, Pictures, draw, intervals
from .format import EVALUATORS, best_trial, evaluator_name, ours, user_trial, way_name
from .sections import rising_of, section_of

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["DEFAULT_LIMIT", "Pictures", "render"]


def render(result: Opt2iResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string.

    Args:
        result: the run's result.
        blobs: where its images are; one that is not there is named on the page and not an error.
        limit: bytes of images to embed at most (as data URIs).
    """
    pictures = Pictures(blobs, limit)
    for images in _by_importance(result):
        pictures.embed(image.image for image in images)
    climbed = result.config.get("objective")
    mine = sorted((row for row in result.comparisons if ours(row.way)), key=lambda row: row.evaluator != climbed)
    return draw(
        "opt2i/report.html.j2",
        outcome=result,
        title=_title(result),
        headline=_headline(result, mine),
        verdict_kind=_kind(mine),
        when=result.created.replace("T", " ")[:16],
        took=seconds(result.seconds),
        sections=[section_of(f"t{i}", task, pictures) for i, task in enumerate(result.tasks, 1)],
        comparisons=_comparisons(result.comparisons),
        plots=_plots(result.comparisons),
        glossary=[EVALUATORS[e] for e in dict.fromkeys(c.evaluator for c in result.comparisons) if e in EVALUATORS],
        spent=_spent(result),
        calls=_calls(result),
        config=[(key, _plain(value)) for key, value in sorted(result.config.items())],
        models=[(role, list(model.items())) for role, model in result.models.items()],
        questioners=sorted({t.questioner for t in result.tasks if t.questioner}),
        warnings=list(result.notes),
        missing=len(pictures.missing),
        left_out=len(pictures.left_out),
        resume=f"inloop resume {result.run_id}",
    )


def _by_importance(result: Opt2iResult) -> Iterator[Sequence[TrialImage]]:
    for task in result.tasks:
        for key in ("user", "best"):
            if key in task.heldout:
                yield task.heldout[key].images
        for trial in (user_trial(task), best_trial(task)):
            if trial is not None:
                yield trial.images
    for task in result.tasks:
        for other in task.heldout.values():
            yield other.images
    ranked = [
        sorted(t.trials, key=lambda x: -1.0 if x.objective is None else x.objective, reverse=True) for t in result.tasks
    ]
    for rank in zip_longest(*ranked):
        for trial in rank:
            if trial is not None:
                yield trial.images


def _title(result: Opt2iResult) -> str:
    if len(result.tasks) == 1:
        return f"{result.tasks[0].text} · {result.loop}"
    return f"{len(result.tasks)} prompts · {result.loop}"


def _headline(result: Opt2iResult, mine: Sequence[Comparison]) -> str:
    first = next((c for c in mine if c.gain is not None), None)
    what = "One prompt" if len(result.tasks) == 1 else f"{len(result.tasks)} prompts"
    if first is None or first.gain is None:
        return f"{what}: no gain was measured on unseen seeds"
    change = f"{signed(first.gain)} points {evaluator_name(first.evaluator)}"
    if first.ci is None:
        return f"{what}: {change} on unseen seeds"
    if first.ci[0] > 0:
        return f"{what}: {change} on unseen seeds"
    return f"{what}: no confirmed gain on unseen seeds ({change})"


def _kind(mine: Sequence[Comparison]) -> str:
    first = next((c for c in mine if c.gain is not None), None)
    if first is None or first.ci is None:
        return "unknown"
    return "good" if first.ci[0] > 0 else "bad" if first.ci[1] < 0 else "unknown"


def _comparisons(rows: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [
        {
            "way": way_name(c.way),
            "mine": ours(c.way),
            "evaluator": evaluator_name(c.evaluator),
            "gain": signed(c.gain),
            "rising": "flat" if c.ci is not None and c.ci[0] <= 0 <= c.ci[1] else rising_of(c.gain),
            "ci": "" if c.ci is None else f"{signed(c.ci[0])} to {signed(c.ci[1])}",
            "n": c.n,
            "images": c.images,
            "note": c.note,
        }
        for c in rows
    ]


def _plots(rows: Sequence[Comparison]) -> list[tuple[str, str]]:
    plots = []
    for name in dict.fromkeys(c.evaluator for c in rows):
        shown = [
            Interval(way_name(c.way), c.gain, c.ci[0] if c.ci else None, c.ci[1] if c.ci else None, ours(c.way))
            for c in rows
            if c.evaluator == name
        ]
        svg = intervals(
            shown, name=f"Gain over the user's prompt in {evaluator_name(name)} points, with 95 % intervals"
        )
        if svg:
            plots.append((evaluator_name(name), svg))
    return plots


def _spent(result: Opt2iResult) -> list[tuple[str, str]]:
    cost = result.cost
    money = "unknown" if cost.money is None else f"{cost.money:.4g} US$"
    return [
        ("images painted", amount(cost.images)),
        ("questions answered", amount(cost.answers)),
        ("tokens in", amount(cost.input_tokens)),
        ("tokens out", amount(cost.output_tokens)),
        ("model seconds", seconds(cost.seconds)),
        ("money", money),
    ]


def _calls(result: Opt2iResult) -> list[tuple[str, str, str]]:
    return [(kind, amount(c.get("paid", 0)), amount(c.get("reused", 0))) for kind, c in sorted(result.calls.items())]


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value) if len(value) <= 8 else f"{len(value)} entries"
    return str(value)
