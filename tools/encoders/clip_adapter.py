"""What an adapter of a CLIP model is on the disk: a folder with `blocks.safetensors` and the card `adapter.json`.

The card names the model that the adapter belongs to; with another one it is refused. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Record

__all__ = ["CARD", "WEIGHTS", "AdapterCard", "read_card", "revision_of"]

CARD, WEIGHTS = "adapter.json", "blocks.safetensors"


class AdapterCard(Record):
    """Which model an adapter belongs to, before which of its vision layers the blocks stand, and what made them.

    `fingerprint` names the pairs and the recipe of the training, `pairs` and `losses` (of each epoch) are for people.
    """

    kind: str = "react"
    base: str
    base_revision: str
    layers: tuple[int, ...]
    fingerprint: str = ""
    pairs: int = 0
    losses: tuple[float, ...] = ()


def read_card(folder: Path) -> AdapterCard:
    """The card of an adapter's folder.

    Raises:
        BadInput: no adapter is there, or its card cannot be read.
    """
    try:
        return AdapterCard.model_validate(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        problem = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({type(error).__name__})"
        raise BadInput(
            f"{str(folder)!r} is no adapter of gated blocks: {CARD} {problem}. Give a folder that `tools.adaptation.react` wrote."
        ) from None


def revision_of(folder: Path, base: str) -> str:
    """The revision of the model `base` with the adapter in `folder`: a sha256 of both."""
    try:
        weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise PrerequisiteError(
            f"the weights of the adapter {str(folder)!r} cannot be read ({error.strerror})", remedy="train it again."
        ) from None
    return hashlib.sha256(f"{base} {weights}".encode()).hexdigest()
