"""The language model that writes steering questions: it sees the best ones so far with their figures (Gavrikov et al. 2024, section 5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...prompts import load
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.text import lines_of

__all__ = ["QuestionSteerer"]

_ROOM = 256
_LEAD = re.compile(r"^\s*(?:\d+[.)]|[-*])\s*|^\s*prompt\s*:\s*", re.IGNORECASE)


class QuestionSteerer:
    """Writes questions that ask for yes or no, with {} in the place of a thing."""

    def __init__(self, chat: Chat, toward: str) -> None:
        self.chat, self.toward = chat, toward

    async def write(self, seen: Sequence[tuple[str, float | None, float | None]], *, n: int, seed: int) -> list[str]:
        """At most `n` questions; `seen` are earlier ones, the best last, with their accuracy and bias. Lines without {} are left out.

        Raises:
            CallFailed, PrerequisiteError: as `Chat.complete`.
        """
        rows = "\n".join(
            f"{text}  (accuracy {_percent(accuracy)}, {self.toward} bias {_percent(bias)})"
            for text, accuracy, bias in seen
        )
        text = load("captions/steer_question").render(seen=rows, toward=self.toward, count=str(n))
        reply = await self.chat.complete(
            [Message(role="user", content=text)], seed=seed, temperature=0.7, max_tokens=_ROOM
        )
        lines = [_LEAD.sub("", line).strip(" \"'`") for line in lines_of(reply.text)]
        return [*dict.fromkeys(line for line in lines if line.count("{}") == 1)][:n]


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{100 * value:.1f} %"
