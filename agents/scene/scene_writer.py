"""Who writes a prompt's questions and noun phrases: a language model, the rules of simple English, or both in turn."""

from __future__ import annotations

from collections.abc import Callable

from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from .noun_phrases import NotUnderstood
from .phrases import Phraser, from_scene_graph
from .questioner import Questioner
from .scene_graph import SceneGraph
from .simple_english import simple_scene_graph

__all__ = ["SceneWriter"]

Tell = Callable[[str], None]


class SceneWriter:
    """Scene graphs and noun phrases of prompts.

    Args:
        chat: the language model; None for the rules alone. One that is tuned to the compact format is asked in it; small
            models write no phrases.
        rules_first: the rules write what they understand whole; else only where the language model gave nothing usable
            (which is told). Default: for a model tuned to the compact format, which makes more mistakes than they do.
        tell: called with a warning where something else had to serve, and with the words of a prompt that are in no question.
    """

    def __init__(
        self, chat: Chat | None, *, rules_first: bool | None = None, tell: Tell = lambda warning: None
    ) -> None:
        self.chat = chat
        self.rules_first = _is_mini(chat) if rules_first is None else rules_first
        self.tell = tell

    async def scene_graph(self, text: str, tell: Tell | None = None) -> SceneGraph:
        """The questions of `text`.

        Raises:
            CallFailed: neither the language model nor the rules could write them; it says why of both.
        """
        tell = tell or self.tell
        graph = await self._graph(text, tell)
        if graph.unasked:
            tell(f"words of {text!r} that are in no question: {', '.join(graph.unasked)}.")
        return graph

    async def _graph(self, text: str, tell: Tell) -> SceneGraph:
        if self.chat is None:
            return simple_scene_graph(text)
        by_rules, beyond = _by_rules(text)
        if self.rules_first and by_rules is not None:
            return by_rules
        try:
            return await Questioner(self.chat, "mini" if _is_mini(self.chat) else "dsg").questions(text)
        except CallFailed as error:
            if error.retryable:
                raise
            if by_rules is None:
                raise CallFailed(f"no questions for {text!r}: {error} {beyond[:1].upper()}{beyond[1:]}") from None
            tell(f"{error} The rules for simple English wrote the questions instead.")
            return by_rules

    async def phrases(self, text: str, scene: SceneGraph | None = None, tell: Tell | None = None) -> list[str]:
        """The noun phrases of `text`, or those of its scene graph where the language model is a small one.

        Where there are none of either, the whole text serves as one phrase, which is told.
        """
        if self.chat is not None and not self.chat.small:
            try:
                return await Phraser(self.chat).phrases(text)
            except CallFailed as error:
                if error.retryable:
                    raise
        try:
            phrases = from_scene_graph(scene or await self._graph(text, tell or self.tell))
        except CallFailed as error:
            if error.retryable:
                raise
            phrases = []
        if not phrases:
            (tell or self.tell)(f"no noun phrases of {text!r} could be had: the whole text serves as one.")
        return phrases or [text]


def _by_rules(text: str) -> tuple[SceneGraph | None, str]:
    """The scene graph by the rules, or why there is none."""
    try:
        return simple_scene_graph(text), ""
    except NotUnderstood as error:
        return None, str(error)


def _is_mini(chat: Chat | None) -> bool:
    return chat is not None and chat.tuned_to == "mini"
