"""Why a question about a picture has no answer, in words."""

from __future__ import annotations

__all__ = ["REASONS"]


REASONS = {
    "cannot_tell": "it cannot be told from the picture",
    "unsupported": "it cannot be told from the picture: nothing bears the best guess out",
    "no_choice": "what was answered is none of the choices",
    "failed": "a model failed",
    "empty": "the language model said nothing",
}
