"""DSG: the share of a scene graph's questions that a picture answers rightly (Cho et al. 2024, arXiv 2310.18235).

The right answer is yes; of what the prompt denies ("no disc", "not red") it is no. A question *holds* where it is answered rightly.

Two rules for what depends on something that is not there:

- "strict": a question counts 0 when any ancestor does not hold, through any number of steps. The default.
- "released": as the authors' code does it: 0 when a direct parent's own answer was wrong, whatever the grandparents say,
  and only the exact answer "yes" is a yes.

An answer that is missing makes its part None, and the score None with it, unless a failed ancestor decides the part:
what was not measured is not a 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ...agents.scene import SceneGraph, check_graph
from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.records import Answer, BlobRef, Cost, Part, Sample, Score
from ...runtime.session import each
from ..stats import unscored

__all__ = ["DSG", "Rule", "certainty", "dsg_parts", "holds", "verdict"]

Rule = Literal["strict", "released"]


class DSG:
    """An `Evaluator` of pictures for one scene graph; the texts of the samples are not looked at.

    The `detail` of a part tells the reader the answer and the failed ancestor; its `p_yes` breaks ties.

    `lazy` does not ask what a failed parent decides anyway: the same scores for 4 to 10 % fewer answers, in two or more
    rounds instead of one. Worth it where answers are paid for, not where they are batched.
    """

    name = "dsg"

    def __init__(self, vqa: VisualQA, graph: SceneGraph, *, rule: Rule = "strict", lazy: bool = False) -> None:
        if rule not in ("strict", "released"):
            raise BadInput(f"rule {rule!r} is unknown: give 'strict' or 'released'.")
        check_graph(graph.nodes)
        self.vqa = vqa
        self.graph = graph
        self.rule: Rule = rule
        self.lazy = lazy

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A score from 0 to 1 for each picture: the mean over the questions, None where it cannot be known."""
        pictures = list({sample.image.sha256: sample.image for sample in samples if sample.image is not None}.values())
        answers, problems = await self.answers(pictures)
        return [
            unscored(sample)
            if sample.image is None
            else self.judge(answers[sample.image.sha256], problems.get(sample.image.sha256, ""))
            for sample in samples
        ]

    async def answers(self, pictures: Sequence[BlobRef]) -> tuple[dict[str, list[Answer | None]], dict[str, str]]:
        """The answers to all questions by picture (None: not asked or not answered), and why some are missing."""
        nodes = self.graph.nodes
        known: dict[str, list[Answer | None]] = {picture.sha256: [None] * len(nodes) for picture in pictures}
        problems: dict[str, str] = {}
        for ids in self._rounds():
            asked = [
                (picture, number)
                for picture in pictures
                for number in ids
                if not (self.lazy and self._decided(number, known[picture.sha256]))
            ]
            found = await each(self.vqa.answer, [(picture, nodes[number - 1].question) for picture, number in asked])
            for (picture, number), answer in zip(asked, found, strict=True):
                if isinstance(answer, Exception):
                    problems[picture.sha256] = str(answer)
                else:
                    known[picture.sha256][number - 1] = answer
        return known, problems

    def judge(self, known: list[Answer | None], problem: str = "") -> Score:
        """The score of one picture from its answers, in the order of the questions; `problem` says why some are missing."""
        nodes = self.graph.nodes
        parts = dsg_parts(
            [(n.label, n.parents) for n in nodes], known, rule=self.rule, expected=[n.expected for n in nodes]
        )
        return _total(parts, problem, sum(answer is not None for answer in known))

    def _rounds(self) -> list[list[int]]:
        """The ids of the questions that are asked together; each after all that may decide it."""
        nodes = self.graph.nodes
        if not self.lazy:
            return [[node.id for node in nodes]]
        if self.rule == "released":
            # what a child has to say counts for its own children even when its parent failed: only leaves can be saved
            parents = {parent for node in nodes for parent in node.parents}
            inner = [node.id for node in nodes if node.id in parents or not node.parents]
            return [inner, [node.id for node in nodes if node.id not in inner]]
        depth: dict[int, int] = {}
        while len(depth) < len(nodes):
            for node in nodes:
                if node.id not in depth and all(parent in depth for parent in node.parents):
                    depth[node.id] = 1 + max((depth[parent] for parent in node.parents), default=-1)
        return [[number for number in depth if depth[number] == level] for level in range(max(depth.values()) + 1)]

    def _decided(self, number: int, known: list[Answer | None]) -> bool:
        parents = {node.id: node.parents for node in self.graph.nodes}
        if self.rule == "released" and any(number in above for above in parents.values()):
            return False
        above = _ancestors(number, parents) if self.rule == "strict" else parents[number]
        expected = [node.expected for node in self.graph.nodes]
        return any(holds(known[parent - 1], expected[parent - 1], self.rule) is False for parent in above)


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


def holds(answer: Answer | None, expected: Literal["yes", "no"], rule: Rule = "strict") -> bool | None:
    """Whether an answer is the right one; None where it is missing or means neither yes nor no."""
    said = verdict(answer, rule)
    return None if said is None else said == (expected == "yes")


def dsg_parts(
    nodes: Sequence[tuple[str, tuple[int, ...]]],
    answers: Sequence[Answer | None],
    *,
    rule: Rule = "strict",
    expected: Sequence[Literal["yes", "no"]] | None = None,
) -> list[Part]:
    """One part a question: value 1, 0 or None. `nodes` are (question, parents), their ids being 1, 2, ...

    `expected` are the right answers, yes where they are not given. Parents that are not among the nodes are passed over;
    "strict" refuses cycles beforehand (`check_graph`).
    """
    right = expected or ["yes"] * len(nodes)
    raw = {
        place: holds(answer, wanted, rule)
        for place, (answer, wanted) in enumerate(zip(answers, right, strict=True), start=1)
    }
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
        p_yes = None if answer is None else answer.p_yes
        if p_yes is not None and right[place - 1] == "no":
            p_yes = 1 - p_yes
        parts.append(Part(name=question, value=value, detail=" ".join(told), p_yes=p_yes))
    return parts


def certainty(score: Score) -> float | None:
    """The mean `p_yes` of a DSG score's questions, to break ties between equal scores; None where none is known."""
    known = [part.p_yes for part in score.parts if part.p_yes is not None]
    return sum(known) / len(known) if known else None


def _total(parts: list[Part], problem: str, answered: int) -> Score:
    cost = Cost(answers=answered)
    values = [part.value for part in parts if part.value is not None]
    if len(values) < len(parts):
        why = f"{len(parts) - len(values)} of {len(parts)} questions could not be answered"
        return Score(value=None, explanation=f"{why}: {problem}" if problem else why, parts=tuple(parts), cost=cost)
    wrong = [part.name for part in parts if part.value == 0]
    told = f"{len(parts) - len(wrong)} of {len(parts)} questions answered rightly"
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
