"""Learnt preference: PickScore, HPSv2 or ImageReward as an `Evaluator`. Each reward has a scale of its own.

A reward is no share of anything: PickScore lies near 20, HPSv2 near 0.3, ImageReward around 0 with a deviation of about 1.
Compare pictures of one prompt, or runs over the same prompts; means over other prompts are not comparable.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.protocols import Rewarder
from ...runtime.records import Part, Sample, Score
from ...runtime.session import each
from ..stats import unscored

__all__ = ["Preference"]


class Preference:
    """An `Evaluator` of pictures for their texts."""

    def __init__(self, rewarder: Rewarder, *, name: str = "preference") -> None:
        self.name = name
        self.rewarder = rewarder

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """The reward of each sample; None where it has no picture or could not be judged."""
        asked = [(sample.image, sample.text) for sample in samples if sample.image is not None]
        rewards = iter(await each(self.rewarder.rewards, asked))
        scores = []
        for sample in samples:
            reward = next(rewards) if sample.image is not None else None
            if reward is None or isinstance(reward, Exception):
                scores.append(unscored(sample, reward))
                continue
            parts = (Part(name=sample.text, value=reward, detail=self.rewarder.model),)
            scores.append(Score(value=reward, explanation=f"reward {reward:.4f} of {self.rewarder.model}", parts=parts))
        return scores
