"""What to ask the picture next, when an answer is not borne out by what is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message

__all__ = ["FollowUp", "LLMFollowUp", "PlainFollowUp"]


class FollowUp(Protocol):
    """Whatever thinks of another question about the picture; None where it knows of none."""

    @property
    def name(self) -> str: ...
    async def ask(self, question: str, answer: str, known: Sequence[str], asked: Sequence[str]) -> str | None: ...


class PlainFollowUp:
    """A rule: the user's own question first, then whether the answer is there."""

    name = "rules"

    async def ask(self, question: str, answer: str, known: Sequence[str], asked: Sequence[str]) -> str | None:
        """See the class."""
        closed = f"is there {answer} in the picture?" if answer and answer not in ("yes", "no") else ""
        return next((text for text in (question, closed) if text and text not in asked), None)


class LLMFollowUp:
    """A language model that is shown what is known and what was asked."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def ask(self, question: str, answer: str, known: Sequence[str], asked: Sequence[str]) -> str | None:
        """A question that was not asked before; None where the model failed or had none.

        Raises:
            CallFailed: the server failed in a way that may pass.
        """
        text = load("captions/kbvqa_follow_up").render(
            known=quotation("\n".join(known)) if known else "> (nothing)", question=question, answer=answer or "(none)",
            asked="; ".join(asked) or "nothing",
        )  # fmt: skip
        try:
            reply = await self.chat.complete(
                [Message(role="user", content=text)], seed=len(asked), temperature=0.0, max_tokens=40, stop=("\n\n",)
            )
        except CallFailed as error:
            if error.retryable:
                raise
            return None
        found = re.search(r"([^\n?]{3,200}\?)", reply.text)
        made = " ".join(found[1].split()) if found else ""
        return made if made and made not in asked else None
