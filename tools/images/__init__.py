"""Text-to-image models, and the editing of pictures with them."""

from .diffusers import open_images
from .editor import open_editor

__all__ = ["open_editor", "open_images"]
