"""Bits of knowledge that a model stores, from its loss on names and on values.

Source: Allen-Zhu and Li 2024, "Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws" (arXiv 2404.05405), the
bit complexity lower bound (Theorem 3.2) and the capacity ratio of bioS. For N facts in P parameters, a name space of N0 names
and a value space of S0 values a fact, and the mean summed cross-entropies in nats p1 of a name's and p2 of a fact's value tokens:

    stored  = N log2(N0 / e^p1) + N log2(S0 / e^p2)
    offered = N log2(N0 / N)    + N log2(S0)

A name's loss cannot be below ln N on average, for each of the N names comes as often: so the first term is at most that of
`offered`, log2 N0 - log2 N a fact, and stored / offered is at most 1. A model that knows the format alone (uniform over names and
values) stores 0, and one that is worse than that less than 0.
"""

from __future__ import annotations

import math

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["StoredBits", "stored_bits"]


class StoredBits(Record):
    """Bits of `facts` facts in `parameters` numbers: of names and of values, as they were stored and as they were offered."""

    facts: int
    parameters: int
    names: float
    values: float
    offered_names: float
    offered_values: float

    @property
    def stored(self) -> float:
        """Bits that the model holds, of names and values; below 0 for one that is worse than a uniform guess."""
        return self.names + self.values

    @property
    def offered(self) -> float:
        """Bits that there were to learn."""
        return self.offered_names + self.offered_values

    @property
    def per_parameter(self) -> float:
        """Stored bits a parameter: R(F) of the paper."""
        return self.stored / self.parameters

    @property
    def offered_per_parameter(self) -> float:
        """Offered bits a parameter: the most that R(F) can be."""
        return self.offered / self.parameters

    @property
    def ratio(self) -> float:
        """Stored by offered bits: 1 where all is known."""
        return self.stored / self.offered


def stored_bits(
    *,
    facts: int,
    parameters: int,
    name_bits: float,
    value_bits: float,
    name_loss: float | None,
    value_loss: float,
) -> StoredBits:
    """See the module: `name_bits` is log2 N0, `value_bits` log2 S0, the losses p1 and p2 are in nats a fact.

    `name_loss` is None where keys are given and never written (questions, pictures): then values alone are offered.

    Raises:
        BadInput: fewer than one fact or parameter, no bits to learn, fewer names than facts, or a loss that is not a number from 0 on.
    """
    if facts < 1 or parameters < 1:
        raise BadInput(f"{facts} facts in {parameters} parameters: there must be one of each at least.")
    losses = [value_loss] if name_loss is None else [name_loss, value_loss]
    if not all(math.isfinite(loss) and loss >= 0 for loss in losses):
        raise BadInput(f"losses of {losses} nats: they must be numbers from 0 on.")
    keys = 0.0 if name_loss is None else name_bits - math.log2(facts)
    if keys < -1e-9:
        raise BadInput(
            f"{facts} facts cannot have names of their own among {2**name_bits:.0f}: give a larger name space."
        )
    if value_bits < 0 or keys + value_bits <= 0:
        raise BadInput(f"values of {value_bits:g} bits and names of {keys:g}: there is nothing to learn.")
    return StoredBits(
        facts=facts,
        parameters=parameters,
        names=0.0 if name_loss is None else facts * (name_bits - name_loss / math.log(2)),
        values=facts * (value_bits - value_loss / math.log(2)),
        offered_names=facts * max(0.0, keys),
        offered_values=facts * value_bits,
    )
