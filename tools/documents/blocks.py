"""What a passage is made of: paragraphs, lists, tables, code, titles, contents and markup, each with its place in the text.

Reads the conventions that plain text, Markdown and reStructuredText share: blocks stand between empty lines; a title is underlined or
begins with "#"; code is fenced, or indented after "::" or by itself; a list has bullets or numbers; rows of a table have bars, or all
begin with the name of the same column. It is no parser of either language: what it does not know is a paragraph.

Invariants: blocks are in order and do not overlap; every word is in one; none begins or ends with a blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

__all__ = ["Block", "BlockKind", "blocks", "term_of"]

BlockKind = Literal["paragraph", "list", "table", "code", "title", "contents", "markup"]
"""`contents`: entries of a table of contents; `markup`: what a program reads, such as a label, an option, a rule."""


class Block(NamedTuple):
    """`text[start:end]` of a passage; `title`: the nearest title above it in the same text, or the term that it is set in under, empty for
    none.
    """

    kind: BlockKind
    start: int
    end: int
    title: str = ""


class _Line(NamedTuple):
    start: int
    end: int
    text: str

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_RULE = re.compile(r"\s*([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_HASHES = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_ITEM = re.compile(r"\s*(?:[-*•+‣◦]|\(?(?:\d{1,3}|[a-zA-Z]|#)[.)])\s+\S")
_BARS = re.compile(r"\s*\|.*\||.*\S +\| +\S")
_ROW = re.compile(r"\s*(?P<label>[^:;|\n]{1,60}): [^;\n]*; [^:;\n]{1,60}: ")  # of a sheet: "Boat: Tern; Length: 7 m"
_GRID = re.compile(r"\s*\+[-=+]{3,}\+\s*$|\s*=+(?: +=+)+\s*$|\s*\|?[\s:|-]*-{3,}[\s:|-]*\|[\s:|-]*$")
_DIRECTIVE = re.compile(r"\s*\.\. (?:\|[^|]+\| )?([\w:.+-]+?)::(?:\s+(.*?))?\s*$")
_COLONS = re.compile(r"\s*:{3,}(?:\s*\{.*)?$")
_COMMENT = re.compile(r"\s*\.\.(?:\s|$)")
_OPTION = re.compile(r"\s*:[\w -]+:(?:\s|$)")
_TITLED = frozenset("admonition topic sidebar rubric".split())
_CODE = frozenset(
    "code code-block sourcecode parsed-literal prompt doctest testcode testoutput highlight math productionlist".split()
)
_CONTENTS = frozenset("contents toctree sectnum index".split())
_PROMPT = re.compile(r"\s*(?:[$#%>] \S|>>> |In \[\d+\]:|C:\\)")
_LEADERS = re.compile(r"(?:\. ?){4,}\s*(?:\d+|[ivxlc]+)?\s*$|\S.*\t+\d+\s*$")
_TABLE_OF_CONTENTS = re.compile(
    r"\W*(?:(?:table of |list of )?contents|(?:on|in) this page|inhalt(?:sverzeichnis)?|sommaire|table des matières|índice|indice"
    r"|目次|目录)\W*$",
    re.IGNORECASE,
)
_TERM = re.compile(r"(?P<term>[^\n]{1,300}?):(?:\s|$)")
_NO_TERM = re.compile(  # what stands before a colon in prose
    r"\W*(?:notes?|warning|caution|tip|important|hint|(?:for )?examples?|e\.g|i\.e)\b"
    r"|.*\b(?:is|are|was|were|has|have|can|will|do|does|you|we|they|there|this|these|it|following|follows|as)\b",
    re.I,
)
_SIGNATURE = re.compile(r"\W*-|.*[\[<(|]")
_FULL_STOP = re.compile(r"[.!:。！：][\"'”’)\]*_`]*$")
_PROSE = re.compile(r"\s*(?:[*`_\"'(]*[A-Z][\w'’`*]*[,:;]?|I|A)(?: [\w'’`*(\"/-]+[,:;.)\"`*]*){2}")
_ASKS = re.compile(r"[^\n]{4,120}[?？][^\w\n?]{0,3}")
_LONGEST_TERM = 8  # words
_INSET = 2  # blanks before what is said of a term, as readers set it in; more are code
_LONGEST_ENTRY = 120  # characters of a line in a table of contents


def blocks(text: str) -> list[Block]:
    """The blocks of `text` in order. A question on a line of its own is a title, as in a list of frequent questions."""
    titled: list[Block] = []
    title = term = ""
    for kind, start, end in _contents(text, list(_Reader(text).read())):
        if kind == "paragraph" and _ASKS.fullmatch(text[start:end]):
            kind = "title"
        set_in = 0 < start - text.rfind("\n", 0, start) - 1 <= _INSET
        titled.append(Block(kind, start, end, (set_in and term) or title))
        if kind == "title":
            title, term = _shown(text[start:end]), ""
        elif kind == "paragraph":
            term = term_of(text[start:end]) or (term if set_in else "")
        elif not set_in:
            term = ""
    return titled


def term_of(paragraph: str) -> str:
    """What a paragraph defines or answers, as "--quiet: Says less." does; empty for none."""
    match = _TERM.match(paragraph)
    term = match["term"].strip(" *`_") if match else ""
    if term.endswith("?"):
        return term
    short = len(term.split()) <= _LONGEST_TERM or _SIGNATURE.match(term)
    return term if short and not _NO_TERM.match(term) else ""


class _Reader:
    """Reads lines into blocks; `place` is the next line."""

    def __init__(self, text: str) -> None:
        self.lines: list[_Line] = []
        start = 0
        for line in text.split("\n"):
            self.lines.append(_Line(start, start + len(line.rstrip()), line.rstrip()))
            start += len(line) + 1
        self.place = 0
        self.literal = False  # the last paragraph ended with "::"
        self.inside = 0  # the indentation of the directive's body that is read

    def read(self) -> Iterator[tuple[BlockKind, int, int]]:
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if not line.text.strip():
                self.place += 1
                continue
            if line.indent < self.inside:
                self.inside = 0
            begin, kind = self.place, self._kind(line)
            last = next(other for other in reversed(self.lines[begin : self.place]) if other.text.strip())
            self.literal = kind == "paragraph" and last.text.endswith("::")
            yield kind, line.start + line.indent, last.end

    def _kind(self, line: _Line) -> BlockKind:
        """The kind of the block that begins at this line; afterwards `place` is behind it."""
        if fence := _FENCE.match(line.text):
            return self._fenced(fence[1])
        if (self.literal and line.indent > self.inside) or self._prompts(line):
            return self._indented(line.indent, "code")
        if directive := _DIRECTIVE.match(line.text):
            return self._directive(line, directive[1].rpartition(":")[2].lower(), directive[2] or "")
        if _COLONS.match(line.text):
            self.place += 1
            return "markup"
        if _COMMENT.match(line.text):
            return self._indented(line.indent + 1, "markup")
        if (kind := self._heading(line)) is not None:
            return kind
        if _GRID.match(line.text) or (_BARS.match(line.text) and self._next_is(_BARS, _GRID)):
            return self._table()
        if (row := _ROW.match(line.text)) and self._next_is(_row_of(row["label"])):
            return self._rows(_row_of(row["label"]))
        if _OPTION.match(line.text) and self.inside:
            self.place += 1
            return "markup"
        if _ITEM.match(line.text):
            return self._list(line)
        if line.indent >= self.inside + 4 and not _PROSE.match(line.text):
            return self._indented(line.indent, "code")
        return self._paragraph()

    def _fenced(self, fence: str) -> BlockKind:
        self.place += 1
        while self.place < len(self.lines) and not self.lines[self.place].text.strip().startswith(fence):
            self.place += 1
        self.place = min(self.place + 1, len(self.lines))
        return "code"

    def _heading(self, line: _Line) -> BlockKind | None:
        if _HASHES.match(line.text):
            self.place += 1
            return "title"
        if _RULE.match(line.text):
            overline = self.place + 2 < len(self.lines) and _RULE.match(self.lines[self.place + 2].text)
            self.place += 3 if overline and self.lines[self.place + 1].text.strip() else 1
            return "title" if overline else "markup"
        if self._next_is(_RULE) and not _ITEM.match(line.text) and len(line.text) <= _LONGEST_ENTRY:
            self.place += 2
            return "title"
        return None

    def _directive(self, line: _Line, name: str, argument: str) -> BlockKind:
        if name in _CODE:
            return self._indented(line.indent + 1, "code")
        if name in _CONTENTS:
            return self._indented(line.indent + 1, "contents")
        self.place += 1
        body = next((other for other in self.lines[self.place :] if other.text.strip()), None)
        self.inside = body.indent if body is not None and body.indent > line.indent else 0
        return "title" if name in _TITLED and argument else "markup"

    def _indented(self, indent: int, kind: BlockKind) -> BlockKind:
        """This line and those after it that are indented as far, empty lines between them too."""
        self.place += 1
        last = self.place
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if line.text.strip():
                if line.indent < indent:
                    break
                last = self.place + 1
            self.place += 1
        self.place = last
        return kind

    def _list(self, first: _Line) -> BlockKind:
        """Items and what is indented under them; an empty line does not end a list that goes on."""
        self.place += 1
        last, empty = self.place, False
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if not line.text.strip():
                empty = True
            elif line.indent < first.indent or (
                empty
                and line.indent == first.indent
                and not (_ITEM.match(line.text) and _marker(line) == _marker(first))
            ):
                break
            else:
                last, empty = self.place + 1, False
            self.place += 1
        self.place = last
        return "list"

    def _table(self) -> BlockKind:
        while self.place < len(self.lines):
            line = self.lines[self.place].text
            ruled = _GRID.match(line) is not None
            if not line.strip() or not (ruled or "|" in line or _ruled_table(self.lines, self.place)):
                break
            self.place += 1
        return "table"

    def _rows(self, row: re.Pattern[str]) -> BlockKind:
        while self.place < len(self.lines) and row.match(self.lines[self.place].text):
            self.place += 1
        return "table"

    def _paragraph(self) -> BlockKind:
        indent = self.lines[self.place].indent
        self.place += 1
        while self.place < len(self.lines):
            line = self.lines[self.place]
            if (
                not line.text.strip()
                or _FENCE.match(line.text)
                or (_ITEM.match(line.text) and line.indent >= indent and not line.text.lstrip()[0].isalpha())
                or _HASHES.match(line.text)
                or _RULE.match(line.text)
            ):
                break
            self.place += 1
        return "paragraph"

    def _prompts(self, line: _Line) -> bool:
        return bool(_PROMPT.match(line.text)) and (line.indent > self.inside or line.text.startswith((">>> ", "$ ")))

    def _next_is(self, *patterns: re.Pattern[str]) -> bool:
        following = self.lines[self.place + 1].text if self.place + 1 < len(self.lines) else ""
        return bool(following.strip()) and any(pattern.match(following) for pattern in patterns)


def _row_of(label: str) -> re.Pattern[str]:
    """A line that begins with the name of the same column."""
    return re.compile(rf"\s*{re.escape(label.strip())}: ")


def _marker(line: _Line) -> str:
    """What kind of bullet or number an item has."""
    sign = line.text.lstrip()[:1]
    return "1" if sign.isdigit() or sign == "(" else sign


def _ruled_table(lines: Sequence[_Line], place: int) -> bool:
    """Whether a line stands between rules of "=== ===", as in a simple table of reStructuredText."""
    before = any(_GRID.match(line.text) for line in lines[max(0, place - 40) : place])
    return before and any(_GRID.match(line.text) for line in lines[place : place + 40])


def _contents(text: str, read: list[tuple[BlockKind, int, int]]) -> Iterator[tuple[BlockKind, int, int]]:
    """The blocks, with those that are entries of a table of contents called so."""
    listing = False
    for kind, start, end in read:
        words = text[start:end]
        if _TABLE_OF_CONTENTS.match(words):
            listing = True
            yield "contents", start, end
        elif kind in ("paragraph", "list") and ((listing and _entries(words)) or _leaders(words)):
            yield "contents", start, end
        else:
            listing = listing and kind == "markup"
            yield kind, start, end


def _entries(words: str) -> bool:
    """Whether all lines are short and none ends as a sentence does."""
    return all(len(line) <= _LONGEST_ENTRY and not _FULL_STOP.search(line) for line in words.split("\n"))


def _leaders(words: str) -> bool:
    """Whether most lines end with dots and the number of a page."""
    lines = [line for line in words.split("\n") if line.strip()]
    return 2 * sum(_LEADERS.search(line) is not None for line in lines) > len(lines)


def _shown(title: str) -> str:
    """A title as it is read: without its underline, its number signs, or the name of its directive."""
    lines = [line.strip() for line in title.split("\n") if not _RULE.match(line)]
    line = lines[0] if lines else ""
    if directive := _DIRECTIVE.match(line):
        return (directive[2] or "").strip()
    return heading[1] if (heading := _HASHES.match(line)) else line
