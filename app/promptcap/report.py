"""The reports of `inloop vqa` and `inloop vqa-eval`: one HTML file each that needs nothing else, drawn from `result.json` alone."""

from __future__ import annotations

from typing import Any

from ...graphs.promptcap import VQAResult
from ...graphs.vqa_eval import VQAEvalResult
from ...runtime.run import RunFolder
from ...runtime.store import BlobStore
from ..cli import amount, percent, seconds
from ..report import Pictures, draw
from .reasons import REASONS

__all__ = ["read_eval", "read_vqa", "render", "render_eval"]

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


def render(outcome: VQAResult, blobs: BlobStore) -> str:
    """The page of `inloop vqa`; the same outcome gives the same bytes."""
    pictures = Pictures(blobs)
    pictures.embed(task.image for task in outcome.tasks if task.image is not None)
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
        for task in outcome.tasks
    ]
    return draw(
        "promptcap/vqa.html.j2",
        outcome=outcome,
        headline=outcome.tasks[0].question if len(outcome.tasks) == 1 else f"{len(outcome.tasks)} questions",
        tasks=tasks,
        when=outcome.created.replace("T", " ")[:16],
        took=seconds(outcome.seconds),
        **_used(outcome.models, outcome.config, outcome.calls),
    )


def render_eval(report: VQAEvalResult) -> str:
    """The page of `inloop vqa-eval`; the same report gives the same bytes."""
    rules = [report.headline, *(name for name in report.ways[0].rules if name != report.headline)]
    kinds = sorted({kind for each in report.ways for kind in each.slices})
    return draw(
        "promptcap/vqa_eval.html.j2",
        report=report,
        questions=amount(report.questions),
        rules=rules,
        ways=[
            (each.way.name, each.way.name == "ours", [percent(each.rules[name]) for name in rules], each.rules[rules[0]].unscored)
            for each in report.ways
        ],
        pairs=[
            (p.before, p.after, percent(p.comparison.gain, signed=True), p.comparison.better, p.comparison.worse, p.comparison.p)
            for p in report.pairs
        ],
        causes=[(cause, count, _CAUSES[cause]) for cause, count in report.causes.items()],
        slices=[
            (kind, [percent(each.slices[kind]) if kind in each.slices else "" for each in report.ways],
             next(each.slices[kind].n for each in report.ways if kind in each.slices))
            for kind in kinds
        ],
        when=report.created.replace("T", " ")[:16],
        took=seconds(report.seconds),
        **_used(report.models, report.config, report.calls),
    )  # fmt: skip


def read_vqa(folder: RunFolder) -> VQAResult:
    """The result of a finished run of `inloop vqa`; `PrerequisiteError` where it is not one of this version."""
    return folder.result_as(VQAResult)


def read_eval(folder: RunFolder) -> VQAEvalResult:
    """The result of a finished run of `inloop vqa-eval`; `PrerequisiteError` where it is not one of this version."""
    return folder.result_as(VQAEvalResult)


def _used(
    models: dict[str, dict[str, str]], config: dict[str, Any], calls: dict[str, dict[str, int]]
) -> dict[str, Any]:
    flat = {**config, **{f"way: {name}": value for name, value in config.get("way", {}).items()}}
    return {
        "models": [(role, model["id"], model["revision"][:12]) for role, model in models.items()],
        "config": [
            (key, value)
            for key, value in sorted(flat.items())
            if key not in ("asked", "way") and value not in ("", None)
        ],
        "paid": amount(sum(c["paid"] for c in calls.values())),
        "reused": amount(sum(c["reused"] for c in calls.values())),
    }
