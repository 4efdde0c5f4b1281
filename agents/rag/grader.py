"""The grader: does a passage help to answer the request?

A `Score` a passage: its value is the probability that it does. A grader that failed, or whose reply cannot be read, gives
a score of None: such a passage is neither relevant nor irrelevant, and the graph treats it as neither.

`Grader` asks a language model, one call a passage. `OverlapGrader` is not an LLM: a calibrated comparison of words and
vectors (`tools.entailment.overlap`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ...runtime.protocols import Chat
from ...runtime.records import Message, Score
from ...runtime.session import settled
from ...tools.entailment import Overlap

__all__ = ["Grader", "Grades", "OverlapGrader"]


class Grades(Protocol):
    """Whatever grades passages: one score each, in order; `threshold` is the value from which one is relevant."""

    @property
    def name(self) -> str: ...
    @property
    def threshold(self) -> float: ...
    async def grade(self, question: str, passages: Sequence[Passage]) -> list[Score]: ...


class Grader:
    """Asks `chat` yes or no about each passage, all of them at once."""

    threshold = 0.5

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def grade(self, question: str, passages: Sequence[Passage]) -> list[Score]:
        """1 for yes, 0 for no, None where the call failed or said neither."""
        return await settled([self._one(question, passage) for passage in passages])

    async def _one(self, question: str, passage: Passage) -> Score:
        sections = load("rag/grade").messages(question=quotation(question), passage=quotation(passage.indexed))
        try:
            reply = await self.chat.complete(
                [Message(role=role, content=content) for role, content in sections],
                seed=0,
                temperature=0.0,
                max_tokens=8,
            )
        except CallFailed as error:
            return Score(value=None, explanation=f"the grader failed: {error}")
        said = set(re.findall(r"[a-z]+", reply.text.lower())) & {"yes", "no"}
        if len(said) != 1:
            return Score(value=None, explanation=f"neither yes nor no: {reply.text[:80]!r}", cost=reply.cost)
        return Score(value=float("yes" in said), explanation=f"it said {said.pop()}", cost=reply.cost)


class OverlapGrader:
    """Not an LLM: the calibrated probability of `tools.entailment.overlap` that a passage is about the request."""

    def __init__(self, overlap: Overlap, *, threshold: float | None = None) -> None:
        self.overlap = overlap
        self.threshold = overlap.thresholds["passage"] if threshold is None else threshold

    @property
    def name(self) -> str:
        """What the report says."""
        return self.overlap.name

    async def grade(self, question: str, passages: Sequence[Passage]) -> list[Score]:
        """The probability of each passage; None where it could not be computed."""
        try:
            found = await self.overlap.relevance(question, [passage.indexed for passage in passages])
        except CallFailed as error:
            return [Score(value=None, explanation=f"the grader failed: {error}") for _ in passages]
        return [Score(value=value, explanation=f"P(relevant) = {value:.2f}") for value in found]
