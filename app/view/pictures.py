"""What kind of picture some bytes are: votes name pictures by their content alone."""

from __future__ import annotations

__all__ = ["media_type"]

_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def media_type(data: bytes) -> str | None:
    """By the first bytes; None of what is none of the kinds that are kept."""
    return next((kind for head, kind in _KINDS.items() if data.startswith(head)), None)
