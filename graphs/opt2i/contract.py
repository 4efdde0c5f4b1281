"""What the parts of a search owe it, checked where they are put together and where their work comes in.

A part of one's own that gives something else is named at once, with what it gave: later that would be a wrong result, or an error of
somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from ...runtime.text import is_blank

__all__ = ["check_objective", "check_parts", "check_proposals", "check_realised"]


def check_parts(
    *,
    seeds: Sequence[int],
    heldout_seeds: Sequence[int],
    proof_seeds: Sequence[int] = (),
    evaluators: Collection[str],
    candidates: int,
) -> None:
    """Raises `BadInput` for a search that could find nothing, or that would confirm on what it optimised on."""
    if not seeds:
        raise BadInput("seeds=(): give at least one seed to optimise on.")
    for name, numbers in (("seeds", seeds), ("heldout_seeds", heldout_seeds), ("proof", proof_seeds)):
        if len(set(numbers)) < len(numbers):
            raise BadInput(f"{name}={tuple(numbers)!r}: a seed that comes twice is one picture counted twice.")
    if both := sorted({*seeds} & {*heldout_seeds, *proof_seeds}):
        raise BadInput(
            f"heldout_seeds={tuple(heldout_seeds)!r}: {both[0]} is optimised on too, and would confirm itself. Give others."
        )
    if both := sorted({*proof_seeds} & {*heldout_seeds}):
        raise BadInput(
            f"proof: the seed {both[0]} is reported on too: what decides when to stop would flatter. Give others."
        )
    if not evaluators:
        raise BadInput("evaluators={}: give at least one, or there is nothing to climb.")
    if candidates < 1:
        raise BadInput(f"candidates={candidates!r}: give 1 or more.")


def check_proposals(proposer: object, texts: Any, n: int) -> list[str]:
    """The proposed texts; `BadInput` where they are no texts, or more than were asked for and would be paid for."""
    who = f"the proposer {type(proposer).__name__}"
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise BadInput(f"{who} gave {texts!r:.80}: it must give a list of texts.")
    if len(texts) > n:
        raise BadInput(f"{who} gave {len(texts)} texts where candidates={n}: it may give at most that many.")
    if any(is_blank(text) for text in texts):
        raise BadInput(f"{who} gave an empty text: leave it out.")
    return list(texts)


def check_realised(
    realiser: object, rows: Any, texts: Sequence[str], seeds: Sequence[int]
) -> list[list[BlobRef | None]]:
    """The artefacts by text and seed; `BadInput` where one is missing or too many."""
    shape = (
        f"{len(texts)} lists of {len(seeds)} artefacts, one for each text and seed, None for one that could not be made"
    )
    right = isinstance(rows, list | tuple) and len(rows) == len(texts)
    if not right or any(not isinstance(row, list | tuple) or len(row) != len(seeds) for row in rows):
        raise BadInput(f"the realiser {type(realiser).__name__} gave {rows!r:.80}: it must give {shape}.")
    wrong = next((ref for row in rows for ref in row if ref is not None and not isinstance(ref, BlobRef)), None)
    if wrong is not None:
        raise BadInput(
            f"the realiser {type(realiser).__name__} gave {wrong!r:.80} as an artefact: it must give BlobRef or None."
        )
    return [list(row) for row in rows]


def check_objective(value: Any, scores: Mapping[str, float | None]) -> float | None:
    """The number that is climbed; `BadInput` where it is none, or beyond 1, at which a search is perfect and ends."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1 + 1e-9:
        given = ", ".join(f"{name} {score}" for name, score in scores.items())
        raise BadInput(
            f"the objective is {value!r} where the scores are {given}: it must lie between 0 and 1, or be None. Let the evaluator give"
            " such scores, or bring objective= a function that scales them."
        )
    return float(value)
