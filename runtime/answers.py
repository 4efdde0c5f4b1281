"""An answer with its citations, and why there is none.

A citation is a place: `quote` is exactly `text[start:end]` of the document that it names. A sentence is shown to a user
only after its citations were checked; what a check could not decide is `None`, never a yes or a no.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .records import Record
from .text import lines_of

__all__ = [
    "Abstention",
    "Checked",
    "Citation",
    "CitedAnswer",
    "Draft",
    "DraftSentence",
    "Kind",
    "Reason",
    "Stance",
    "quotation",
]

Kind = Literal["question", "claim"]
"""What was asked: a question to be answered, or a statement to be held against the sources."""

Reason = Literal[
    "nothing_found",
    "does_not_say",
    "not_sure",
    "contradicting_sources",
    "verifier_failed",
    "answerer_failed",
    "failed",
    "budget",
]
"""Why there is no answer: no passage that has to do with it; passages, but none that says it; a
passage that may say it, which is shown, but no sentence of it that surely does; sources that contradict each
other; a check that could not be made; an answerer that gave nothing usable; another step that failed; a budget that was spent before there was an answer."""

Stance = Literal["supports", "contradicts"]


class DraftSentence(Record):
    """One sentence of an answer as it was written. `cites`: ids of passages; `unknown`: numbers that stood for none.

    `quoted` says that the words are those of the (one) passage, at its `start`.
    """

    text: str = Field(min_length=1)
    cites: tuple[str, ...] = ()
    unknown: tuple[int, ...] = ()
    quoted: bool = False
    start: int | None = None


class Draft(Record):
    """What an answerer wrote. No sentence means that it found no answer in the passages; `note` says so in words."""

    sentences: tuple[DraftSentence, ...] = ()
    by: str
    note: str = ""
    raw: tuple[str, ...] = ()


class Citation(Record):
    """A quotation from a source. `number` is the one in brackets; `support` the checker's probability, None if unknown.

    `stance` is set for claims only, where the checker could tell it; `decided`: the part of the claim that decided, in words;
    `also`: the sources in which the same passage stands as well.
    """

    number: int = 0
    passage: str
    document: str
    title: str = ""
    source: str = ""
    page: int | None = None
    start: int = 0
    end: int = 0
    quote: str
    support: float | None = None
    stance: Stance | None = None
    decided: str = ""
    also: tuple[str, ...] = ()


class Checked(Record):
    """One sentence with what the check of its citations came to.

    `verdict`: "supported" by its citations, "unsupported", or "unscored" where the check failed; `why` is for the reader.
    `near`: that it is not refused for being wrong, but for not being surely the answer; `quoted`: the words are those of its one citation.
    """

    text: str
    verdict: Literal["supported", "unsupported", "unscored"]
    why: str
    citations: tuple[Citation, ...] = ()
    support: float | None = None
    near: bool = False
    quoted: bool = False


class Abstention(Record):
    """That there is no answer, and why; `citations` show what was found instead, or what contradicts what."""

    reason: Reason
    explanation: str
    citations: tuple[Citation, ...] = ()


class CitedAnswer(Record):
    """What a user gets: sentences that are each supported by their citations, or an abstention.

    `stance`: for a claim, what the cited sources say of it, where the checker could tell.
    """

    question: str
    kind: Kind = "question"
    sentences: tuple[Checked, ...] = ()
    abstained: Abstention | None = None
    stance: Stance | None = None

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.abstained is None and bool(self.sentences)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation of the answer, each once, by number."""
        found = {citation.number: citation for sentence in self.sentences for citation in sentence.citations}
        return tuple(found[number] for number in sorted(found))

    @property
    def text(self) -> str:
        """The answer in one line with its numbers in brackets; empty where there is none."""
        return " ".join(
            sentence.text + "".join(f" [{citation.number}]" for citation in sentence.citations)
            for sentence in self.sentences
        )


def quotation(text: str) -> str:
    """`text` as lines that begin with "> ": how words from documents and users stand in a prompt, so that no line of
    theirs can be taken for one of ours.
    """
    return "\n".join(f"> {line}" for line in lines_of(text.strip()) or [""])
