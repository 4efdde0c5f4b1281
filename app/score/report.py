"""The report of `inloop score`: one HTML file with the figures, their intervals and the worst pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cli import amount, counted, seconds
from ..report import DEFAULT_LIMIT, Interval, Pictures, draw, intervals

if TYPE_CHECKING:
    from ...evaluators.run import MetricResult, Scored
    from ...graphs.score import ScoreResult
    from ...runtime.store import BlobStore

__all__ = ["render"]


@dataclass(kw_only=True)
class Worst:
    """One of the worst pictures: what was asked and what went wrong."""

    uri: str | None
    id: str
    text: str
    value: str
    explanation: str
    parts: list[tuple[str, str, str]]
    notes: str


@dataclass(kw_only=True)
class Section:
    """One metric."""

    name: str
    about: str
    evaluator: str
    mean: str
    ci: str
    prompts: str
    pictures: str
    unscored: str
    reasons: list[tuple[str, int]]
    slices: list[tuple[str, str, str, int]]
    worst: list[Worst]


def render(run: ScoreResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; a picture that is not in the store is named and not shown."""
    pictures = Pictures(blobs, limit)
    for result in run.metrics:
        pictures.embed(item.image for item in result.worst if item.image is not None)
    against = [
        Interval(
            name,
            None if made.gain.value is None else 100 * made.gain.value,
            None if made.gain.ci is None else 100 * made.gain.ci[0],
            None if made.gain.ci is None else 100 * made.gain.ci[1],
        )
        for name, made in run.against.items()
    ]
    return draw(
        "score/score.html.j2",
        run=run,
        took=seconds(run.seconds),
        when=run.created.replace("T", " ")[:16],
        items=counted(run.items, "picture"),
        prompts=counted(run.prompts, "prompt"),
        sections=[_section(result, pictures) for result in run.metrics],
        plot=intervals(against, name="Gain against the earlier run, in hundredths") if against else "",
        paid=sum(numbers["paid"] for numbers in run.calls.values()),
        reused=sum(numbers["reused"] for numbers in run.calls.values()),
        left_out=len(pictures.left_out) + len(pictures.missing),
    )


def _section(result: MetricResult, pictures: Pictures) -> Section:
    overall = result.overall
    return Section(
        name=result.metric,
        about=result.about,
        evaluator=result.evaluator,
        mean=_three(overall.value),
        ci="" if overall.ci is None else f"{overall.ci[0]:.3f} to {overall.ci[1]:.3f}",
        prompts=amount(overall.n),
        pictures=amount(result.pictures),
        unscored=amount(result.unscored),
        reasons=list(result.reasons.items()),
        slices=[
            (tag, _three(f.value), "" if f.ci is None else f"{f.ci[0]:.3f} to {f.ci[1]:.3f}", f.n)
            for tag, f in result.slices.items()
        ],
        worst=[_worst(item, result.metric, pictures) for item in result.worst],
    )


def _worst(item: Scored, metric: str, pictures: Pictures) -> Worst:
    score = item.scores[metric]
    return Worst(
        uri=None if item.image is None else pictures.uri(item.image),
        id=item.id,
        text=item.text,
        value=_three(score.value),
        explanation=score.explanation,
        parts=[
            (part.name, _three(part.value), "none" if part.value is None else "high" if part.value > 0.5 else "low")
            for part in score.parts[:20]
        ],
        notes="; ".join(item.notes),
    )


def _three(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.3f}"
