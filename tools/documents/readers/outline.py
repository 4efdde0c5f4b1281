"""A document as a reader puts it together: headings, and under them blocks, items of lists and rows of tables.

Invariants of the text that comes out of it: blocks stand between empty lines, items and rows on lines of their own; a heading
stands above its section and not inside, unless nothing else is there, else its words would be lost; a table of contents, which
is lines that say the headings once more, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import regex

from ....runtime.passages import Value
from ..chunks import Section

__all__ = ["Hints", "Outline", "Reading", "clean", "meta_of", "sections_under"]

_UNSEEN = regex.compile(r"[\u00ad\u200b\u2060\ufeff\u180e]|(?![\t\n])\p{Cc}|\p{Cs}")
_HALVES = regex.compile(r"[\ud800-\udbff][\udc00-\udfff]")
_LEADERS = regex.compile(r"(?:\s*[.·…_]){3,}\s*\d*\s*$|\s+\d+\s*$")
_NUMBER = regex.compile(r"^(?:[-*•]\s+)?(?:(?:\d+\.)*\d+\.?|\w\.|[ivxIVX]+\.)\s+|^[-*•]\s+")
_CONTENTS = regex.compile(
    r"(?:table of |list of )?contents|(?:on|in) this page|inhalt(?:sverzeichnis)?|sommaire|table des matières|índice|目次|目录",
    regex.I,
)


@dataclass(frozen=True)
class Hints:
    """What is known of a file beside its bytes. `recognised`: by page, the words that were read from its picture."""

    encoding: str = ""
    recognised: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What a reader gives: a `Document` without what its file's name and place say."""

    text: str
    sections: tuple[Section, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Value] = field(default_factory=dict)


class Heading(NamedTuple):
    """A heading's line is `text[start:end]`; `level` 1 is the outermost."""

    start: int
    end: int
    level: int
    words: str


@dataclass
class _Entry:
    kind: Literal["heading", "block", "item", "row"]
    text: str
    level: int
    page: int | None


