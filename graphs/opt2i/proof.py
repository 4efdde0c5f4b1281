"""A gain that is proven on unseen seeds, at which one may look as often as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...evaluators.stats import confidence_sequence, evidence, evidence_needed
from ...runtime.errors import BadInput
from .result import Look

__all__ = ["FEWEST_PROOFS", "LOOK", "Proof"]

LOOK = 4
"""Seeds that one look adds."""
FEWEST_PROOFS = 8
"""Seeds: with fewer not even the largest gain, 0 to 100 points on every seed, would be proven."""


@dataclass(frozen=True)
class Proof:
    """Seeds of their own that a gain is proven on, `step` more at each look.

    `early`: each new best text is put to it, one look a round, and the search ends as soon as one is proven; else it is the last best
    text alone, for as long as that takes. Of all searches that have nothing to gain a share of `level` is told of a gain at most.
    """

    seeds: tuple[int, ...]
    early: bool = False
    step: int = LOOK
    level: float = 0.05

    def __post_init__(self) -> None:
        if len(self.seeds) < FEWEST_PROOFS:
            raise BadInput(f"{len(self.seeds)} seeds prove nothing: give {FEWEST_PROOFS} or more.")

    def next_seeds(self, text: str, before: Look | None) -> tuple[int, ...]:
        """The seeds of the next look at `text`, with those that it was looked at on before."""
        return self.seeds[: (before.seeds if before is not None and before.text == text else 0) + self.step]

    def look(self, text: str, before: Look | None, gains: Sequence[float | None]) -> Look:
        """What the gains seed by seed (-1 to 1) say of `text`."""
        texts = 1 if before is None else before.texts + (before.text != text)
        needed = evidence_needed(texts, of=None if self.early else 1, level=self.level)
        found = evidence(gains)
        # two-sided at this level, its lower end is above 0 exactly where the evidence suffices
        least, _ = confidence_sequence(gains, level=1 - 2 / needed)
        return Look(
            text=text,
            texts=texts,
            seeds=len(gains),
            evidence=found,
            needed=needed,
            proven=found >= needed,
            least=100 * least,
        )

    def done(self, text: str, look: Look | None) -> bool:
        """Whether looking on at `text` can change nothing."""
        return look is not None and look.text == text and (look.proven or look.seeds >= len(self.seeds))
