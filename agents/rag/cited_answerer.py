"""The answerer: an answer from numbered passages, each sentence with the numbers of the passages that it comes from.

Where the server keeps a JSON schema the answer is asked for as structured output; where it does not, as text with numbers
in brackets, which is read tolerantly: `[1][3]`, `[1, 3]`, `[1-3]`, `(1)` at a sentence's end, before or after its full stop.
Numbers that no passage has are kept as `unknown`, to be refused by the check and not passed over. Passages are quoted line
by line, so that nothing in them reads as a part of the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from ...prompts import load
from ...runtime.answers import Checked, Draft, DraftSentence, Kind, quotation
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.transport import json_from
from ...tools.entailment import sentences

__all__ = ["Answerer", "CitedAnswerer", "parse_answer"]

_NONE = re.compile(
    r"^\W*(no answer|there is no answer|the passages do not (contain|say|answer)\b[^.]*)\W*$", re.IGNORECASE
)
_MARK = r"\[\s*(?:\d{1,3}(?:\s*[-–]\s*\d{1,3})?)(?:\s*[,;&]\s*\d{1,3}(?:\s*[-–]\s*\d{1,3})?)*\s*\]"
_MARKS = re.compile(_MARK)
_MARKS_BEFORE_STOP = re.compile(rf"\s*((?:{_MARK}\s*)+)([.!?]+)(?=\s|$)")
_ROUND = re.compile(r"\s\((\d{1,2}(?:\s*,\s*\d{1,2})*)\)(?=[.!?]?(?:\s|$))")
_MOST = 8


class Answerer(Protocol):
    """Whatever answers from passages. `checked`: what the check made of the last draft, when it is asked to repair it."""

    @property
    def name(self) -> str: ...
    async def answer(
        self, question: str, kind: Kind, passages: Sequence[Passage], *, checked: Sequence[Checked] = ()
    ) -> Draft: ...


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str
    citations: list[int]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sentences: list[_Said]


class CitedAnswerer:
    """Answers with `chat`.

    Args:
        structured: ask for JSON; a reply that does not fit is then asked for once more as text. Models of few parameters
            do better with text from the start.
        longest: characters of a passage that are shown.
        system: a system prompt of one's own, in the place of the one in `prompts/rag`; it must say how to cite.
    """

    def __init__(
        self, chat: Chat, *, structured: bool = True, longest: int = 2000, max_tokens: int = 320, system: str = ""
    ) -> None:
        self.chat, self.structured, self.longest, self.max_tokens = chat, structured, longest, max_tokens
        self.system = system

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def answer(
        self, question: str, kind: Kind, passages: Sequence[Passage], *, checked: Sequence[Checked] = ()
    ) -> Draft:
        """The draft of an answer; one without a sentence says that the passages do not contain it.

        Raises:
            CallFailed: the chat model failed, or its reply cannot be read.
        """
        if self.structured:
            try:
                reply = await self._ask("rag/answer_json", question, passages, checked, schema=_Answer)
                return self._read_json(reply, passages)
            except CallFailed as error:
                if error.retryable:
                    raise
        return self._read(await self._ask("rag/answer", question, passages, checked), passages)

    async def _ask(
        self,
        prompt: str,
        question: str,
        passages: Sequence[Passage],
        checked: Sequence[Checked],
        *,
        schema: type[BaseModel] | None = None,
    ) -> str:
        shown = "\n\n".join(
            f"Passage [{number}]\n{quotation(passage.indexed[: self.longest])}"
            for number, passage in enumerate(passages, 1)
        )
        sections = load(prompt).messages(question=quotation(question), passages=shown)
        messages = [
            Message(role=role, content=self.system if self.system and role == "system" else content)
            for role, content in sections
        ]
        if checked:
            said = " ".join(sentence.text for sentence in checked)
            wrong = "\n".join(f"- {s.text}: {s.why}" for s in checked if s.verdict != "supported")
            repair = load("rag/repair").render(problems=wrong)
            messages += [Message(role="assistant", content=said), Message(role="user", content=repair)]
        reply = await self.chat.complete(
            messages, seed=int(bool(checked)), temperature=0.0, max_tokens=self.max_tokens, schema=schema
        )
        if "length" in reply.finish_reasons and schema is not None:
            raise CallFailed("the answer was cut off at the token limit")
        return reply.text

    def _read_json(self, reply: str, passages: Sequence[Passage]) -> Draft:
        found = _Answer.model_validate(json_from(reply))
        made = [
            _sentence(text, said.citations, passages)
            for said in found.sentences[:_MOST]
            if (text := " ".join(_MARKS.sub("", said.text).split()))
        ]
        return Draft(sentences=tuple(made), by=self.name, raw=(reply,), note="" if made else "it found no answer")

    def _read(self, reply: str, passages: Sequence[Passage]) -> Draft:
        made = [_sentence(text, numbers, passages) for text, numbers in parse_answer(reply)[:_MOST]]
        return Draft(sentences=tuple(made), by=self.name, raw=(reply,), note="" if made else "it found no answer")


def parse_answer(reply: str) -> list[tuple[str, list[int]]]:
    """The sentences of a reply with the numbers that each cites; [] for "no answer".

    A mark belongs to the sentence that it stands in, or that it follows.
    """
    if _NONE.match(reply.strip()):
        return []
    text = re.sub(r"([.!?])(?=\[\d)", r"\1 ", reply)
    text = _ROUND.sub(lambda match: f" [{match[1]}]", text)
    text = _MARKS_BEFORE_STOP.sub(lambda match: f"{match[2]} {match[1].strip()}", text)
    found: list[tuple[str, list[int]]] = []
    for span in sentences(text):
        lead = re.match(rf"^(?:\s*{_MARK})+", span.text)
        rest = span.text
        if lead and found:
            found[-1][1].extend(_numbers(lead[0]))
            rest = span.text[lead.end() :].strip()
        clean = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(_MARKS.sub(" ", rest).split()))
        clean = re.sub(r"^(?:[-*•]|\d{1,2}[.)])\s+", "", clean)
        if re.search(r"\w", clean) and not _NONE.match(clean):
            found.append((clean, _numbers(rest)))
    return found


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for mark in _MARKS.findall(text):
        for first, last in re.findall(r"(\d+)(?:\s*[-–]\s*(\d+))?", mark):
            high = int(last) if last else int(first)
            # "[1-300]" is no list of citations
            numbers += range(int(first), high + 1) if int(first) <= high < int(first) + 10 else [int(first), high]
    return list(dict.fromkeys(numbers))


def _sentence(text: str, numbers: Sequence[int], passages: Sequence[Passage]) -> DraftSentence:
    known = [number for number in dict.fromkeys(numbers) if 1 <= number <= len(passages)]
    return DraftSentence(
        text=text,
        cites=tuple(passages[number - 1].id for number in known),
        unknown=tuple(number for number in dict.fromkeys(numbers) if number not in known),
    )
