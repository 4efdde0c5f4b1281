"""Several VQA models judge together: the mean of their DSG scores, and how far they agree.

On the released TIFA160 answers the mean of two models correlates better with people than the better of the two, and a
majority vote on each question worse; so scores are averaged, not answers. The models agree on 90 % of those questions
and yet only with a kappa of 0.45, since nearly all answers are yes: look at `Panel.agreement` before believing one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ...agents.scene import SceneGraph
from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.records import Cost, Part, Record, Sample, Score
from ...runtime.run import settled
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


class Panel:
    """Two or more VQA models, and what they have said so far through the evaluators made with `dsg`."""

    def __init__(self, vqas: Sequence[VisualQA]) -> None:
        names = [vqa.model for vqa in vqas]
        if len(vqas) < 2 or len({(vqa.model, vqa.revision) for vqa in vqas}) < len(vqas):
            raise BadInput(f"an ensemble needs two or more different models; these are {names}.")
        self.vqas = tuple(vqas)
        self._said: dict[tuple[str, str], tuple[bool, ...]] = {}

    def dsg(self, graph: SceneGraph, *, rule: Rule = "strict", lazy: bool = False) -> EnsembleDSG:
        """The evaluator of one scene graph."""
        return EnsembleDSG(self, graph, rule=rule, lazy=lazy)

    def heard(self, picture: str, question: str, verdicts: Sequence[bool | None]) -> None:
        """Note what each model said; counted once a picture and question, where all said yes or no."""
        if None not in verdicts:
            self._said[picture, question] = tuple(bool(said) for said in verdicts)

    def agreement(self) -> Agreement:
        """Over everything that was heard."""
        rows = list(self._said.values())
        pairs: dict[str, float | None] = {}
        for a, b in itertools.combinations(range(len(self.vqas)), 2):
            name = f"{self.vqas[a].model} and {self.vqas[b].model}"
            pairs[name] = kappa([row[a] for row in rows], [row[b] for row in rows])
        known = [value for value in pairs.values() if value is not None]
        return Agreement(
            models=tuple(vqa.model for vqa in self.vqas),
            questions=len(rows),
            share=sum(len(set(row)) == 1 for row in rows) / len(rows) if rows else None,
            kappa=sum(known) / len(known) if known else None,
            pairs=pairs,
        )


class EnsembleDSG:
    """An `Evaluator`: the mean DSG score of the panel's models; None where one of them could not score."""

    name = "dsg"

    def __init__(self, panel: Panel, graph: SceneGraph, *, rule: Rule = "strict", lazy: bool = False) -> None:
        self.panel = panel
        self.rule = rule
        self.members = [DSG(vqa, graph, rule=rule, lazy=lazy) for vqa in panel.vqas]

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """One score a sample, in order; a part is the mean of the models' values for one question."""
        pictures = list({s.image.sha256: s.image for s in samples if s.image is not None}.values())
        heard = await settled([member.answers(pictures) for member in self.members])
        for picture in pictures:
            for place, node in enumerate(self.members[0].graph.nodes):
                said = [verdict(known[picture.sha256][place], self.rule) for known, _ in heard]
                self.panel.heard(picture.sha256, node.question, said)
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
        models = [vqa.model for vqa in self.panel.vqas]
        cost = sum((score.cost for score in scores), Cost())
        failed = [f"{name}: {s.explanation}" for name, s in zip(models, scores, strict=True) if s.value is None]
        values = [score.value for score in scores if score.value is not None]
        parts = tuple(_joined(models, rows) for rows in zip(*(score.parts for score in scores), strict=False))
        if failed:
            return Score(value=None, explanation="; ".join(failed), parts=parts, cost=cost)
        told = ", ".join(f"{name} {value:.3f}" for name, value in zip(models, values, strict=True))
        return Score(value=sum(values) / len(values), explanation=f"mean of {told}", parts=parts, cost=cost)


def _joined(models: list[str], parts: Sequence[Part]) -> Part:
    values = [part.value for part in parts if part.value is not None]
    whole = len(values) == len(parts)
    detail = "; ".join(f"{name}: {part.detail}" for name, part in zip(models, parts, strict=True))
    return Part(name=parts[0].name, value=sum(values) / len(values) if whole else None, detail=detail)
