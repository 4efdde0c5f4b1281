"""Which of some classes a description of a picture is about, by a language model that never sees the picture."""

from __future__ import annotations

from collections.abc import Sequence

from ...prompts import load
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.session import settled
from .choices import meant_choice

__all__ = ["ClassNamer"]

_NONE = "none of them"
_ROOM = 16


class ClassNamer:
    """Names the class that a description is about."""

    def __init__(self, chat: Chat, classes: Sequence[str]) -> None:
        self.chat, self.classes = chat, tuple(classes)

    async def named(self, descriptions: Sequence[str]) -> list[str | None]:
        """A class for each, in order; None where the model says that it is none of them, says something else, or its call failed.

        Raises:
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
        """
        return await settled([self._one(each) for each in descriptions])

    async def _one(self, description: str) -> str | None:
        text = load("captions/class_named").render(
            description=description, classes="\n".join(f"- {each}" for each in (*self.classes, _NONE))
        )
        try:
            reply = await self.chat.complete([Message(role="user", content=text)], temperature=0.0, max_tokens=_ROOM)
        except CallFailed:
            return None
        name = meant_choice(reply.text, [*self.classes, _NONE])
        return name if name in self.classes else None
