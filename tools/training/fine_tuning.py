"""Fine-tuning by a recipe, the same for every kind of model that learns rows: their order, the optimiser and its rates."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from ...runtime.records import Record
from ..models import quiet
from .batches import batches, by_epoch
from .checkpoint import Checkpoint
from .loop import Outcome, TrainingLoop
from .randomness import seeded

__all__ = ["Recipe", "fine_tune", "Say"]

_EPOCHS, _BATCH, _LEAST = 5, 16, 4  # where the recipe does not say; the least batch

Say = Callable[[str], None]


class Recipe(Record):
    """What a fine-tuning depends on beside its rows and its seed.

    `epochs`: how often each row is seen, `batch`: rows an update. None: 5 epochs in batches of 16, and where rows are so few that
    this would be fewer than `updates`, smaller batches (down to 4), then more epochs: a few dozen rows in batches of 16 are
    hardly learned in 5. `rate`: the learning rate, which falls to 0 along a cosine after `warmup` (a share of the updates); None:
    what suits the method. `length`: the most tokens of a row; longer rows are refused. `accumulate`: the parts in which a batch is
    computed; more of them need less memory and take longer.
    """

    epochs: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, gt=0)
    batch: int | None = Field(default=None, ge=1)
    updates: int = Field(default=80, ge=1)
    warmup: float = Field(default=0.06, ge=0, lt=1)
    decay: float = Field(default=0.0, ge=0)
    length: int = Field(default=512, ge=8)
    # left out where it is 1: what was trained without it keeps its name
    accumulate: int = Field(default=1, ge=1, exclude_if=lambda parts: parts == 1)

    def plan(self, rows: int) -> tuple[int, int]:
        """(batch, epochs) for so many rows."""
        epochs = self.epochs or _EPOCHS
        batch = self.batch or min(_BATCH, max(_LEAST, rows * epochs // self.updates))
        if self.epochs is None:
            epochs = max(epochs, math.ceil(self.updates / math.ceil(rows / batch)))
        return batch, epochs

    def schedule(self, steps: int) -> Callable[[int], float]:
        """The share of the learning rate at each of `steps` updates."""
        warm = int(self.warmup * steps)

        def share(step: int) -> float:
            if step < warm:
                return step / warm
            return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

        return share


def fine_tune(
    make: Callable[[], Any],
    examples: Sequence[dict[str, Any]],
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
    *,
    recipe: Recipe,
    rate: float,
    seed: int,
    work: Path,
    device: str,
    loss: Callable[[Any, dict[str, Any]], Any],
    say: Say,
    stop: threading.Event,
) -> tuple[Any, Outcome]:
    """Train the model that `make` gives (called with the seed set), and give it back on the device in eval mode.

    `examples` hold `input_ids` beside what `collate` wants; `loss(model, batch)` is the mean loss of a batch. The checkpoint is
    in `work`. `stop` ends the training before the next step.

    Raises:
        Interrupted: `stop` was set.
        PrerequisiteError: a loss that is not a number, or a checkpoint that cannot be read or written.
    """
    size, epochs = recipe.plan(len(examples))
    lengths = [len(example["input_ids"]) for example in examples]
    epoch = math.ceil(len(examples) / size)
    rows_of = by_epoch(lambda number: batches(lengths, size, seed, number), epoch)

    def parts(step: int) -> list[dict[str, Any]]:
        rows = rows_of(step)
        count = min(recipe.accumulate, len(rows))
        places = [len(rows) * part // count for part in range(count + 1)]
        return [collate([examples[row] for row in rows[start:end]]) for start, end in itertools.pairwise(places)]

    with quiet():
        with seeded(seed):
            model = make().to(device)
        outcome = TrainingLoop(
            model=model,
            loss=lambda model, part: loss(model, {name: value.to(device) for name, value in part.items()}),
            batches=parts,
            optimizer=_adamw(model, rate, recipe.decay),
            steps=epochs * epoch,
            epoch=epoch,
            schedule=recipe.schedule(epochs * epoch),
            seed=seed,
            checkpoint=Checkpoint(path=work / "checkpoint.pt"),
            progress=lambda progress: say(str(progress)),
            stop=stop,
        ).run()
    return model, outcome


def _adamw(model: Any, rate: float, decay: float) -> Any:
    """AdamW over what learns; norms and biases do not decay."""
    import torch

    trained = [value for value in model.parameters() if value.requires_grad]
    groups = [
        {"params": [value for value in trained if value.ndim > 1], "weight_decay": decay},
        {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=rate, fused=True)
