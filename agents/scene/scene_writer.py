"""Who writes a prompt's questions and noun phrases: a language model, the rules of simple English, or both in turn."""

from __future__ import annotations

from collections.abc import Callable

from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from .phrases import Phraser, from_scene_graph
from .questioner import Questioner, SceneGraph
from .simple_english import simple_scene_graph, understands

__all__ = ["SceneWriter"]


class SceneWriter:
    """Scene graphs and noun phrases of prompts.

    Args:
        chat: the language model; None for the rules alone. One that is tuned to the compact format is asked in it; small
            models write no phrases.
        rules_first: the rules write what they understand whole; else only where the language model gave nothing usable
            (which is told). Default: for a model tuned to the compact format, which makes more mistakes than they do.
        tell: called with a warning where something else had to serve.
    """

    def __init__(
        self,
        chat: Chat | None,
        *,
        rules_first: bool | None = None,
        tell: Callable[[str], None] = lambda warning: None,
    ) -> None:
        self.chat = chat
        self.rules_first = _is_mini(chat) if rules_first is None else rules_first
        self.tell = tell

    async def scene_graph(self, text: str, tell: Callable[[str], None] | None = None) -> SceneGraph:
        """The questions of `text`; by the rules where the language model gives nothing usable."""
        by_rules = simple_scene_graph(text)
        if self.chat is None or (self.rules_first and understands(by_rules)):
            return by_rules
        try:
            return await Questioner(self.chat, "mini" if _is_mini(self.chat) else "dsg").questions(text)
        except CallFailed as error:
            if error.retryable:
                raise
            (tell or self.tell)(f"{error} The rules for simple English wrote the questions instead.")
            return by_rules

    async def phrases(self, text: str, scene: SceneGraph | None = None) -> list[str]:
        """The noun phrases of `text`, or those of its scene graph where the language model is a small one."""
        if self.chat is not None and not self.chat.small:
            try:
                return await Phraser(self.chat).phrases(text)
            except CallFailed as error:
                if error.retryable:
                    raise
        return from_scene_graph(scene or await self.scene_graph(text)) or [text]


def _is_mini(chat: Chat | None) -> bool:
    return chat is not None and chat.tuned_to == "mini"
