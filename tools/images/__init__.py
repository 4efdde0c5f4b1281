"""Text-to-image models."""

from .diffusers import open_images

__all__ = ["open_images"]
