"""Numbers, dates and times of a text as intervals, so that one can lie in another, beside it, or neither.

"about 40", "more than 40" and "41" are intervals of one scale, "2021", "May 2021" and "12 May 2021" of another. An interval of a
source bears out one of a statement where it lies in it, and speaks against it where the two have nothing in common.

English words; digits of any text. Units are compared by name and are not converted.
"""

from __future__ import annotations

import calendar
import datetime
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .units import MEASURES, agree, rate_after, unit_after

__all__ = ["Quantity", "quantities"]

Scale = Literal["number", "date", "day of the year", "time"]


@dataclass(frozen=True)
class Quantity:
    """A number, a date or a time, at `text[start:end]`: everything from `low` to `high`.

    A date is counted in days, a day of the year as month and day (512: 12 May), a time in minutes after midnight. `unit`: of a number,
    by one name for each unit; of a word that is none, the word; "" where nothing follows. `otherwise`: what a date like 4/5/2021
    says where the month comes first. `limit`: it was said with "up to". `rate`: per what
    it is, as "hour" of "3 litres an hour".
    """

    scale: Scale
    low: float
    high: float
    start: int
    end: int
    text: str
    unit: str = ""
    otherwise: tuple[float, float] | None = None
    limit: bool = False
    rate: str = ""

    def same_kind(self, other: Quantity, *, counted: bool = True) -> bool:
        """Whether the two can be compared: of one scale, and numbers of one unit as far as both have one.

        Without `counted` the things that are counted may have other names, as "134 people" and "134 employees"; units may not.
        """
        if self.rate and other.rate and self.rate != other.rate:
            return False
        if self.scale != other.scale or agree(self.unit, other.unit):
            return self.scale == other.scale
        return not counted and self.unit not in MEASURES and other.unit not in MEASURES

    def within(self, other: Quantity, *, counted: bool = True) -> bool:
        """Whether it says at least what the other says. A limit ("up to 15") is borne out by itself alone: 5 are not up to 15."""
        if not self.same_kind(other, counted=counted):
            return False
        if other.limit and abs(self.high - other.high) > _LITTLE:
            return False
        return any(
            low <= mine_low + _LITTLE and mine_high <= high + _LITTLE
            for low, high in other._readings
            for mine_low, mine_high in self._readings
        )

    def apart(self, other: Quantity) -> bool:
        """Whether both cannot be so."""
        return self.same_kind(other) and all(
            mine_high < low - _LITTLE or high < mine_low - _LITTLE
            for low, high in other._readings
            for mine_low, mine_high in self._readings
        )

    @property
    def _readings(self) -> tuple[tuple[float, float], ...]:
        return ((self.low, self.high),) if self.otherwise is None else ((self.low, self.high), self.otherwise)


