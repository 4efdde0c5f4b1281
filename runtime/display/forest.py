"""A forest plot: a line for each of several estimates, with its interval. What is drawn of it in HTML and with matplotlib alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .words import signed

__all__ = ["Forest", "Interval"]

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0)
_TICKS = 6


class Interval(NamedTuple):
    """One estimate; `low` and `high` are the ends of its interval, None where it has none. `value` None: it was not measured.

    `main`: the one that the others are there to be compared with.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    main: bool = False

    @classmethod
    def of(cls, name: str, value: float | None, ends: tuple[float, float] | None, *, main: bool = False) -> Interval:
        """An estimate with the ends of its interval in one; None where it has none."""
        low, high = ends or (None, None)
        return cls(name, value, low, high, main)


class Line(NamedTuple):
    """One estimate as it is drawn: places are percent of the width."""

    name: str
    main: bool
    place: float | None
    start: float | None
    width: float | None
    words: str


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Estimates that can be compared.

    Args:
        title: what was measured, in which unit, and what the intervals are.
        rows: in the order in which they are shown.
        gains: they are differences: 0 is on the plot, and numbers have their sign.
        digits: after the decimal point.
    """

    title: str
    rows: tuple[Interval, ...]
    gains: bool = True
    digits: int = 1

    @property
    def span(self) -> tuple[float, float]:
        """The least and the greatest value on the plot, with some room."""
        ends = [end for row in self.rows for end in (row.value, row.low, row.high) if end is not None]
        ends += [0.0] if self.gains or not ends else []
        low, high = min(ends), max(ends)
        room = (high - low) * 0.06 or 1.0
        return low - room, high + room

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Places in percent of the width, with their numbers."""
        low, high = self.span
        step = next((step for step in _STEPS if (high - low) / step <= _TICKS), _STEPS[-1])
        first = int(-(-low // step))
        values = [place * step for place in range(first, first + _TICKS + 1) if place * step <= high]
        return tuple((self.place(value), f"{value:g}".replace("-", "−")) for value in values)

    @property
    def zero(self) -> float | None:
        """Where 0 is, in percent of the width; None where it is not on the plot."""
        low, high = self.span
        return self.place(0.0) if low <= 0 <= high and self.gains else None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The estimates as they are drawn."""
        return tuple(self._line(row) for row in self.rows)

    def place(self, value: float) -> float:
        """Where a value is, in percent of the width."""
        low, high = self.span
        return round(100 * (value - low) / (high - low), 2)

    def number(self, value: float) -> str:
        """A value in words."""
        if self.gains and self.digits == 1:
            return signed(value)
        return f"{value:{'+' if self.gains else ''}.{self.digits}f}".replace("-", "−")

    def words(self, row: Interval) -> str:
        """An estimate in words: "+4.2 (+1.0 to +7.3)"."""
        if row.value is None:
            return "not scored"
        if row.low is None or row.high is None:
            return self.number(row.value)
        return f"{self.number(row.value)} ({self.number(row.low)} to {self.number(row.high)})"

    def _line(self, row: Interval) -> Line:
        start = None if row.low is None else self.place(row.low)
        end = None if row.high is None else self.place(row.high)
        return Line(
            name=row.name,
            main=row.main,
            place=None if row.value is None else self.place(row.value),
            start=start,
            width=None if start is None or end is None else round(end - start, 2),
            words=self.words(row),
        )
