"""What the ledger keeps of embeddings: the float32 bits of a vector; and which texts have none."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput

__all__ = ["packed", "refuse_empty", "unpacked"]


def packed(vector: Sequence[float]) -> dict[str, Any]:
    """A vector as JSON: its size, and its float32 numbers in base64."""
    return {"size": len(vector), "float32": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")}


def unpacked(value: Any) -> list[float]:
    """The vector that `packed` made this of."""
    return list(struct.unpack(f"<{value['size']}f", base64.b64decode(value["float32"])))


def refuse_empty(texts: Sequence[str]) -> None:
    """Raise `BadInput` for a text without words."""
    for text in texts:
        if not text.strip():
            raise BadInput(f"the text {text!r} is empty: give words to embed.")
