"""The words of a printed page in the order of reading: letters with their places make pieces of lines, these columns and lines.

Columns are found as people see them: a strip that stays empty beside line after line of running text (recursive XY cut,
Nagy and Seth 1984, with the test that both sides are prose; what is aligned but no prose is a table, and read row by row).

Coordinates are PDF's: points, from the lower left corner.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..scripts import word_count

__all__ = ["Letter", "Line", "lines_of"]

_BREAK = 0.7  # a wider gap than this, in heights of letters, begins a new piece of a line
_CELL = 1.5  # and this one a new cell, where the line beside it has cells too
_FEWEST = 3  # lines on either side of a strip that parts columns
_PROSE = 3  # words of a usual line of running text, at least
_GAP, _WIDE_GAP, _MORE = 0.6, 1.1, 0.3
"""Heights of letters between two lines: below the first a paragraph goes on, beyond the second it has ended, and between them it
has where there is this much more than usual."""


class Letter(NamedTuple):
    """A letter as it stands on the page; `height` is that of its font, whatever the letter."""

    sign: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass
class _Piece:
    """A stretch of a line without a wide gap."""

    text: str
    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass
class Line:
    """A line in the order of reading; `begins` says that a paragraph begins with it, `cells` that it is a row of a table."""

    text: str
    height: float
    bottom: float
    top: float
    left: float
    begins: bool = False
    cells: tuple[str, ...] = field(default=())


def lines_of(letters: Iterable[Letter]) -> list[Line]:
    """The lines of a page in the order of reading; empty where the letters do not stand in lines (turned or upright text)."""
    pieces = _pieces(letters)
    if len(pieces) > 20 and statistics.median(len(piece.text) for piece in pieces) < 2:
        return []
    return _ordered(_rows(pieces))


def _pieces(letters: Iterable[Letter]) -> list[_Piece]:
    """Letters that follow each other on one line; the reader of the file puts line ends and blanks between words."""
    pieces: list[_Piece] = []
    signs: list[Letter] = []

    def end() -> None:
        shown = [letter for letter in signs if not letter.sign.isspace()]
        if shown:
            pieces.append(
                _Piece(
                    "".join(letter.sign for letter in signs).strip(),
                    min(letter.left for letter in shown),
                    statistics.median(letter.bottom for letter in shown),
                    max(letter.right for letter in shown),
                    statistics.median(letter.top for letter in shown),
                )
            )
        signs.clear()

    before: Letter | None = None
    for letter in letters:
        if letter.sign in "\r\n":
            end()
            before = None
            continue
        if letter.sign.isspace():
            if signs:
                signs.append(letter)
            continue
        if before is not None:
            size = max(before.height, letter.height, 1.0)
            gap = max(letter.left - before.right, before.left - letter.right)  # the second one: from right to left
            level = min(before.top, letter.top) - max(before.bottom, letter.bottom)
            if gap > _BREAK * size or level < 0.3 * min(before.height, letter.height):
                end()
        signs.append(letter)
        before = letter
    end()
    return pieces


def _rows(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces on one level, from left to right; rows from the top."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (-piece.middle, piece.left)):
        row = rows[-1] if rows else []
        # a small one (a raised number) belongs to the row whose height its middle is in
        if row and any(other.bottom < piece.middle < other.top for other in row):
            row.append(piece)
        else:
            rows.append([piece])
    return [sorted(row, key=lambda piece: piece.left) for row in rows]


def _ordered(rows: list[list[_Piece]]) -> list[Line]:
    columns = _columns(rows)
    if columns is None:
        return _joined(rows)
    first, last, strip = columns
    inside = [piece for row in rows[first:last] for piece in row]
    left = _rows([piece for piece in inside if piece.right <= strip])
    right = _rows([piece for piece in inside if piece.right > strip])
    parts = [_ordered(part) for part in (rows[:first], left, right, rows[last:]) if part]
    for part in parts[1:]:
        part[0].begins = True
    return [line for part in parts for line in part]


def _columns(rows: list[list[_Piece]]) -> tuple[int, int, float] | None:
    """The rows (first, last) beside which a strip stays empty with running text on both sides, and where the strip is."""
    best: tuple[int, int, int, float] | None = None
    tried: set[tuple[int, int]] = set()
    for place, row in enumerate(rows):
        for one, other in itertools.pairwise(row):
            low, high = one.right, other.left
            if (round(low), round(high)) in tried or high - low < _BREAK * min(one.height, other.height):
                continue
            tried.add((round(low), round(high)))
            first, last, (low, high) = _beside(rows, place, (low, high))
            nearest = [
                max(near, key=lambda piece: piece.right)
                for each in rows[first:last]
                if (near := [p for p in each if p.right <= low])
            ]
            following = [
                min(near, key=lambda piece: piece.left)
                for each in rows[first:last]
                if (near := [p for p in each if p.left >= high])
            ]
            if min(len(nearest), len(following)) >= _FEWEST and _is_prose(nearest) and _is_prose(following):
                size = len(nearest) + len(following)
                if best is None or size > best[0]:
                    best = size, first, last, (low + high) / 2
    return best[1:] if best else None


def _beside(rows: list[list[_Piece]], place: int, strip: tuple[float, float]) -> tuple[int, int, tuple[float, float]]:
    """How far up and down from a row the strip stays empty, narrowed where that keeps at least half a letter of it."""
    low, high = strip
    least = 0.5 * rows[place][0].height

    def narrowed(row: list[_Piece]) -> bool:
        nonlocal low, high
        left = max((piece.right for piece in row if piece.left < low), default=low)
        right = min((piece.left for piece in row if piece.right > high), default=high)
        if any(low <= piece.left and piece.right <= high for piece in row):
            return False
        if min(high, right) - max(low, left) < least:
            return False
        low, high = max(low, left), min(high, right)
        return True

    first, last = place, place + 1
    while first > 0 and narrowed(rows[first - 1]):
        first -= 1
    while last < len(rows) and narrowed(rows[last]):
        last += 1

    def parted(row: list[_Piece]) -> bool:
        return any(piece.right <= low for piece in row) and any(piece.left >= high for piece in row)

    while not parted(rows[first]):  # what stands above the columns on one side alone is a heading of the page
        first += 1
    return first, last, (low, high)


def _is_prose(pieces: Sequence[_Piece]) -> bool:
    """Whether these are lines of running text: of several words, and most about as long as the longest."""
    width = max(piece.right for piece in pieces) - min(piece.left for piece in pieces)
    words = statistics.median(word_count(piece.text) for piece in pieces)
    return words >= _PROSE and statistics.median(piece.right - piece.left for piece in pieces) >= 0.5 * width


def _joined(rows: list[list[_Piece]]) -> list[Line]:
    lines: list[Line] = []
    cells = [_cells(row) for row in rows]
    for place, row in enumerate(rows):
        beside = max((len(cells[near]) for near in (place - 1, place + 1) if 0 <= near < len(rows)), default=1)
        is_row = len(cells[place]) > 1 and beside > 1
        height = max(row, key=lambda piece: len(piece.text)).height
        line = Line(
            text=" | ".join(cells[place]) if is_row else " ".join(piece.text for piece in row),
            height=height,
            bottom=min(piece.bottom for piece in row),
            top=max(piece.top for piece in row),
            left=row[0].left,
            cells=tuple(cells[place]) if is_row else (),
        )
        if lines:
            above = lines[-1]
            size = min(above.height, line.height)
            line.begins = max(above.height, line.height) > 1.12 * size or bool(above.cells) != is_row
        else:
            line.begins = True
        lines.append(line)
    gaps = [(above.bottom - line.top) / max(line.height, 1.0) for above, line in itertools.pairwise(lines)]
    usual = statistics.median(gaps) if gaps else 0.0
    widest = min(max(_GAP, usual + _MORE), _WIDE_GAP)
    for line, gap in zip(lines[1:], gaps, strict=True):
        line.begins = line.begins or gap > widest
    return lines


def _cells(row: list[_Piece]) -> list[str]:
    cells: list[str] = []
    right = None
    for piece in row:
        if right is not None and piece.left - right < _CELL * piece.height:
            cells[-1] += f" {piece.text}"
        else:
            cells.append(piece.text)
        right = max(piece.right, right or piece.right)
    return cells
