"""Documents cut into passages where their structure says so: at headings and pages, then paragraphs, then sentences.

Invariants: a passage's text is exactly `document.text[start:end]`, and every word of the document is in one; a passage
does not cross a heading or a page; the same document and settings give the same passages with the same ids.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from ...runtime.passages import Passage, Value, passage_id
from ...runtime.records import BlobRef, Record

__all__ = ["Chunker", "Document", "Section"]

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\n+")
_SENTENCE = re.compile(r"(?<=[.!?。！？…])[\"'”’)\]]*(?:\s+|(?<=[。！？]))")
_WORD = re.compile(r"\s+")


class Section(Record):
    """A stretch of a document's text under one heading, on one page."""

    start: int
    end: int
    headings: tuple[str, ...] = ()
    page: int | None = None


class Document(Record):
    """What a file says: its text as extracted, and where its sections are (in order, without overlap)."""

    id: str
    text: str
    sections: tuple[Section, ...]
    title: str = ""
    source: str = ""
    media: str = "text/plain"
    image: BlobRef | None = None
    version: str = ""
    meta: dict[str, Value] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a person should know about the reading of it, such as pages without text."""


class Chunker(Record):
    """Cuts documents. `size`: the most characters of a passage; a piece shorter than `least` joins the one before it.

    900 characters are about 200 tokens of English, which every sentence encoder reads whole.
    """

    size: int = Field(default=900, ge=100, le=100_000)
    least: int = Field(default=150, ge=0)

    @property
    def key(self) -> str:
        """The hash of the settings and of the rules themselves (their number is raised when they change)."""
        return hashlib.sha256(f"rules 1, size {self.size}, least {self.least}".encode()).hexdigest()[:16]

    def passages(self, document: Document) -> list[Passage]:
        """The passages of a document in its order; a picture is one passage, whatever its caption."""
        spans: list[tuple[int, int, Section]]
        if document.image is not None:
            whole = Section(start=0, end=len(document.text))
            spans = [(0, len(document.text), whole)]
        else:
            spans = [(a, b, section) for section in document.sections for a, b in self._cut(document.text, section)]
        seen: Counter[str] = Counter()
        found = []
        for part, (start, end, section) in enumerate(spans):
            text = document.text[start:end]
            found.append(
                Passage(
                    id=passage_id(document.id, text, seen[text]),
                    document=document.id,
                    text=text,
                    start=start,
                    end=end,
                    title=document.title,
                    headings=section.headings,
                    source=document.source,
                    media=document.media,
                    page=section.page,
                    image=document.image,
                    version=document.version,
                    part=part,
                    parts=len(spans),
                    meta=document.meta,
                )
            )
            seen[text] += 1
        return found

    def _cut(self, text: str, section: Section) -> Iterator[tuple[int, int]]:
        """Runs of whole paragraphs, of sentences where a paragraph is too long, of words where a sentence is."""
        start = end = -1
        for a, b in self._pieces(text, section.start, section.end, (_PARAGRAPH, _LINE, _SENTENCE, _WORD)):
            if start < 0:
                start, end = a, b
            elif b - start <= self.size or (b - a < self.least and b - start <= self.size + self.least):
                end = b
            else:
                yield start, end
                start, end = a, b
        if start >= 0:
            yield start, end

    def _pieces(
        self, text: str, start: int, end: int, borders: tuple[re.Pattern[str], ...]
    ) -> Iterator[tuple[int, int]]:
        """Stretches without blanks at their ends, each at most `size` long, cut at the first border that will do."""
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        if start == end:
            return
        if end - start <= self.size:
            yield start, end
        elif not borders:  # one endless word: cut it anywhere
            for cut in range(start, end, self.size):
                yield cut, min(cut + self.size, end)
        else:
            last = start
            for border in borders[0].finditer(text, start, end):
                if border.end() > last:
                    yield from self._pieces(text, last, border.end(), borders[1:])
                    last = border.end()
            yield from self._pieces(text, last, end, borders[1:])