_LITTLE = 1e-9
_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(sorted([*_MONTHS, *(name[:3] for name in _MONTHS), "sept"], key=len, reverse=True))
_YEAR = r"(?P<year>1[0-9]{3}|20[0-9]{2})"
_DAY = r"(?P<day>3[01]|[12][0-9]|0?[1-9])(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?<![\d./-]){_YEAR}([-/])(?P<number>1[0-2]|0[1-9])\2(?P<day>3[01]|[12][0-9]|0[1-9])(?!\d)",
        rf"(?<![\d./])(?P<day>3[01]|[12][0-9]|0?[1-9])/(?P<number>3[01]|[12][0-9]|0?[1-9])/{_YEAR}(?!\d)",
        rf"(?<![\d./])(?P<number>1[0-2]|0?[1-9])/{_YEAR}(?![\d/])",
        rf"(?<![\d.])(?P<day>3[01]|[12][0-9]|0?[1-9])\.\s?(?P<number>1[0-2]|0?[1-9])\.\s?{_YEAR}(?!\d)",
        rf"\b{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH})\b\.?,?\s+{_YEAR}(?!\d)",
        rf"\b(?P<month>{_MONTH})\b\.?\s+{_DAY},?\s+{_YEAR}(?!\d)",
        rf"\b(?P<month>{_MONTH})\b\.?,?\s+{_YEAR}(?!\d)",
        rf"\b{_DAY}\s+(?:of\s+)?(?P<month>{_MONTH})\b",
        rf"\b(?P<month>{_MONTH})\b\.?\s+{_DAY}(?![\d%])",
        rf"(?-i:\b(?P<month>{'|'.join(name.title() for name in _MONTHS)})\b)",  # "may" is no month
        r"\b(?P<decade>1[0-9]{2}0|20[0-9]0)s\b",
        r"\b(?P<century>[12]?[0-9])(?:st|nd|rd|th)[\s-]century\b",
        rf"(?<![\d.,$€£-]){_YEAR}(?![\d%]|[.,]\d|[\s-]*(?:years?|per|percent|[a-z]?m\b|km|kg|ft|tons?|tonnes?))",
    )
)
_TIME = re.compile(
    r"\b(?P<hour>1?[0-9]|2[0-3])(?:[:.](?P<minute>[0-5][0-9]))?\s?(?P<half>[ap])\.?m\b\.?"
    r"|(?<![\d:])(?P<hour24>[01]?[0-9]|2[0-3]):(?P<minute24>[0-5][0-9])(?![\d:])",
    re.IGNORECASE,
)
_ONES = {
    name: value
    for value, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
        " nineteen".split()
    )
}
_TENS = {
    name: 10 * value
    for value, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SPOKEN_TIME = re.compile(
    r"\b(?:at|by|to|from|before|after|until|since)\s(?P<clock>(?:(?P<part>half|(?:a\s)?quarter)\s(?P<side>past|to)\s)?"
    rf"(?P<hour>1[0-2]|[1-9]|{'|'.join(list(_ONES)[1:13])})(?:\so['’]clock)?\sin\sthe\s(?P<half>morning|afternoon|evening))\b",
    re.IGNORECASE,
)
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "m": 1e6, "bn": 1e9}
_SPELT = "|".join(sorted([*_ONES, *_TENS, "hundred", "thousand", "million", "billion", "dozen"], key=len, reverse=True))
_NUMBER = re.compile(
    r"(?P<sign>[$€£]\s?|\b(?:EUR|USD|GBP|CHF|SEK|NOK|DKK|JPY)\s)?(?<![\w.])(?<![A-Za-z][-–])"
    r"(?P<digits>[-−+]?\d{1,3}(?:[,\u00a0\u202f' ]\d{3})+(?!\d)(?:\.\d+)?|[-−+]?\d+(?:\.\d+)?)"
    r"(?:(?=[a-z%°]|\s|-)[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|bn)\b)?(?P<percent>\s?(?:%|‰))?"
    rf"|\b(?P<spelt>(?:{_SPELT})(?:[\s-](?:and\s)?(?:{_SPELT}))*)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?P<over>more than|over|above|at least|no fewer than|no less than|exceed(?:s|ed|ing)?|greater than|minimum of)\s*$"
    r"|(?P<under>less than|fewer than|under|below|at most|up to|no more than|maximum of)\s*$"
    r"|(?P<about>about|around|approximately|some|roughly|nearly|almost|circa|c\.|ca\.|~)\s*$",
    re.IGNORECASE,
)
_OR_MORE = re.compile(
    r"\s+(?:old\s+)?or\s+(?:(?P<more>more|older|longer|over|above|higher|larger|later|greater)|less|fewer|younger|under|below|shorter|lower)\b",
    re.IGNORECASE,
)
_NO_NUMBER_BEFORE = re.compile(r"\b(?:no|each|any|this|that|which|every|another|the|some)[\s-]$", re.IGNORECASE)
_NO_NUMBER_AFTER = re.compile(
    r"[\s-]way\b|\s(?:another|must|may|can|cannot|could|should|would|will|has to|needs?|is to|might|who)\b|['’]s\b",
    re.IGNORECASE,
)
_SIDE = re.compile(r"\b(?:(?P<before>before|prior to|earlier than)|after|later than)\s*$", re.IGNORECASE)
_INCLUSIVE = {
    "at least", "no fewer than", "no less than", "minimum of", "at most", "up to", "no more than", "maximum of",
}  # fmt: skip
_ABOUT = 0.1  # "about 40" is 36 to 44


def quantities(text: str) -> list[Quantity]:
    """The numbers, dates and times of `text`, in order; none is in another. Numbers in names ("p53", "COX-2") are left out."""
    taken: list[Quantity] = []
    for quantity in (*_dates(text), *_times(text), *_spoken_times(text), *_numbers(text)):
        if all(quantity.end <= other.start or other.end <= quantity.start for other in taken):
            taken.append(quantity)
    return sorted(taken, key=lambda quantity: quantity.start)


def _dates(text: str) -> Iterator[Quantity]:
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            if [name for name, part in parts.items() if part] == ["year"] and unit_after("", text, match.end())[
                1
            ] > match.end():
                continue  # 2019 metres
            if parts.get("century"):
                year = 100 * (int(parts["century"]) - 1)
                first, last = _day(year + 1, 1, 1), _day(year + 100, 12, 31)
            elif parts.get("decade"):
                first, last = _day(int(parts["decade"]), 1, 1), _day(int(parts["decade"]) + 9, 12, 31)
            else:
                span = _calendar(parts)
                if span is None:
                    continue
                first, last = span
            scale: Scale = (
                "date" if any(parts.get(name) for name in ("year", "decade", "century")) else "day of the year"
            )
            side = _SIDE.search(text[: match.start()])
            if side is not None:
                first, last = (-math.inf, first - 1) if side["before"] else (last + 1, math.inf)
            start = match.start() if side is None else side.start()
            otherwise = None if side is not None else _month_first(match, parts)
            yield Quantity(scale, first, last, start, match.end(), text[start : match.end()], otherwise=otherwise)


