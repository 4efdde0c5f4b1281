"""Models of `scale` that other processes find by their names: they hold the processor for as long as small real ones do, and give what `many`'s give."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from inloop.testing import ScriptedChat, ScriptedEmbedder

from .many import _answer, _paint, _rewrites

__all__ = ["PICTURE", "READING", "busy", "chat", "clip", "images", "reader"]

PICTURE, READING = 0.02, 0.003  # seconds of processor time
_BYTES = bytes(64 * 1024)


def busy(seconds: float) -> None:
    """Work for some processor time of this thread; like real models without holding Python's lock."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(_BYTES)


def images(prompt: str, seed: int) -> Any:
    """A picture."""
    busy(PICTURE)
    return _paint(prompt, seed)


def reader(image: Any, question: str) -> float:
    """How surely yes."""
    busy(READING)
    return _answer(image, question)


for _function in (images, reader):
    _function.model, _function.revision = f"scripted-{_function.__name__}", "1"  # type: ignore[attr-defined]

chat, clip = ScriptedChat(_rewrites), ScriptedEmbedder()
