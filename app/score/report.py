"""The report of `inloop score`: one HTML file with the figures, their intervals and the worst pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from ..cli import amount
from ..report import DEFAULT_LIMIT, Pictures, run_page

if TYPE_CHECKING:
    from ...evaluators.run import MetricResult, Scored
    from ...evaluators.stats import Estimate
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
    unscored: str
    reasons: list[tuple[str, int]]
    slices: list[tuple[str, str, str, int]]
    worst: list[Worst]


def render(result: ScoreResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; a picture that is not in the store is named and not shown."""
    pictures = Pictures(blobs, limit)
    for metric in result.metrics:
        pictures.embed(item.image for item in metric.worst if item.image is not None)
    return run_page(
        result,
        blobs,
        template="score/score.html.j2",
        pictures=pictures,
        means=[_mean(metric) for metric in result.metrics],
        sections=[_section(metric, pictures) for metric in result.metrics],
    )


def _mean(metric: MetricResult) -> list[str]:
    name = Markup('<a href="#{}">{}</a>').format(metric.metric, metric.metric)
    overall = metric.overall
    counts = (overall.n, metric.pictures, metric.unscored)
    return [name, _three(overall.value), _ends(overall), *(amount(count) for count in counts)]


def _ends(estimate: Estimate) -> str:
    return "" if estimate.ci is None else f"{estimate.ci[0]:.3f} to {estimate.ci[1]:.3f}"


def _section(metric: MetricResult, pictures: Pictures) -> Section:
    return Section(
        name=metric.metric,
        about=metric.about,
        evaluator=metric.evaluator,
        unscored=amount(metric.unscored),
        reasons=list(metric.reasons.items()),
        slices=[(tag, _three(mean.value), _ends(mean), mean.n) for tag, mean in metric.slices.items()],
        worst=[_worst(item, metric.metric, pictures) for item in metric.worst],
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
