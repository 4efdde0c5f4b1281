"""What can be asked of the search machine, whatever it searches: rounds, races, what is kept, floors, seeds and proof."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from ...runtime.errors import BadInput
from ...runtime.session import RunConfig, option
from .floors import Floors
from .fronts import best, front
from .proof import FEWEST_PROOFS, Proof
from .races import race_of
from .search import SearchContext, StopRule
from .stops import usual

__all__ = ["MachineConfig"]


class MachineConfig(RunConfig):
    """What every search takes; a loop over the machine adds who proposes, realises and judges."""

    iterations: Annotated[int, option("rounds of rewriting", "search", "N", ge=1)] = 30
    target: Annotated[float, option("stop at this score, in points", "search", "POINTS", gt=0, le=100)] = 100.0
    patience: Annotated[
        int, option("stop after this many rounds without a better rewrite; 0: never", "search", "N", ge=0)
    ] = 0
    candidates: Annotated[int, option("rewrites a round", "search", "N", ge=1, le=50)] = 5
    race: Annotated[
        Literal["none", "abandon", "halve"],
        option(
            "abandon: no more seeds for a rewrite that cannot reach the best any more (the same best for less);"
            " halve: more and more seeds for the better half (ask for more rewrites)",
            "search",
        ),
    ] = "none"
    history: Annotated[int, option("best rewrites shown to the language model", "search", "N", ge=1, le=20)] = 5
    keep: Annotated[
        Literal["best", "front"],
        option(
            "what is shown: the best rewrites, or beside the best one those that do best at some question", "search"
        ),
    ] = "best"
    restart: Annotated[
        int,
        option(
            "start from your own text again after so many rounds without a better rewrite; 0: never",
            "search",
            "N",
            ge=0,
        ),
    ] = 0
    seed: Annotated[int, option("the same seed gives the same run", "search", "N", ge=0, le=1_000_000)] = 0
    heldout_seeds: Annotated[int, option("unseen seeds for the last check", "search", "N", ge=0, le=64)] = 8
    prove: Annotated[
        int,
        option(
            "believe a gain only once it is proven on so many more unseen seeds at most, looked at a few at a time; 0: one look at the"
            " unseen seeds",
            "search",
            "N",
            ge=0,
            le=1000,
        ),
    ] = 0
    until: Annotated[
        Literal["target", "proven"], option("proven: stop as soon as a gain is proven (with --prove)", "search")
    ] = "target"
    floor: Annotated[
        tuple[str, ...],
        option(
            "a score that must not fall below a value, as in dsg=0.8: a rewrite that breaks it is never better than one that holds it",
            "search",
            "NAME=VALUE",
            repeat=True,
        ),
    ] = ()

    @model_validator(mode="after")
    def _race_is_exact(self) -> Self:
        if self.race == "abandon" and self.keep == "front":
            raise BadInput(
                "race='abandon' with keep='front': a rewrite that is not among the best may be the best at one question. Leave one of them out."
            )
        return self

    @model_validator(mode="after")
    def _proof_has_seeds(self) -> Self:
        if 0 < self.prove < FEWEST_PROOFS:
            raise BadInput(
                f"prove={self.prove}: not even the largest gain is proven on fewer than {FEWEST_PROOFS} seeds. Give {FEWEST_PROOFS} or more."
            )
        if self.until == "proven" and not self.prove:
            raise BadInput("until='proven' without prove: say how many unseen seeds a proof may take, as in prove=64.")
        return self

    @model_validator(mode="after")
    def _floors_are_looked_at(self) -> Self:
        if self.floors.least and self.prove and not self.heldout_seeds:
            raise BadInput(
                "floor with prove and heldout_seeds=0: a floor is looked at on unseen seeds. Give 8 or more."
            )
        return self

    @property
    def floors(self) -> Floors:
        """The floors by score."""
        return Floors.of(self.floor)

    def search(self, *, proofs: tuple[int, ...], reads: int | None = None, **parts: Any) -> SearchContext:
        """A search as it is asked for; `parts` are what the loop adds: who proposes, realises and judges, and the seeds.

        `reads`: the most trials that the proposer looks at, where it is known. No more are kept, so that a race need not save others.
        """
        return SearchContext(
            candidates=self.candidates,
            top=min(self.history, reads or self.history),
            keep=front if self.keep == "front" else best,
            floors=self.floors,
            restart=self.restart,
            race=race_of(self.race),
            proof=Proof(proofs, early=self.until == "proven") if proofs else None,
            seed=self.seed,
            **parts,
        )

    def ending(self, own: StopRule | None) -> StopRule:
        """When a search ends: the caller's rule, or the loop's."""
        return own or usual(iterations=self.iterations, target=self.target / 100, patience=self.patience)

    def first(self, count: int) -> tuple[int, ...]:
        """So many seeds to optimise on."""
        return tuple(self.seed * 100_000 + i for i in range(count))

    @property
    def unseen(self) -> tuple[int, ...]:
        """The seeds that nothing is chosen on."""
        return tuple(self.seed * 100_000 + 50_000 + i for i in range(self.heldout_seeds))

    @property
    def proofs(self) -> tuple[int, ...]:
        """The seeds that a gain is proven on; those that are reported are others."""
        return tuple(self.seed * 100_000 + 56_000 + i for i in range(self.prove))
