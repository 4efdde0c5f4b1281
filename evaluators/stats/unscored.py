"""What could not be scored is a score without a value, with the reason; and it never takes others with it."""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Evaluator
from ...runtime.records import Sample, Score

__all__ = ["Unscorable", "judged", "unscored"]


def unscored(sample: Sample, error: Exception | None = None) -> Score:
    """The score of what could not be scored: no picture, or the reason that `error` gives."""
    return Score(value=None, explanation=f"sample {sample.id!r} has no picture" if error is None else str(error))


class Unscorable:
    """An `Evaluator` of what it is known of beforehand that it cannot be scored, and why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """No value for any sample, with the reason."""
        return [Score(value=None, explanation=self.reason) for _ in samples]


async def judged(evaluator: Evaluator, samples: Sequence[Sample]) -> list[Score]:
    """The evaluator's scores in order; where it fails for good on some samples, only theirs have no value.

    Raises:
        CallFailed: a failure that may pass by itself: the run can go on later.
        PrerequisiteError: what would fail for every sample.
    """
    try:
        return await evaluator.score(samples)
    except (BadInput, CallFailed) as error:
        if isinstance(error, CallFailed) and error.retryable:
            raise
        if len(samples) == 1:
            return [unscored(samples[0], error)]
    return [score for sample in samples for score in await judged(evaluator, [sample])]