class Outline:
    """Takes what a document says, in its order; `reading` gives the text with its sections."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self.page: int | None = None
        """The page, slide or sheet on which what comes stands."""
        self.inset = False
        """Whether what comes is said of the term above it, beyond the first paragraph, which stands behind the term: it is set in."""

    def heading(self, level: int, words: str) -> None:
        """A heading; `level` 1 is the outermost."""
        self._put("heading", " ".join(words.split()), level)

    def block(self, text: str) -> None:
        """A paragraph, or whatever stands between empty lines."""
        self._put("block", text)

    def code(self, text: str, language: str = "") -> None:
        """Code, a command, or an output: fenced, with its own blanks and lines."""
        inner = text.replace("\r\n", "\n").strip("\n").rstrip()
        if inner.strip():
            fence = "`" * max(3, *(len(ticks) + 1 for ticks in regex.findall("`+", inner)), 3)
            self._put("block", f"{fence}{language}\n{inner}\n{fence}")

    def item(self, text: str, *, mark: str = "-", depth: int = 0) -> None:
        """An item of a list, `depth` lists deep; further lines stand below its words."""
        margin = "  " * depth
        lines = text.strip().split("\n")
        below = f"\n{margin}{' ' * (len(mark) + 1) if mark else ''}"
        self._put("item", f"{margin}{mark} {below.join(lines)}" if mark else margin + below.join(lines))

    def row(self, cells: Iterable[str]) -> None:
        """A row of a table."""
        words = [" ".join(cell.split()) for cell in cells]
        if any(words):
            self._put("row", " | ".join(words))

    def _put(self, kind: Literal["heading", "block", "item", "row"], text: str, level: int = 0) -> None:
        text = clean(text).strip("\n").rstrip()
        if self.inset and kind != "heading":
            text = "\n".join(f"  {line}" if line else line for line in text.split("\n"))
        if text.strip():
            self._entries.append(_Entry(kind, text, level, self.page))

    def reading(
        self, *, title: str = "", notes: Iterable[str] = (), meta: Mapping[str, Value] | None = None
    ) -> Reading:
        """The text and its sections; an outermost heading that all begins with is the title where there is no other."""
        entries = list(_without_contents(self._entries))
        title = " ".join(clean(title).split())
        if not title and entries and entries[0].kind == "heading" and entries[0].level == 1:
            title = entries[0].text
        pieces: list[str] = []
        headings: list[Heading] = []
        pages: list[tuple[int, int | None]] = []
        length = 0
        for place, entry in enumerate(entries):
            if place:
                tight = entry.kind == entries[place - 1].kind and entry.kind in ("item", "row")
                pieces.append("\n" if tight else "\n\n")
                length += len(pieces[-1])
            if not pages or pages[-1][1] != entry.page:
                pages.append((length, entry.page))
            pieces.append(entry.text)
            if entry.kind == "heading":
                headings.append(Heading(length, length + len(entry.text), entry.level, entry.text))
            length += len(entry.text)
        sections = sections_under(headings, 0, length, title)
        return Reading("".join(pieces), tuple(_paged(sections, pages)), title, tuple(notes), meta or {})


def clean(text: str) -> str:
    """`text` without signs that nobody sees: soft hyphens, blanks without width, controls, halves of letters."""
    if text.isascii() and text.isprintable():
        return text
    text = _HALVES.sub(lambda halves: halves[0].encode("utf-16", "surrogatepass").decode("utf-16", "replace"), text)
    text = text.replace("\u00a0", " ")
    return str(_UNSEEN.sub(lambda sign: "\ufffd" if "\ud800" <= sign[0] <= "\udfff" else "", text))


def meta_of(values: Mapping[Any, object]) -> dict[str, Value]:
    """What can be filtered on of `values`: texts, numbers and truth values under names; lists of texts as one text."""
    kept: dict[str, Value] = {}
    for name, value in values.items():
        label = regex.sub(r"[^A-Za-z0-9_-]+", "_", str(name)).strip("_-")[:64]
        if isinstance(value, list | tuple) and all(isinstance(each, str | int | float) for each in value):
            value = ", ".join(map(str, value))
        if label and label[0].isalpha() and value is not None and not isinstance(value, dict | list | tuple):
            exact = isinstance(value, bool | float) or (isinstance(value, int) and abs(value) <= 2**53)
            kept[label] = value if exact else clean(str(value)).strip()  # type: ignore[assignment]
    return {name: value for name, value in kept.items() if value != "" and value == value}


def sections_under(headings: list[Heading], start: int, end: int, title: str) -> list[Section]:
    """The sections of `text[start:end]`: each heading stands above its own, except where it has nothing under it."""
    sections = []
    above: list[Heading] = []
    first = headings[0].start if headings else end
    if first > start or not headings:
        sections.append(Section(start=start, end=first))
    for place, heading in enumerate(headings):
        above = [*(one for one in above if one.level < heading.level), heading]
        following = headings[place + 1] if place + 1 < len(headings) else None
        stop = following.start if following else end
        path = tuple(one.words for one in above if one.words and one.words != title)
        bare = stop <= heading.end + 2 and not (following and following.level > heading.level)
        sections.append(Section(start=heading.start if bare else heading.end, end=stop, headings=path))
    return sections


def _paged(sections: list[Section], pages: list[tuple[int, int | None]]) -> Iterator[Section]:
    """The sections cut where a page begins."""
    pages = pages or [(0, None)]
    borders = [*pages[1:], (1 << 62, None)]
    for section in sections:
        for (start, page), (stop, _) in zip(pages, borders, strict=True):
            if start < section.end and stop > section.start:
                span = {"start": max(start, section.start), "end": min(stop, section.end)}
                yield section.model_copy(update={**span, "page": page})


def _without_contents(entries: list[_Entry]) -> Iterator[_Entry]:
    """Entries without runs of two or more that say headings of the document once more, and without what such a run is called."""
    headings = {_bare(entry.text) for entry in entries if entry.kind == "heading"}
    place = 0
    while place < len(entries):
        stop = place
        titled = _CONTENTS.fullmatch(entries[place].text.strip(" :*")) is not None
        if titled:
            stop += 1
        while stop < len(entries) and entries[stop].kind != "heading" and _repeats(entries[stop].text, headings):
            stop += 1
        lines = sum(len(entry.text.split("\n")) for entry in entries[place + titled : stop])
        if lines >= 2:
            place = stop
        else:
            yield entries[place]
            place += 1


def _repeats(text: str, headings: set[str]) -> bool:
    return all(_bare(line) in headings for line in text.split("\n"))


def _bare(words: str) -> str:
    """A heading without its number, and without the leaders and the page of a table of contents."""
    return " ".join(_LEADERS.sub("", _NUMBER.sub("", words.strip())).casefold().split())
