"""Models of how well a text and a picture go together: PickScore, HPSv2, ImageReward, image-text matching."""

from .models import REWARDS, RewardModel, open_matcher, open_reward

__all__ = ["REWARDS", "RewardModel", "open_matcher", "open_reward"]
