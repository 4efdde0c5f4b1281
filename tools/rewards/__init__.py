"""Models of human preference: PickScore, HPSv2, ImageReward."""

from .models import REWARDS, RewardModel, open_reward

__all__ = ["REWARDS", "RewardModel", "open_reward"]
