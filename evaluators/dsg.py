"""DSG: the share of a scene graph's questions that a picture answers with yes (Cho et al. 2024, arXiv 2310.18235).

Two rules for what depends on something that is not there:

- "strict": a question counts 0 when any ancestor failed, through any number of steps. The default.
- "released": as the authors' code does it: 0 when a direct parent's own answer was no, whatever the grandparents say,
  and only the exact answer "yes" is a yes.

An answer that is missing makes its part None, and the score None with it, unless a failed ancestor decides the part:
what was not measured is not a 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ..agents.questioner import SceneGraph, check_graph
from ..runtime.errors import BadInput, CallFailed
from ..runtime.protocols import VisualQA
from ..runtime.records import Answer, BlobRef, Cost, Part, Sample, Score

__all__ = ["DSG", "Rule", "certainty", "dsg_parts", "verdict"]

Rule = Literal["strict", "released"]
_P_YES = re.compile(r"p_yes=(\d(?:\.\d+)?)")


class DSG:
    """An `Evaluator` of pictures for one scene graph; the texts of the samples are not looked at.

    The `detail` of a part holds the answer, `p_yes` and the failed ancestor, for ties and for the reader.
    """

    name = "dsg"

    def __init__(self, vqa: VisualQA, graph: SceneGraph, *, rule: Rule = "strict") -> None:
        if rule not in ("strict", "released"):
            raise BadInput(f"rule {rule!r} is unknown: give 'strict' or 'released'.")
        check_graph(graph.nodes)
        self.vqa = vqa
        self.graph = graph
        self.rule: Rule = rule

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A score from 0 to 1 for each picture: the mean over the questions, None where it cannot be known."""
        pictures = list({sample.image.sha256: sample.image for sample in samples if sample.image is not None}.values())
        asked = [(picture, node.question) for picture in pictures for node in self.graph.nodes]
        answers, problems = await self._answers(asked)
        scores = []
        for sample in samples:
            if sample.image is None:
                scores.append(Score(value=None, explanation=f"sample {sample.id!r} has no picture"))
                continue
            known = [answers.get((sample.image.sha256, node.question)) for node in self.graph.nodes]
            parts = dsg_parts([(n.question, n.parents) for n in self.graph.nodes], known, rule=self.rule)
            scores.append(
                _total(parts, problems.get(sample.image.sha256, ""), len([a for a in known if a is not None]))
            )
        return scores

    async def _answers(self, asked: list[tuple[BlobRef, str]]) -> tuple[dict[tuple[str, str], Answer], dict[str, str]]:
        """All answers by (picture, question), and why some are missing, by picture."""
        if not asked:
            return {}, {}
        try:
            answers = await self.vqa.answer(asked)
            return {(image.sha256, text): answer for (image, text), answer in zip(asked, answers, strict=True)}, {}
        except CallFailed:
            pass  # one by one, to lose no more than what failed; what was answered is in the ledger
        found: dict[tuple[str, str], Answer] = {}
        problems: dict[str, str] = {}
        for image, text in asked:
            try:
                found[image.sha256, text] = (await self.vqa.answer([(image, text)]))[0]
            except CallFailed as error:
                problems[image.sha256] = str(error)
        return found, problems


def verdict(answer: Answer | None, rule: Rule = "strict") -> bool | None:
    """Whether an answer means yes; None where it is missing or means neither.

    "strict" reads the answer's first word ("Yes, it is."), and asks `p_yes` when that is neither yes nor no.
    """
    if answer is None:
        return None
    if rule == "released":
        return answer.text == "yes"
    words = re.findall(r"[a-z]+", answer.text.lower())
    if words and words[0] in ("yes", "no"):
        return bool(words[0] == "yes")
    return None if answer.p_yes is None else answer.p_yes >= 0.5


def dsg_parts(
    nodes: Sequence[tuple[str, tuple[int, ...]]], answers: Sequence[Answer | None], *, rule: Rule = "strict"
) -> list[Part]:
    """One part a question: value 1, 0 or None. `nodes` are (question, parents), their ids being 1, 2, ...

    Parents that are not among the nodes are passed over; "strict" refuses cycles beforehand (`check_graph`).
    """
    raw = {place: verdict(answer, rule) for place, answer in enumerate(answers, start=1)}
    needed = {place: parents for place, (_, parents) in enumerate(nodes, start=1)}
    parts = []
    for place, ((question, _), answer) in enumerate(zip(nodes, answers, strict=True), start=1):
        above = _ancestors(place, needed) if rule == "strict" else [p for p in needed[place] if p in raw]
        failed = next((parent for parent in above if raw[parent] is False), None)
        own = raw[place]
        if failed is not None or own is False:
            value: float | None = 0.0
        elif own is None or any(raw[parent] is None for parent in above):
            value = None
        else:
            value = 1.0
        told = ["no answer" if answer is None else f"answer={answer.text!r}"]
        if answer is not None and answer.p_yes is not None:
            told.append(f"p_yes={answer.p_yes:.6f}")
        if failed is not None:
            told.append(f"0 because question {failed} failed")
        parts.append(Part(name=question, value=value, detail=" ".join(told)))
    return parts


def certainty(score: Score) -> float | None:
    """The mean `p_yes` of a DSG score's questions, to break ties between equal scores; None where none is known."""
    known = [float(match[1]) for part in score.parts if (match := _P_YES.search(part.detail))]
    return sum(known) / len(known) if known else None


def _total(parts: list[Part], problem: str, answered: int) -> Score:
    cost = Cost(answers=answered)
    values = [part.value for part in parts if part.value is not None]
    if len(values) < len(parts):
        why = f"{len(parts) - len(values)} of {len(parts)} questions could not be answered"
        return Score(value=None, explanation=f"{why}: {problem}" if problem else why, parts=tuple(parts), cost=cost)
    wrong = [part.name for part in parts if part.value == 0]
    told = f"{len(parts) - len(wrong)} of {len(parts)} questions answered with yes"
    if wrong:
        told += f"; not: {' '.join(wrong)}"
    return Score(value=sum(values) / len(values), explanation=told, parts=tuple(parts), cost=cost)


def _ancestors(place: int, parents: dict[int, tuple[int, ...]]) -> list[int]:
    """All ancestors of a question, nearest first."""
    found: list[int] = []
    waiting = list(parents[place])
    while waiting:
        parent = waiting.pop(0)
        if parent in parents and parent not in found and parent != place:
            found.append(parent)
            waiting += parents[parent]
    return found
