"""Batches that keep what worked: one item that fails must not cost the scores of the others."""

from __future__ import annotations

from ...runtime.records import Sample, Score

__all__ = ["unscored"]


def unscored(sample: Sample, error: Exception | None = None) -> Score:
    """The score of what could not be scored: no picture, or the reason that `error` gives."""
    return Score(value=None, explanation=f"sample {sample.id!r} has no picture" if error is None else str(error))
