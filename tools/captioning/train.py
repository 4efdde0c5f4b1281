"""Captioners trained on rows with picture and caption."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from ...runtime.store import SUMS, canonical_json
from ..data import CaptionRow
from ..models import Weights, find_weights
from ..training import Recipe, Say
from .base import _RECORD, CaptionTraining, Trained

__all__ = ["train_captioner", "check_folder", "generic_rows"]


def generic_rows(rows: Sequence[CaptionRow]) -> list[CaptionRow]:
    """The same pictures with what people say unasked: one of each row's captions in turn, and no question.

    Raises:
        BadInput: a row has no captions.
    """
    found = []
    for place, row in enumerate(rows):
        if not row.captions:
            raise BadInput(f"row {row.id!r} has no captions, so there is nothing to train the generic captioner on.")
        caption = row.captions[place % len(row.captions)]
        found.append(row.model_copy(update={"question": None, "caption": caption}))
    return found


def train_captioner(
    rows: Sequence[CaptionRow],
    *,
    start: str,
    out: Path,
    settings: Settings,
    recipe: Recipe,
    seed: int = 0,
    train_vision: bool = False,
    say: Say = lambda text: None,
    stop: threading.Event | None = None,
) -> Trained:
    """Train the captioner `start` on rows with image and caption, and write it to the folder `out`.

    Raises:
        BadInput: no rows, a row without picture or caption or one that is too long, no captioner, an `out` in use.
        Interrupted: `stop` was set.
        PrerequisiteError: peft is missing where it is needed, or the model cannot be loaded.
    """
    name = start.strip()
    weights = find_weights("mini" if name == "mini-promptcap" else name, "promptcap", settings.cache_dir)
    training = _training_of(weights)
    if not rows:
        raise BadInput("there are no rows to train on: give at least a few.")
    kept = [row.model_dump(include={"image", "question", "caption"}) for row in rows]
    parts = [weights.model, weights.revision, recipe.model_dump(), seed, train_vision, kept]
    key = hashlib.sha256(canonical_json(parts, "the training").encode()).hexdigest()
    done = _done(out, key)
    if done is not None:
        say(f"{out} is trained already")
        return done
    check_folder(out)
    return training(rows, weights, out, settings, recipe, seed, train_vision, say, stop or threading.Event(), key).run()


def _training_of(weights: Weights) -> type[CaptionTraining]:
    """BLIP learns whole, larger captioners by LoRA; `BadInput` for what is no captioner."""
    from .lora import LoraTraining, is_trainable

    kind = weights.config()["model_type"]
    if kind == "blip":
        return CaptionTraining
    if not is_trainable(weights):
        raise BadInput(
            f"{weights.spec!r} is of type {kind!r}, which is no captioner that can be trained here: give mini-promptcap,"
            " Salesforce/blip-vqa-base, Salesforce/blip2-opt-2.7b, or a folder of such a class."
        )
    return LoraTraining


def check_folder(out: Path) -> None:
    """Raise `BadInput` where `out` holds something else than a captioner of ours, whole or half written."""
    ours = (out / _RECORD).is_file() or (out / ".work").is_dir()
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not ours):
        raise BadInput(f"{str(out)!r} holds something that is no captioner of ours: give another folder.")


def _done(out: Path, key: str) -> Trained | None:
    """The finished training of this key in `out`; None where there is another or none."""
    try:
        found = json.loads((out / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.pop("promptcap", False) is not True or found.get("key") != key:
        return None
    if not (out / SUMS).is_file():
        return None
    return Trained.model_validate({**found, "folder": str(out), "seconds": None})
