"""Facts about pictures: a picture is the key, a value of known entropy what is to be remembered of it.

Values are drawn uniformly and say nothing about what is seen, so nothing but memory helps. Keys are given and never written, so
bits of values alone are counted: N (log2 V - CE).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from ...tools.training import Checkpoint, Outcome, Progress, Recipe, TrainingLoop, by_epoch, seeded
from .bits import StoredBits, stored_bits

__all__ = ["PictureFacts", "learn_pictures", "picture_bits", "picture_facts", "random_patterns", "small_picture_model"]

_READ = 256


@dataclass(frozen=True)
class PictureFacts:
    """`pictures` (N, side, side, 3) from 0 to 255, and `values` (N,) from 0 to `of` - 1."""

    pictures: NDArray[np.uint8]
    values: NDArray[np.int64]
    of: int

    def __len__(self) -> int:
        return len(self.pictures)


def random_patterns(count: int, *, side: int = 16, cells: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    """`count` pictures (count, side, side, 3) of cells x cells squares of random colour."""
    if side % cells:
        raise BadInput(f"{cells} cells on {side} pixels: give a side that is a multiple of the cells.")
    squares = np.random.default_rng(seed).integers(0, 256, (count, cells, cells, 3), dtype=np.uint8)
    return squares.repeat(side // cells, axis=1).repeat(side // cells, axis=2)


def picture_facts(pictures: NDArray[np.uint8], *, values: int = 16, seed: int = 0) -> PictureFacts:
    """A value for each of `pictures` (N, side, side, 3), drawn from `values` of them.

    Raises:
        BadInput: another shape, fewer than two values, or two pictures that are the same.
    """
    if pictures.ndim != 4 or pictures.shape[3] != 3 or not len(pictures) or values < 2:
        raise BadInput(
            f"pictures of shape {pictures.shape} and {values} values: give (N, side, side, 3) and 2 values or more."
        )
    if len({picture.tobytes() for picture in pictures}) < len(pictures):
        raise BadInput("two of the pictures are the same: a picture cannot be the key of two values.")
    drawn = np.random.default_rng(seed).integers(0, values, len(pictures))
    return PictureFacts(pictures, drawn.astype(np.int64), values)


def small_picture_model(
    facts: PictureFacts, *, family: Literal["cnn", "vit"] = "cnn", width: int = 16, seed: int = 0
) -> Any:
    """A CNN of two convolutions, or a ViT of two layers (patches of a quarter of the side), with random weights and an output a value."""
    import torch

    side = facts.pictures.shape[1]
    with seeded(seed):
        if family == "vit":
            import transformers

            config = transformers.ViTConfig(
                hidden_size=width, intermediate_size=4 * width, num_hidden_layers=2, num_attention_heads=max(1, width // 16),
                image_size=side, patch_size=side // 4, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                num_labels=facts.of,
            )  # fmt: skip
            return transformers.ViTForImageClassification(config)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, width, 3, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(width, width, 3, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(width * (-(-side // 4)) ** 2, facts.of),
        )


def learn_pictures(
    model: Any,
    facts: PictureFacts,
    *,
    exposures: int,
    batch: int = 32,
    rate: float = 3e-3,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Train `model` (pictures (n, 3, side, side) about -1 to 1, to logits of the values) on each picture `exposures` times.

    Raises:
        Interrupted: `stop` was set; the checkpoint holds what was done.
        PrerequisiteError: a loss that is not a number, or a checkpoint that cannot be read or written.
    """
    import torch

    of_epoch = -(-len(facts) // batch)

    def shuffled(epoch: int) -> list[NDArray[np.int64]]:
        order = np.random.default_rng((seed, epoch)).permutation(len(facts))
        return [order[start : start + batch] for start in range(0, len(order), batch)]

    rows_of = by_epoch(shuffled, of_epoch)
    trained = [value for value in model.parameters() if value.requires_grad]
    device = trained[0].device

    def loss(model: Any, rows: NDArray[np.int64]) -> torch.Tensor:
        values = torch.from_numpy(facts.values[rows]).to(device)
        return torch.nn.functional.cross_entropy(_logits(model, facts, rows), values)

    steps = exposures * of_epoch
    return TrainingLoop(
        model=model,
        loss=loss,
        batches=lambda step: [rows_of(step)],
        optimizer=torch.optim.AdamW(trained, lr=rate, weight_decay=0.0),
        steps=steps,
        epoch=of_epoch,
        schedule=Recipe().schedule(steps),
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
        stop=stop or threading.Event(),
    ).run()


def picture_bits(model: Any, facts: PictureFacts) -> StoredBits:
    """The bits that `model` stores of `facts`."""
    import torch

    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(facts), _READ):
            rows = np.arange(start, min(start + _READ, len(facts)))
            logits = _logits(model, facts, rows)
            values = torch.from_numpy(facts.values[rows]).to(logits.device)
            total += float(torch.nn.functional.cross_entropy(logits.double(), values, reduction="sum"))
    return stored_bits(
        facts=len(facts),
        parameters=sum(value.numel() for value in model.parameters()),
        name_bits=0.0,
        value_bits=float(np.log2(facts.of)),
        name_loss=None,
        value_loss=total / len(facts),
    )


def _logits(model: Any, facts: PictureFacts, rows: NDArray[np.int64]) -> Any:
    import torch

    device = next(model.parameters()).device
    pixels = torch.from_numpy(facts.pictures[rows]).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    out = model(pixels)
    return getattr(out, "logits", out).float()
