"""What an evaluator owes its caller, checked where its scores come in: one of one's own is named at once, with what it gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.protocols import Evaluator
from ...runtime.records import Sample, Score
from ..stats import judged

__all__ = ["checked_scores"]


async def checked_scores(name: str, evaluator: Evaluator, samples: Sequence[Sample]) -> list[Score]:
    """The evaluator's scores of samples, one each; see `stats.judged` for what it fails on.

    Raises:
        BadInput: it gave something else than a `Score` for each sample.
        CallFailed, PrerequisiteError: as of `stats.judged`.
    """
    scores: Any = await judged(evaluator, samples)
    who = f"the evaluator {name!r} ({type(evaluator).__name__})"
    if not isinstance(scores, list | tuple):
        raise BadInput(f"{who} gave {scores!r:.80}: it must give a list of Score, one for each sample.")
    if len(scores) != len(samples):
        raise BadInput(
            f"{who} gave {len(scores)} scores for {len(samples)} samples: it must give one for each, in their order."
        )
    wrong = next((score for score in scores if not isinstance(score, Score)), None)
    if wrong is not None:
        raise BadInput(
            f"{who} gave {wrong!r:.80} as a score: it must give a Score; what cannot be scored is Score(value=None, ...)."
        )
    return list(scores)
