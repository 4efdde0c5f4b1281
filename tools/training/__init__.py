"""The training loop."""

from .trainer import Recipe, Say, fine_tune

__all__ = ["Recipe", "Say", "fine_tune"]
