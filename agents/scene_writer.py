"""Who writes a prompt's questions and noun phrases: a language model, the rules of simple English, or both in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..runtime.errors import CallFailed
from .phrases import Phraser, from_scene_graph
from .questioner import Questioner, SceneGraph
from .simple_english import simple_scene_graph, understands

if TYPE_CHECKING:
    from ..runtime.chat import OpenAIChat

__all__ = ["SceneWriter"]


class SceneWriter:
    """Scene graphs and noun phrases of prompts.

    Args:
        spec: the language model's name; "mini-writer" speaks the compact format, small models write no phrases.
        chat: the language model; not asked where the rules serve.
        rules: "only" the rules; the rules "first", where they understand the whole prompt; or "last", where the
            language model gave nothing usable (which is told).
        tell: called with a warning where something else had to serve.
    """

    def __init__(
        self,
        spec: str,
        chat: OpenAIChat | Any,
        *,
        rules: Literal["only", "first", "last"],
        tell: Callable[[str], None] = lambda warning: None,
    ) -> None:
        self.spec = spec
        self.chat = chat
        self.rules = rules
        self.tell = tell

    async def scene_graph(self, text: str, tell: Callable[[str], None] | None = None) -> SceneGraph:
        """The questions of `text`; by the rules where the language model gives nothing usable."""
        by_rules = simple_scene_graph(text)
        if self.rules == "only" or (self.rules == "first" and understands(by_rules)):
            return by_rules
        try:
            return await Questioner(self.chat, "mini" if self.spec == "mini-writer" else "dsg").questions(text)
        except CallFailed as error:
            if error.retryable:
                raise
            (tell or self.tell)(f"{error} The rules for simple English wrote the questions instead.")
            return by_rules

    async def phrases(self, text: str, scene: SceneGraph | None = None) -> list[str]:
        """The noun phrases of `text`, or those of its scene graph where the language model is a small one."""
        if self.rules != "only" and self.spec not in ("mini-writer", "smollm2"):
            try:
                return await Phraser(self.chat).phrases(text)
            except CallFailed as error:
                if error.retryable:
                    raise
        return from_scene_graph(scene or await self.scene_graph(text)) or [text]
