"""The entailer: a language model that says whether a text supports a statement, contradicts it, or neither.

One call a pair, all at once. A reply that names none of the three, or several, is a failure and not "neither".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.session import settled
from ...tools.entailment import Judgement

__all__ = ["Entailer"]

_LABELS = {"support": "supports", "supports": "supports", "supported": "supports", "entails": "supports"}
_LABELS |= {"contradict": "contradicts", "contradicts": "contradicts", "contradicted": "contradicts"}
_LABELS |= {"neither": "neither", "neutral": "neither", "none": "neither"}


class Entailer:
    """An `Entailment` by `chat`; its probabilities are 0 and 1."""

    thresholds: Mapping[str, float] = {
        "entails": 0.5,
        "pertinent": 0.5,
        "stance": 0.5,
        "contradicts": 0.5,
        "weakest": 0.0,
    }

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def name(self) -> str:
        """What the report says."""
        return f"{self.chat.model} (asked whether a text supports a statement)"

    async def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """One judgement a pair.

        Raises:
            CallFailed: a call failed, or a reply could not be read.
        """
        return await settled([self._one(premise, hypothesis) for premise, hypothesis in pairs])

    async def _one(self, premise: str, hypothesis: str) -> Judgement:
        sections = load("rag/entail").messages(premise=quotation(premise), hypothesis=quotation(hypothesis))
        reply = await self.chat.complete(
            [Message(role=role, content=content) for role, content in sections], seed=0, temperature=0.0, max_tokens=8
        )
        said = {_LABELS[word] for word in re.findall(r"[a-z]+", reply.text.lower()) if word in _LABELS}
        if len(said) != 1:
            raise CallFailed(f"{self.chat.model} said neither supports, contradicts nor neither: {reply.text[:80]!r}")
        label = said.pop()
        return Judgement(supports=float(label == "supports"), contradicts=float(label == "contradicts"))
