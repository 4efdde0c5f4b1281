"""Is an answer borne out by what is known of the picture and the world?

Two judges: one of words, which needs no language model (every word of the answer stands in what is known, or it is the answer that
the picture itself gave), and a language model that says Yes or No. A judge that failed says None: neither borne out nor not.

Before either, the words of the question bear nothing out: a caption for "the thing above the orange circle" names the orange circle whatever
stands above it. An answer that has no other words is not borne out, but where the question offers it ("red or blue?").
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
from ...tools.documents import is_unspaced
from ...tools.tasks import choice_words
from .word_stems import stem

__all__ = ["LLMSupport", "Support", "WordSupport"]

_STOP = frozenset("a an the of in on at to for and or is are it its this that with".split())
_YES_NO = ("yes", "no")


class Support(Protocol):
    """Whatever judges an answer: whether what is known bears it out (None: it could not be told), and why."""

    @property
    def name(self) -> str: ...
    async def judge(self, question: str, answer: str, known: Sequence[str]) -> tuple[bool | None, str]: ...


class WordSupport:
    """A rule: each word of the answer that is not the question's own, but for its ending, stands in what is known.

    Numbers are the same in digits and words; of a script without blanks a word may be part of a longer one.
    Of what a question offers the other must not stand there. Of a question that was asked the picture only the answer counts, or both
    where the answer is yes. A bare yes or no has no words to look for: None.
    """

    name = "words"

    async def judge(self, question: str, answer: str, known: Sequence[str]) -> tuple[bool | None, str]:
        """See the class."""
        wanted = [word for word in choice_words(answer) if word not in _STOP]
        if not wanted or all(word in _YES_NO for word in wanted):
            return None, "yes and no cannot be looked for by words"
        if echo := _echo(question, answer):
            return False, echo
        stated = [_stated(text) for text in known]
        there = {stem(word) for text in stated for word in choice_words(text)}
        offered = _offered(question)
        own = {stem(word) for word in choice_words(question)} - {each for option in offered for each in option}
        lacking = [word for word in wanted if stem(word) not in there | own and not _within(word, stated)]
        if lacking:
            return False, f"nothing that is known says {' '.join(lacking)!r}"
        answered = {stem(word) for word in wanted}
        if any(option & there and not option & answered for option in offered):
            return False, "what is known says the other that the question offers, too"
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
        if echo := _echo(question, answer):
            return False, echo
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


def _echo(question: str, answer: str) -> str:
    """Why an answer that only repeats the question is not borne out; "" where it says more, or what the question offers."""
    wanted = [word for word in choice_words(answer) if word not in _STOP and word not in _YES_NO]
    own = {stem(word) for word in choice_words(question)} - {each for option in _offered(question) for each in option}
    if not wanted or any(stem(word) not in own and not _within(word, [question]) for word in wanted):
        return ""
    return f"{' '.join(wanted)!r} are words of the question itself"


def _offered(question: str) -> list[set[str]]:
    """What a question offers to choose among ("a red ball or a blue one?"): of each option the stems that no other has."""
    parts = re.split(r",|\bor\b", question.lower())
    if not re.search(r"\bor\b", question.lower()):
        return []
    options = [[stem(word) for word in choice_words(part) if word not in _STOP] for part in parts]
    options = [option for option in options if option]
    size = len(options[-1]) if options else 0  # before the first option stands the rest of the question
    stems = [set(option[-size:]) for option in options]
    return [own - {each for other in stems if other is not own for each in other} for own in stems]


def _within(word: str, texts: Sequence[str]) -> bool:
    """Whether a word of a script without blanks is part of a text."""
    return is_unspaced(word) and any(word in text.lower() for text in texts)


def _stated(text: str) -> str:
    """What a text says to be so: "is there a dog? no" says nothing."""
    _, mark, answer = text.rpartition("? ")
    word = answer.strip().lower().rstrip(".")
    return text if not mark or word == "yes" else "" if word == "no" else answer
