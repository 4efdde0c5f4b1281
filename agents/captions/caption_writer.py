"""The caption writer: puts what a question asks for into one caption, from what people say of the picture (PromptCap, 4.1).

The prompt is the published one in form: "Summarize the context to help answer the question", examples (`caption_examples`),
then the picture's sentences, the question and its answer. The reader answers a question from a caption alone, with examples
that never change, so that two captions differ by themselves only; the judge sees one caption and nothing else of its picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message, Record
from ...runtime.session import settled
from ...runtime.text import lines_of
from ...tools.data import CaptionRow
from .caption_examples import EXAMPLES, Example

__all__ = ["CaptionJudge", "CaptionReader", "CaptionWriter", "Written"]

_MARK = re.compile(r"^\s*(?:summary|caption|answer|a)\s*:\s*", re.IGNORECASE)
_ROOM, _ANSWER_ROOM = 128, 20
_LONGEST = 400  # characters of a caption
_READ_SHOTS = (0, 1, 2, 6, 18)  # of `EXAMPLES`: the reader's, a color, a number, a thing, yes or no, and a drawn scene


class Written(Record):
    """The different captions that were written for a row, and what the model said; `failed`: why nothing came."""

    id: str
    captions: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    failed: str = ""


class CaptionWriter:
    """Writes captions for questions.

    Args:
        chat: any chat model.
        shots: how many of `EXAMPLES` it is shown, 0 to 20 (the published prompt has about 20).
        temperature: the published one is 1.
    """

    def __init__(self, chat: Chat, *, shots: int = len(EXAMPLES), temperature: float = 1.0) -> None:
        if not 0 <= shots <= len(EXAMPLES):
            raise BadInput(f"shots={shots!r}: there are {len(EXAMPLES)} examples; give 0 to {len(EXAMPLES)}.")
        self.chat, self.temperature = chat, temperature
        # the last ones are nearest to the question, and drawn scenes stand there
        self._examples = "\n\n".join(_block(example) for example in EXAMPLES[len(EXAMPLES) - shots :])

    def message(self, row: CaptionRow) -> Message:
        """What is asked for a row."""
        text = load("captions/promptcap_synthesis").render(
            examples=self._examples,
            contexts=_contexts(row.captions),
            question=row.question,
            answer=_usual(row.answers),
        )
        return Message(role="user", content=text)

    async def write(self, rows: Sequence[CaptionRow], *, n: int, seed: int) -> list[Written]:
        """Up to `n` different captions a row, in order; a failed call is a `Written` without captions.

        Raises:
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
        """
        return await settled([self._one(row, n, seed) for row in rows])

    async def _one(self, row: CaptionRow, n: int, seed: int) -> Written:
        try:
            reply = await self.chat.complete(
                [self.message(row)], n=n, seed=seed, temperature=self.temperature, max_tokens=_ROOM
            )
        except CallFailed as error:
            return Written(id=row.id, failed=str(error))
        found = dict.fromkeys(caption for text in reply.texts if (caption := _line(text)))
        captions = tuple(caption for caption in found if len(caption) <= _LONGEST)
        return Written(
            id=row.id, captions=captions, raw=reply.texts, failed="" if captions else "no caption in the reply"
        )


class CaptionReader:
    """Answers questions from captions alone, greedily: the published prompt with five fixed examples."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self._shots = "\n".join(
            f"===\nContext: {example.caption}\n===\nQ: {example.question}\nA: {example.answer}\n"
            for example in (EXAMPLES[place] for place in _READ_SHOTS)
        )

    async def answer(self, asked: Sequence[tuple[str, str]]) -> list[str | None]:
        """An answer for each (caption, question), in order; None where the call failed."""
        return await settled([self._one(caption, question) for caption, question in asked])

    async def _one(self, caption: str, question: str) -> str | None:
        text = load("captions/promptcap_read").render(shots=self._shots, context=caption, question=question)
        try:
            reply = await self.chat.complete(
                [Message(role="user", content=text)], temperature=0.0, max_tokens=_ANSWER_ROOM
            )
        except CallFailed:
            return None
        return _line(reply.text)


class CaptionJudge:
    """Tells of a word in a caption whether it can be seen in a picture; it is shown the caption alone."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    async def seen(self, asked: Sequence[tuple[str, str]]) -> list[bool | None]:
        """For each (caption, word), in order; None where the model said neither "seen" nor "known"."""
        return await settled([self._one(caption, word) for caption, word in asked])

    async def _one(self, caption: str, word: str) -> bool | None:
        text = load("captions/promptcap_leak").render(caption=caption, word=word)
        try:
            reply = await self.chat.complete([Message(role="user", content=text)], temperature=0.0, max_tokens=8)
        except CallFailed:
            return None
        said = set(re.findall(r"[a-z]+", reply.text.lower())) & {"seen", "known"}
        return "seen" in said if len(said) == 1 else None


def _block(example: Example) -> str:
    return (
        f"Original contexts: {_contexts(example.captions)}\nQuestion: {example.question}\n"
        f"Answer: {example.answer}\nSummary: {example.caption}"
    )


def _contexts(captions: Sequence[str]) -> str:
    return ". ".join(caption.strip().rstrip(".") for caption in captions)


def _usual(answers: Sequence[str]) -> str:
    """What most people answered; of equally many the first."""
    return max(dict.fromkeys(answers), key=answers.count)


def _line(text: str) -> str:
    """The first line that says something, without a mark before it and quotation marks around it."""
    lines = (" ".join(_MARK.sub("", line).split()).strip("\"'“” ") for line in lines_of(text))
    return next((line for line in lines if line and not line.endswith(":")), "")  # "Original contexts:" announces only
