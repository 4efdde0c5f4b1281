"""Documents cut into passages where their structure says so: at headings and pages, then blocks, then items and sentences.

Invariants: a passage's text is exactly `document.text[start:end]`, and every word of the document is in one; a passage
does not cross the border of a section, nor part a title or a colon from what follows where both fit; the same document and settings
give the same passages with the same ids.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from ...runtime.passages import Passage, Value, passage_id
from ...runtime.records import BlobRef, Record
from .blocks import Block, BlockKind, blocks

__all__ = ["Chunker", "Document", "Section"]

_EMPTY = re.compile(r"\n[ \t]*\n\s*")
_ITEM = re.compile(r"\n+(?=\s*(?:[-*•+]|\(?\d{1,3}[.)])\s)")
_LINE = re.compile(r"\n+")
_SENTENCE = re.compile(r"(?<=[.!?。！？…])[\"'”’)\]]*(?:\s+|(?<=[。！？]))")
_WORD = re.compile(r"\s+")
_BORDERS: dict[BlockKind, tuple[re.Pattern[str], ...]] = {
    "paragraph": (_SENTENCE, _LINE, _WORD),
    "title": (_LINE, _WORD),
    "code": (_EMPTY, _LINE, _WORD),
    "table": (_LINE, _WORD),
    "contents": (_EMPTY, _LINE, _WORD),
    "markup": (_LINE, _WORD),
    "list": (_ITEM, _EMPTY, _SENTENCE, _LINE, _WORD),
}


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
        return hashlib.sha256(f"rules 3, size {self.size}, least {self.least}".encode()).hexdigest()[:16]

    def passages(self, document: Document) -> list[Passage]:
        """The passages of a document in its order; a picture is one passage, whatever its caption."""
        if document.image is not None:
            spans = [(0, len(document.text), Section(start=0, end=len(document.text)), "")]
        else:
            spans = [
                (start, end, section, title)
                for section in document.sections
                for start, end, title in self._cut(document.text, section)
            ]
        seen: Counter[str] = Counter()
        found = []
        for part, (start, end, section, title) in enumerate(spans):
            text = document.text[start:end]
            found.append(
                Passage(
                    id=passage_id(document.id, text, seen[text]),
                    document=document.id,
                    text=text,
                    start=start,
                    end=end,
                    title=document.title,
                    headings=(*section.headings, title) if title else section.headings,
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

    def _cut(self, text: str, section: Section) -> Iterator[tuple[int, int, str]]:
        """Runs of whole groups of blocks; of blocks, lines or sentences, and words, where a group is too long; each with the title in the
        text that it goes on under. What ends in a colon begins a passage sooner than it ends one.
        """
        run: list[tuple[int, int, str]] = []
        for piece in self._groups(text, section):
            a, b, _ = piece
            start = run[0][0] if run else a
            if b - start <= self.size or (run and b - a < self.least and b - start <= self.size + self.least):
                run.append(piece)
                continue
            last = run[-1]
            keep = len(run) > 1 and text[last[1] - 1] == ":" and b - last[0] <= self.size
            yield start, run[-2][1] if keep else last[1], run[0][2]
            run = [last, piece] if keep else [piece]
        if run:
            yield run[0][0], run[-1][1], run[0][2]

    def _groups(self, text: str, section: Section) -> Iterator[tuple[int, int, str]]:
        """Blocks; a title with what is under it, and a colon with what is behind it, are one where they are not too long."""
        here = text[section.start : section.end]
        group: list[Block] = []
        read = blocks(here)
        for place, block in enumerate(read):
            group.append(block)
            leads = block.kind in ("title", "markup") or here[block.end - 1] == ":"
            if leads and place + 1 < len(read) and read[place + 1].end - group[0].start <= self.size:
                continue
            start, end = section.start + group[0].start, section.start + block.end
            title = next((one.title for one in group if one.kind != "markup"), "") if group[0].kind != "title" else ""
            if end - start <= self.size:
                yield start, end, title
            else:
                for one in group:
                    begin, stop = section.start + one.start, section.start + one.end
                    for a, b in self._pieces(text, begin, stop, _BORDERS[one.kind]):
                        yield a, b, one.title if one.kind != "title" else ""
            group = []

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