def _month_first(match: re.Match[str], parts: dict[str, str | None]) -> tuple[float, float] | None:
    """What 4/5/2021 says in America."""
    if match[0].count("/") != 2 or match[0].startswith(parts.get("year") or "-"):
        return None
    return _calendar({**parts, "day": parts["number"], "number": parts["day"]})


def _calendar(parts: dict[str, str | None]) -> tuple[float, float] | None:
    """The first and the last day of a date in parts; None for one that there is not, as 31 April."""
    named = (parts.get("month") or "").lower()
    month = _MONTHS.index(next(name for name in _MONTHS if name[:3] == named[:3])) + 1 if named else 0
    month = month or int(parts.get("number") or 0)
    day = int(parts.get("day") or 0)
    if month > 12:  # the month came first
        month, day = day, month
    if month > 12:
        return None
    if not parts.get("year"):
        return 100.0 * month + (day or 1), 100.0 * month + (day or 31)
    year = int(parts["year"] or 0)
    longest = calendar.monthrange(year, month or 12)[1]
    if day > longest:
        return None
    return _day(year, month or 1, day or 1), _day(year, month or 12, day or longest)


def _day(year: int, month: int, day: int) -> float:
    return float(datetime.date(max(year, 1), month, day).toordinal())


def _times(text: str) -> Iterator[Quantity]:
    for match in _TIME.finditer(text):
        if match["hour24"]:
            minutes = 60 * int(match["hour24"]) + int(match["minute24"])
        else:
            hour = int(match["hour"]) % 12 + (12 if match["half"].lower() == "p" else 0)
            minutes = 60 * hour + int(match["minute"] or 0)
        yield Quantity("time", minutes, minutes, match.start(), match.end(), match[0])


def _spoken_times(text: str) -> Iterator[Quantity]:
    """Times as "half past seven in the evening"."""
    for match in _SPOKEN_TIME.finditer(text):
        hour = _ONES.get(match["hour"].lower()) or int(match["hour"])
        minutes = 60 * (hour % 12 + (0 if match["half"].lower() == "morning" else 12))
        part = (30 if match["part"].lower() == "half" else 15) if match["part"] else 0
        minutes += -part if (match["side"] or "").lower() == "to" else part
        yield Quantity("time", minutes, minutes, match.start("clock"), match.end(), match["clock"])


def _numbers(text: str) -> Iterator[Quantity]:
    for match in _NUMBER.finditer(text):
        if re.match(r"\.\d", text[match.end() :]):
            continue  # a version is a name
        if match["spelt"]:
            value = _spelt(match["spelt"])
        else:
            digits = re.sub(r"[,\u00a0\u202f' ]", "", match["digits"]).replace("−", "-")
            value = float(digits) * _SCALES.get((match["scale"] or "").lower(), 1.0)
        if match[0].lower() == "one" and (
            _NO_NUMBER_BEFORE.search(text[: match.start()]) or _NO_NUMBER_AFTER.match(text, match.end())
        ):
            continue  # "no one", "one must"
        low, high, start = _span(value, text, match.start())
        limit = "up to" in text[start : match.start()].lower()
        unit, end = unit_after((match["sign"] or "").strip() or (match["percent"] or "").strip(), text, match.end())
        if low == high and (side := _OR_MORE.match(text, end)):  # "nine years or more"
            low, high, end = (value, math.inf, side.end()) if side["more"] else (-math.inf, value, side.end())
        yield Quantity(
            "number", low, high, start, end, text[start:end].strip(), unit, limit=limit, rate=rate_after(text, end)
        )


def _spelt(text: str) -> float:
    """The value of a number in words, as "two hundred and five" and "twenty-one"."""
    total = current = 0.0
    for word in re.split(r"[\s-]+", text.lower()):
        if word in _ONES or word in _TENS:
            current += _ONES.get(word, 0) + _TENS.get(word, 0)
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word == "dozen":
            current = max(current, 1) * 12
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0.0
    return total + current


def _span(value: float, text: str, start: int) -> tuple[float, float, int]:
    """What a number at `start` says with the words before it, and where these begin."""
    match = _BEFORE.search(text[:start])
    if match is None:
        return value, value, start
    words = " ".join(match[0].lower().split())
    if match["over"]:
        low = value if words in _INCLUSIVE else math.nextafter(value, math.inf)
        return low, math.inf, match.start()
    if match["under"]:
        high = value if words in _INCLUSIVE else math.nextafter(value, -math.inf)
        return -math.inf, high, match.start()
    return value - _ABOUT * abs(value), value + _ABOUT * abs(value), match.start()
