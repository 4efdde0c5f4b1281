"""The reports of `inloop vqa` and `inloop vqa-eval`: one HTML file each that needs nothing else."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from ...evaluators.stats import Estimate
from ...graphs.promptcap import VQAResult
from ...graphs.vqa_eval import VQAEvalResult
from ...runtime.store import BlobStore
from ..cli import percent
from ..report import DEFAULT_LIMIT, Pictures, run_page
from .reasons import REASONS

__all__ = ["render", "render_eval"]

_CAUSES = {
    "right": "answered right",
    "normalisation": "right in another form: the rule does not see that it is the same",
    "caption": "the caption lacked it",
    "knowledge": "the knowledge lacked it",
    "caption and knowledge": "caption and knowledge both lacked something",
    "caption or knowledge": "a better caption would have done, and so would better knowledge",
    "reasoning": "everything was there, and the language model did not make the answer of it",
    "unknown": "not explained",
}


_BORNE: dict[bool | None, str] = {
    True: "borne out by what is known", False: "nothing that is known bears it out", None: "not checked, or not to be told",
}  # fmt: skip


def render(result: VQAResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The page of `inloop vqa`; the same result gives the same bytes."""
    pictures = Pictures(blobs, limit)
    pictures.embed(task.image for task in result.tasks if task.image is not None)
    tasks = [
        {
            "task": task,
            "uri": pictures.uri(task.image) if task.image is not None else None,
            "verdict": task.answer if task.told else f"No answer: {REASONS[task.reason]}",
            "level": "good" if task.told and task.supported else "unknown",
            "borne": _BORNE[task.supported],
            "shots": task.evidence.shots[0] if task.evidence.shots else (),
            "shares": [(text, f"{share:.0%}") for text, share in task.shares],
        }
        for task in result.tasks
    ]
    one = result.tasks[0].question if len(result.tasks) == 1 else ""
    return run_page(
        result, blobs, template="promptcap/vqa.html.j2", pictures=pictures, headline=one, tasks=tasks, hidden=("asked",)
    )


def render_eval(result: VQAEvalResult, blobs: BlobStore | None = None, limit: int = DEFAULT_LIMIT) -> str:
    """The page of `inloop vqa-eval`; the same result gives the same bytes. It has no pictures."""
    rules = [result.headline, *(name for name in result.ways[0].rules if name != result.headline)]
    kinds = sorted({kind for each in result.ways for kind in each.slices})
    names = [each.way.name for each in result.ways]
    verdict, kind = _verdict(result)
    return run_page(
        result,
        blobs,
        template="promptcap/vqa_eval.html.j2",
        verdict=verdict,
        kind=kind,
        rule_columns=[("method", ""), *((name.replace("_", " "), "num") for name in rules), ("not scored", "num")],
        methods=[
            [each.way.name, *(_cell(each.rules[name]) for name in rules), each.rules[rules[0]].unscored]
            for each in result.ways
        ],
        pairs=[
            [
                p.before, p.after, percent(p.comparison.gain, signed=True), p.comparison.better, p.comparison.worse,
                "" if p.comparison.p is None else "< 0.001" if p.comparison.p < 0.001 else f"{p.comparison.p:.3f}",
            ]
            for p in result.pairs
        ],
        causes=[(cause, count, _CAUSES[cause]) for cause, count in result.causes.items()],
        slice_columns=[("kind", ""), ("questions", "num"), *((name, "num") for name in names)],
        slices=[
            [
                kind,
                next(each.slices[kind].n for each in result.ways if kind in each.slices),
                *(_cell(each.slices[kind]) if kind in each.slices else "" for each in result.ways),
            ]
            for kind in kinds
        ],
        worst=[_wrong(row) for row in result.worst],
    )  # fmt: skip


def _verdict(result: VQAEvalResult) -> tuple[str, str]:
    """How ours does against its strongest rival on the same questions, and whether that can be chance."""
    if result.rival is None:
        return "", "unknown"
    gain = result.rival.comparison.gain
    words = f"On the same questions, ours against {result.rival.before}: {percent(gain, signed=True)} points."
    if gain.ci is None or gain.ci[0] <= 0 <= gain.ci[1]:
        return f"{words} The difference may be chance.", "unknown"
    return words, "good" if gain.ci[0] > 0 else "bad"


def _cell(estimate: Estimate) -> str:
    """Percent, with the interval under it."""
    if estimate.value is None or estimate.ci is None:
        return percent(estimate)
    low, high = (f"{100 * end:.1f}" for end in estimate.ci)
    return Markup('{} <span class="ci">{} to {}</span>').format(f"{100 * estimate.value:.1f}", low, high)


def _wrong(row: dict[str, Any]) -> list[str]:
    seen = "; ".join(row["captions"])
    seen += f" · tags: {row['tags']}" if row["tags"] else ""
    seen += f" · written there: {row['text']}" if row["text"] else ""
    question = Markup('{}<br><span class="muted small">{}</span>').format(row["question"], row["question_id"])
    return [question, row["answer"] or "", row["people"], seen, row["cause"] or ""]
