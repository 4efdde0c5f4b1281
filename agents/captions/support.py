"""Is an answer borne out by what is known of the picture and the world?

Two judges: one of words, which needs no language model (every word of the answer stands in what is known, or it is the answer that
the picture itself gave), and a language model that says Yes or No. A judge that failed says None: neither borne out nor not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message

__all__ = ["LLMSupport", "Support", "WordSupport"]

_STOP = frozenset("a an the of in on at to for and or is are it its this that with".split())
_YES_NO = ("yes", "no")


class Support(Protocol):
    """Whatever judges an answer: whether what is known bears it out (None: it could not be told), and why."""

    @property
    def name(self) -> str: ...
    async def judge(self, question: str, answer: str, known: Sequence[str]) -> tuple[bool | None, str]: ...


class WordSupport:
    """A rule: each word of the answer, but for its ending, stands in what is known.

    Of a question that was asked the picture only the answer counts, or both where the answer is yes. A bare yes or no has no
    words to look for: None.
    """

    name = "words"

    async def judge(self, question: str, answer: str, known: Sequence[str]) -> tuple[bool | None, str]:
        """See the class."""
        wanted = [word for word in _words(answer) if word not in _STOP]
        if not wanted or all(word in _YES_NO for word in wanted):
            return None, "yes and no cannot be looked for by words"
        there = {_stem(word) for text in known for word in _words(_said(text))}
        lacking = [word for word in wanted if _stem(word) not in there]
        if lacking:
            return False, f"nothing that is known says {' '.join(lacking)!r}"
        return True, "what is known says it"


class LLMSupport:
    """A language model that is shown what is known, the question and the answer."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def judge(self, question: str, answer: str, known: Sequence[str]) -> tuple[bool | None, str]:
        """See the class."""
        shown = quotation("\n".join(known)) if known else "> (nothing)"
        text = load("captions/kbvqa_supported").render(known=shown, question=question, answer=answer)
        messages = [Message(role="user", content=text)]
        try:
            reply = await self.chat.complete(messages, seed=0, temperature=0.0, max_tokens=4, among=("Yes", "No"))
        except CallFailed as error:
            if error.retryable:
                raise
            return None, f"the judge failed: {error}"
        word = re.match(r"\W*(yes|no)\b", reply.text, re.IGNORECASE)
        if word is None:
            return None, f"the judge said neither yes nor no: {reply.text.strip()[:80]!r}"
        return word[1].lower() == "yes", "the judge said so"


def _said(text: str) -> str:
    """What a text says to be so: "is there a dog? no" says nothing."""
    _, mark, answer = text.rpartition("? ")
    said = answer.strip().lower().rstrip(".")
    return text if not mark or said == "yes" else "" if said == "no" else answer


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _stem(word: str) -> str:
    return re.sub(r"(?<=\w{3})(?:ies|es|s|ing|ed|y|e)$", "", word)
