"""Whether facts fit a student: the bits that they offer against the bits that it has room for, or was measured to store.

Room without a measurement is a wide guess, told as one. Its upper end is the paper's: no model stored more than 2 bits a parameter, nor
more than 1 at 100 exposures (Allen-Zhu and Li 2024, arXiv 2404.05405, results 1 to 3; between 100 and 1000 exposures the logarithm is interpolated).
Its lower end is what `benchmarks/capacity.py` measured on fine-tuned models of 33,000 parameters and less; larger ones may hold more.
"""

from __future__ import annotations

import math
from typing import Literal

from ...runtime.display import counted
from ...runtime.records import Record
from ..stats import Estimate
from .facts import OfferedBits

__all__ = ["HELD", "Fit", "Fits", "Method", "Room", "fit_of", "fit_of_measured", "room_of"]

Method = Literal["lora", "full"]
Fits = Literal["fits", "does not fit", "cannot tell"]

HELD = 0.9
"""The share of the offered bits from which on facts count as held."""

MEASURED: dict[Method, tuple[tuple[int, float], ...]] = {
    "full": ((5, 0.0), (20, 0.0), (80, 0.12)),
    "lora": ((5, 0.0), (20, 0.0), (80, 0.0)),
}
"""(exposures, bits a trained parameter) of 1600 people, who offered more than was held."""


class Room(Record):
    """Bits that a student has room for in `parameters` trained numbers, when it sees each row `exposures` times: a range."""

    parameters: int
    exposures: int
    low: float
    high: float


class Fit(Record):
    """The verdict, and `why` in a sentence."""

    verdict: Fits
    why: str


def room_of(parameters: int, exposures: int, method: Method) -> Room:
    """The room of a student that was not measured; see the module."""
    return Room(
        parameters=parameters,
        exposures=exposures,
        low=parameters * _between(exposures, ((0, 0.0), *MEASURED[method])),
        high=parameters * _between(exposures, ((100, 1.0), (1000, 2.0))),
    )


def _between(exposures: int, known: tuple[tuple[int, float], ...]) -> float:
    """Bits a parameter at so many exposures: linear in their logarithm between those that are known, beyond them as at the end."""
    if exposures >= known[-1][0]:
        return known[-1][1]
    last = known[0]
    for point in known:
        if point[0] >= exposures:
            span = math.log1p(point[0]) - math.log1p(last[0])
            share = (math.log1p(exposures) - math.log1p(last[0])) / span if span else 1.0
            return last[1] + share * (point[1] - last[1])
        last = point
    return last[1]


def fit_of(offered: OfferedBits, room: Room) -> Fit:
    """The verdict without a measurement: it is sure of little more than facts that are far too many."""
    asked = f"{counted(offered.facts, 'fact')} ask for {_range(offered.low, offered.high)} bits"
    there = f"{room.parameters:,} trained numbers have room for {_range(room.low, room.high)} at {counted(room.exposures, 'exposure')}"
    if offered.high <= room.low:
        return Fit(verdict="fits", why=f"{asked}; {there}")
    if offered.like_classes:
        return Fit(
            verdict="cannot tell",
            why=f"{counted(offered.distinct, 'answer')} for {offered.facts} rows are classes rather than facts: they may follow a rule,"
            " which takes less room",
        )
    if offered.low > room.high:
        return Fit(
            verdict="does not fit", why=f"{asked}; {there}: use retrieval, or a student with more trained numbers"
        )
    return Fit(verdict="cannot tell", why=f"{asked}; {there}: --measure trains the student on as many drawn facts")


def fit_of_measured(facts: int, ratio: Estimate, exposures: int) -> Fit:
    """The verdict from the stored by the offered bits of as many drawn facts: held where 9 tenths are."""
    if ratio.value is None or ratio.ci is None:
        return Fit(verdict="cannot tell", why=f"{counted(facts, 'fact')} are too few to be measured")
    low, high = ratio.ci
    share = "nothing" if high <= 0 else f"{ratio.value:.0%} ({low:.0%} to {high:.0%})"
    told = f"{share} of the bits of {counted(facts, 'drawn fact')} was stored after {counted(exposures, 'exposure')}"
    if low >= HELD:
        return Fit(verdict="fits", why=told)
    if high < HELD:
        return Fit(
            verdict="does not fit", why=f"{told}: use retrieval, more epochs, or a student with more trained numbers"
        )
    return Fit(verdict="cannot tell", why=told)


def _range(low: float, high: float) -> str:
    return f"{low:,.0f} to {high:,.0f}"
