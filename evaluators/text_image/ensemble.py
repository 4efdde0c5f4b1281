"""Several VQA models judge together: the weighted mean of their DSG scores, and how far they agree.

On the released TIFA160 answers the mean of two models correlates better with people than the better of the two, and a
majority vote on each question worse; so scores are averaged, not answers. The models agree on 90 % of those questions
and yet only with a kappa of 0.45, since nearly all answers are yes: look at `Panel.agreement` before believing one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ...agents.scene import SceneGraph
from ...runtime.records import Cost, Part, Record, Sample, Score
from ...runtime.session import settled
from ...tools.vision import EnsembleVQA
from ..stats import kappa, unscored
from .dsg import DSG, Rule, verdict

__all__ = ["Agreement", "EnsembleDSG", "Panel"]


class Agreement(Record):
    """How far the models of a panel agree on the questions that all of them answered with yes or no.

    `share`: of the questions on which all say the same; `kappa`: Cohen's, the mean over the pairs of models.
    """

    models: tuple[str, ...]
    questions: int
    share: float | None
    kappa: float | None
    pairs: dict[str, float | None]

    def in_words(self) -> str:
        """In one sentence; "" where no question was answered by all."""
        if self.share is None:
            return ""
        chance = "" if self.kappa is None else f", kappa {self.kappa:.2f}"
        return f"the judges agree on {self.share:.0%} of {self.questions} questions{chance}"


class Panel:
    """The members of an ensemble as judges of scene graphs, and how far they have agreed so far, on whatever they were asked."""

    def __init__(self, ensemble: EnsembleVQA) -> None:
        self.ensemble = ensemble

    def dsg(self, graph: SceneGraph, *, rule: Rule = "strict", lazy: bool = False) -> EnsembleDSG:
        """The evaluator of one scene graph."""
        return EnsembleDSG(self, graph, rule=rule, lazy=lazy)

    def agreement(self) -> Agreement:
        """Over everything that was heard."""
        members, rows = self.ensemble.members, list(self.ensemble.said.values())
        pairs: dict[str, float | None] = {}
        for a, b in itertools.combinations(range(len(members)), 2):
            name = f"{members[a].model} and {members[b].model}"
            pairs[name] = kappa([row[a] for row in rows], [row[b] for row in rows])
        known = [value for value in pairs.values() if value is not None]
        return Agreement(
            models=tuple(member.model for member in members),
            questions=len(rows),
            share=sum(len(set(row)) == 1 for row in rows) / len(rows) if rows else None,
            kappa=sum(known) / len(known) if known else None,
            pairs=pairs,
        )


class EnsembleDSG:
    """An `Evaluator`: the weighted mean DSG score of the panel's models; None where one of them could not score."""

    name = "dsg"

    def __init__(self, panel: Panel, graph: SceneGraph, *, rule: Rule = "strict", lazy: bool = False) -> None:
        self.ensemble = panel.ensemble
        self.rule = rule
        self.members = [DSG(vqa, graph, rule=rule, lazy=lazy) for vqa in self.ensemble.members]

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One score a sample, in order; a part is the weighted mean of the models' values for one question."""
        pictures = list({s.image.sha256: s.image for s in samples if s.image is not None}.values())
        heard = await settled([member.answers(pictures) for member in self.members])
        for picture in pictures:
            for place, node in enumerate(self.members[0].graph.nodes):
                said = [verdict(known[picture.sha256][place], self.rule) for known, _ in heard]
                self.ensemble.hear(picture.sha256, node.question, said)
        return [
            unscored(sample)
            if sample.image is None
            else self._mean(
                [
                    member.judge(known[sample.image.sha256], problems.get(sample.image.sha256, ""))
                    for member, (known, problems) in zip(self.members, heard, strict=True)
                ]
            )
            for sample in samples
        ]

    def _mean(self, scores: list[Score]) -> Score:
        models = [vqa.model for vqa in self.ensemble.members]
        cost = sum((score.cost for score in scores), Cost())
        failed = [f"{name}: {s.explanation}" for name, s in zip(models, scores, strict=True) if s.value is None]
        parts = tuple(self._joined(models, rows) for rows in zip(*(score.parts for score in scores), strict=False))
        value = self._weighted([score.value for score in scores])
        if value is None:
            return Score(value=None, explanation="; ".join(failed), parts=parts, cost=cost)
        told = ", ".join(f"{name} {score.value:.3f}" for name, score in zip(models, scores, strict=True))
        weights = self.ensemble.weights
        how = (
            "" if max(weights) == min(weights) else f", by weight {' to '.join(f'{weight:.2f}' for weight in weights)}"
        )
        return Score(value=value, explanation=f"mean of {told}{how}", parts=parts, cost=cost)

    def _weighted(self, values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        return sum(weight * value for weight, value in zip(self.ensemble.weights, known, strict=True))

    def _joined(self, models: list[str], parts: Sequence[Part]) -> Part:
        detail = "; ".join(f"{name}: {part.detail}" for name, part in zip(models, parts, strict=True))
        return Part(
            name=parts[0].name,
            value=self._weighted([part.value for part in parts]),
            detail=detail,
            p_yes=self._weighted([part.p_yes for part in parts]),
        )
