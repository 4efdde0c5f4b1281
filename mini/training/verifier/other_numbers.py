"""Falsehoods of numbers: another number or date of the text, another digit, unit, month or count in words.

Each rule gives another sentence, or None where it does not apply.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from ....tools.entailment import quantities

__all__ = ["other_count", "other_digit", "other_month", "other_number", "other_unit"]

_MONTHS = "January February March April May June July August September October November December".split()
_COUNTS = "two three four five six seven eight nine ten twelve twenty thirty fifty".split()
_UNITS = """hours minutes days weeks months years seconds metres kilometres miles kg grams tonnes percent MB GB KB euros dollars""".split()


def other_number(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    """A number or a date for another one of the text."""
    here = quantities(sentence)
    if not here:
        return None
    one = rng.choice(list(here))
    others = [
        each.text for line in document for each in quantities(line) if each.scale == one.scale and each.apart(one)
    ]
    return sentence[: one.start] + rng.choice(others) + sentence[one.end :] if others else None


def other_digit(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    """A number with one other digit."""
    numbers = list(re.finditer(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?(?![\w-])", sentence))
    if not numbers:
        return None
    match = rng.choice(numbers)
    place = rng.choice([i for i, c in enumerate(match[0]) if c.isdigit()])
    digit = rng.choice([d for d in ("123456789" if place == 0 else "0123456789") if d != match[0][place]])
    return sentence[: match.start() + place] + digit + sentence[match.start() + place + 1 :]


def other_unit(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    matches = list(re.finditer(r"(?<=\d )(" + "|".join(_UNITS) + r")\b", sentence))
    if not matches:
        return None
    match = rng.choice(matches)
    return (
        sentence[: match.start()] + rng.choice([unit for unit in _UNITS if unit != match[0]]) + sentence[match.end() :]
    )


def other_month(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    matches = list(re.finditer(r"\b(?:" + "|".join(_MONTHS) + r")\b", sentence))
    if not matches:
        return None
    match = rng.choice(matches)
    return (
        sentence[: match.start()] + rng.choice([name for name in _MONTHS if name != match[0]]) + sentence[match.end() :]
    )


def other_count(sentence: str, document: Sequence[str], rng: random.Random) -> str | None:
    matches = list(re.finditer(r"\b(?:" + "|".join(_COUNTS) + r")\b", sentence))
    if not matches:
        return None
    match = rng.choice(matches)
    return (
        sentence[: match.start()] + rng.choice([word for word in _COUNTS if word != match[0]]) + sentence[match.end() :]
    )
