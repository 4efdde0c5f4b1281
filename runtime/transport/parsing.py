"""Reading what language models write: JSON, numbered lines, tags; tolerant of what they usually get wrong.

The rule: small slips (fences, prose around, trailing commas, single quotes, a missing `>`) are forgiven; what cannot
be read without guessing (a reply that was cut off, two meanings for one number) is a `CallFailed` that says why, in
words that can be shown to the model in a second try.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from ..errors import CallFailed
from ..text import json_of, lines_of

__all__ = ["entries_before_cut", "json_from", "numbered_from", "tags_from"]

_MAX_DEPTH = 100
_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_OPEN_NUMBER = re.compile(r"-?(?:\d[\d.eE+-]*)?\Z")
_WORD = re.compile(r"[A-Za-z_]\w*")
_ROW = re.compile(r"^\W{0,4}?\(?(\d{1,6})(?:\*\*)?\s*[|.):](.*)$", re.DOTALL)


def json_from(text: str) -> Any:
    """The JSON value in a reply: the whole reply, or the longest object or array in it.

    Raises `CallFailed` when there is none, or when it is cut off.
    """
    stripped = text.strip()
    try:
        return json_of(stripped, constants=False)
    except ValueError:
        pass
    cut = False
    for part in [match[1] for match in _FENCE.finditer(text)] + [text]:
        found, part_cut = _longest(part)
        if found is not None:
            return found[0]
        cut = cut or part_cut
    if cut:
        _fail("the JSON is cut off before its end; write it shorter, or allow more tokens", text)
    _fail("there is no JSON object or array in it", text)


def entries_before_cut(text: str) -> list[Any]:
    """The whole entries of the array in which a reply was cut off; [] where none was."""
    at = 0
    while (start := text.find("[", at)) >= 0:
        reader, entries = _Reader(text, start), list[Any]()
        try:
            for entry in reader.entries(0):
                entries.append(entry)
        except _CutOff:
            return entries
        except ValueError:
            at = start + 1
            continue
        at = reader.at
    return []


def numbered_from(text: str, *, fields: int = 1) -> dict[int, tuple[str, ...]]:
    """The lines `1 | a | b` (also `1. a`, `1) a`, `- 1: a`) as number -> fields; other lines are passed over.

    `fields` is how many follow the number; the last one takes the rest of the line, bars and all.
    Raises `CallFailed` when there is no such line, a line has too few fields, or one number has two meanings.
    """
    rows: dict[int, tuple[str, ...]] = {}
    for line in lines_of(text):
        match = _ROW.match(line)
        if match is None:
            continue
        number = int(match[1])
        # stripped here and not by the expression, whose time would grow with the cube of the blanks in a line
        row = tuple(part.strip() for part in match[2].strip().removesuffix("|").split("|", fields - 1))
        if len(row) < fields or not all(row):
            _fail(f"the line {line.strip()!r} must have {fields} part(s) after its number, separated by |", text)
        if rows.setdefault(number, row) != row:
            _fail(f"the number {number} is there twice with different contents", text)
    if not rows:
        _fail("there is no line of the form `1 | ...` in it", text)
    return rows


def tags_from(text: str, tag: str) -> list[str]:
    """What stands between `<TAG>` and `</TAG>`, in order, without the empty ones; [] when the tag is not there.

    Tolerated: lower case, blanks inside, a missing `>`, a missing or wrong closing tag (the text then ends at the next
    tag, or at the end of the reply). Blanks and line ends within the text become one blank.
    """
    mark = re.compile(rf"<\s*(?P<close>/?)\s*{re.escape(tag)}\b\s*>?", re.IGNORECASE)
    found = []
    marks = list(mark.finditer(text))
    for place, here in enumerate(marks):
        end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
        inner = " ".join(text[here.end() : end].split())
        if not here["close"] and inner:
            found.append(inner)
    return found


def _fail(problem: str, text: str) -> NoReturn:
    shown = text.strip()
    shown = shown if len(shown) <= 300 else f"{shown[:200]} ... {shown[-80:]}"
    raise CallFailed(f"the reply cannot be read: {problem}. The reply was {shown!r}")


def _longest(text: str) -> tuple[tuple[Any] | None, bool]:
    """The longest object or array in `text` (in a tuple, as None is a value), and whether one was cut off."""
    best: tuple[Any] | None = None
    longest, at = 0, 0
    while (start := _next_start(text, at)) >= 0:
        reader = _Reader(text, start)
        try:
            value = reader.value(0)
        except _CutOff:
            return best, best is None  # what is inside of a cut-off value is not the reply
        except ValueError:
            at = start + 1
            continue
        at = reader.at
        if at - start > longest:
            best, longest = (value,), at - start
    return best, False


def _next_start(text: str, at: int) -> int:
    starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
    return min(starts, default=-1)


class _CutOff(Exception):
    """The text ended inside of a value."""


class _Reader:
    """A JSON reader that also takes single quotes, bare keys, Python's literals, trailing commas, raw line ends."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("too deep")
        sign = self._peek()
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return list(self.entries(depth))
        if sign in "\"'":
            return self._string()
        if _OPEN_NUMBER.match(self.text, self.at):
            raise _CutOff  # there may be more digits
        if match := _NUMBER.match(self.text, self.at):
            self.at = match.end()
            return json.loads(match[0])
        word = self._word()
        if word.lower() not in _WORDS:
            raise ValueError(f"unknown word {word!r}")
        return _WORDS[word.lower()]

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        result: dict[str, Any] = {}
        while self._peek() != "}":
            key = self._string() if self._peek() in "\"'" else self._word()
            self._take(":")
            result[key] = self.value(depth + 1)
            if self._peek() != "}":
                self._take(",")
        self.at += 1
        return result

    def entries(self, depth: int) -> Iterator[Any]:
        """The entries of an array, each as soon as it is read whole."""
        self.at += 1
        while self._peek() != "]":
            yield self.value(depth + 1)
            if self._peek() != "]":
                self._take(",")
        self.at += 1

    def _string(self) -> str:
        quote = self.text[self.at]
        pieces: list[str] = []
        place = self.at + 1
        while place < len(self.text):
            sign = self.text[place]
            if sign == quote:
                self.at = place + 1
                return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if sign == "\\":
                place += 1
                escaped = self.text[place : place + 1]
                if escaped == "u":
                    digits = self.text[place + 1 : place + 5]
                    if len(digits) < 4:
                        raise _CutOff
                    pieces.append(chr(int(digits, 16)))
                    place += 4
                elif escaped:
                    pieces.append(_ESCAPES.get(escaped, escaped))
            else:
                pieces.append(sign)
            place += 1
        raise _CutOff

    def _word(self) -> str:
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise ValueError(f"unexpected {self.text[self.at : self.at + 1]!r}")
        self.at = match.end()
        if self.at == len(self.text):
            raise _CutOff
        return match[0]

    def _peek(self) -> str:
        """The next sign that is no blank."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        if self.at == len(self.text):
            raise _CutOff
        return self.text[self.at]

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise ValueError(f"expected {sign!r}, found {self.text[self.at]!r}")
        self.at += 1
