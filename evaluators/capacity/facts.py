"""Facts as rows, question and answer: how many bits there are to learn in those at hand, and rows of known entropy in their place."""

from __future__ import annotations

import itertools
import lzma
import math
import random
from collections import Counter
from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.records import Record, Row
from .people import invented

__all__ = ["OfferedBits", "draw_facts", "offered_bits"]

_NAMES = 64  # first and last names
_MOST = 4096  # different answers
_FEW, _OFTEN = 50, 5  # classes: so few answers, each so often


class OfferedBits(Record):
    """What rows ask a model to remember, if no answer follows from its question or from what the model knows already.

    `facts`: different questions. `distinct`: different answers. `low`: bits to choose each fact's answer among those that there are,
    by how often each comes. `high`: with the bits to spell each answer once, as a general compressor (LZMA) finds them.
    """

    facts: int
    distinct: int
    low: float
    high: float

    @property
    def a_fact(self) -> float:
        """The lower number by facts: bits of one choice."""
        return self.low / self.facts

    @property
    def like_classes(self) -> bool:
        """Whether a few answers come so often that they are classes, which follow a rule more often than they are facts."""
        return self.distinct <= _FEW and self.facts >= _OFTEN * self.distinct


def offered_bits(rows: Sequence[Row]) -> OfferedBits:
    """The bits of `rows`; a row that comes twice is one fact.

    Raises:
        BadInput: no rows.
    """
    facts = {(row.text, row.label) for row in rows}
    if not facts:
        raise BadInput("there are no rows: give the facts that are to be learned.")
    counts = Counter(answer for _, answer in facts)
    choosing = sum(count * math.log2(len(facts) / count) for count in counts.values())
    spelled = lzma.compress("\n".join(sorted(counts)).encode("utf-8"), format=lzma.FORMAT_RAW, filters=_PLAIN)
    return OfferedBits(facts=len(facts), distinct=len(counts), low=choosing, high=choosing + 8 * len(spelled))


_PLAIN = [{"id": lzma.FILTER_LZMA2, "preset": 9}]


def draw_facts(count: int, answers: int, *, seed: int = 0) -> list[Row]:
    """`count` questions about invented names, each with one of `answers` invented words, drawn uniformly: log2 `answers` bits a fact.

    Raises:
        BadInput: no facts, fewer than 2 answers or more than 4,096, or more facts than there are names (262,144).
    """
    if not (1 <= count <= _NAMES**3 and 2 <= answers <= _MOST):
        raise BadInput(f"{count} facts with {answers} answers: give 1 to {_NAMES**3} with 2 to {_MOST}.")
    words = invented(3 * _NAMES + answers)
    first, middle, last, values = (list(itertools.islice(words, size)) for size in (*3 * (_NAMES,), answers))
    rng = random.Random(f"facts/{seed}")
    return [
        Row(
            id=str(place),
            text=f"Where does {first[n // _NAMES**2]} {middle[n // _NAMES % _NAMES]} {last[n % _NAMES]} live?",
            label=rng.choice(values),
        )
        for place, n in enumerate(rng.sample(range(_NAMES**3), count), start=1)
    ]
