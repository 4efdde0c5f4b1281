"""What the tokens of a provider cost, where its user says so: no price list is built in, since prices change and contracts differ."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import BadInput
from ..records import Cost

__all__ = ["Price"]

_PRICE = re.compile(r"(?P<input>\d+(?:\.\d+)?)\s*/\s*(?P<output>\d+(?:\.\d+)?)")
_MILLION = 1_000_000


class Price(NamedTuple):
    """US dollars for a million tokens of prompts, and of answers."""

    input: float
    output: float

    @classmethod
    def parse(cls, text: str) -> Price | None:
        """Of "2.5/10"; "" is a price that is not known. `BadInput` for anything else."""
        if not text.strip():
            return None
        match = _PRICE.fullmatch(text.strip())
        if match is None:
            raise BadInput(
                f"the price {text!r}: give US dollars for a million tokens of prompts and of answers, as in 2.5/10."
            )
        return cls(float(match["input"]), float(match["output"]))

    def of(self, cost: Cost) -> float:
        """What the tokens of `cost` come to."""
        return (cost.input_tokens * self.input + cost.output_tokens * self.output) / _MILLION

    def reduced(self, share: float) -> Price:
        """The price times `share`."""
        return Price(self.input * share, self.output * share)
