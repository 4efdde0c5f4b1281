"""Fine-tuning on transformers' Trainer, the same for every kind of model: seeded, resumable, one order of rows a seed.

Invariants: the order of the rows is a function of the seed and the epoch alone; a checkpoint counts only with the mark that
is written after it, and is taken at the end of an epoch (at most every half minute), so a training that was killed goes on
as an unbroken one would have; the random state of the process is put back.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from ...runtime.errors import Interrupted, PrerequisiteError
from ...runtime.records import Record
from ..models import is_fast_in_bfloat16, quiet

__all__ = ["Outcome", "Recipe", "batches", "fine_tune", "Say"]

_MARK = "complete"
_PAUSE = 30.0  # seconds between checkpoints: one of a whole model holds twelve bytes a parameter
_EPOCHS, _BATCH, _LEAST = 5, 16, 4  # where the recipe does not say; the least batch
_POOL = 16  # batches that are sorted by length together


class Recipe(Record):
    """What a fine-tuning depends on beside its rows and its seed.

    `epochs`: how often each row is seen, `batch`: rows an update. None: 5 epochs in batches of 16, and where rows are so few that
    this would be fewer than `updates`, smaller batches (down to 4), then more epochs: a few dozen rows in batches of 16 are
    hardly learned in 5. `rate`: the learning rate, which falls to 0 along a cosine after `warmup` (a share of the updates); None:
    what suits the method. `length`: the most tokens of a row; longer rows are refused.
    """

    epochs: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, gt=0)
    batch: int | None = Field(default=None, ge=1)
    updates: int = Field(default=80, ge=1)
    warmup: float = Field(default=0.06, ge=0, lt=1)
    decay: float = Field(default=0.0, ge=0)
    length: int = Field(default=512, ge=8)

    def plan(self, rows: int) -> tuple[int, int]:
        """(batch, epochs) for so many rows."""
        epochs = self.epochs or _EPOCHS
        batch = self.batch or min(_BATCH, max(_LEAST, rows * epochs // self.updates))
        if self.epochs is None:
            epochs = max(epochs, math.ceil(self.updates / math.ceil(rows / batch)))
        return batch, epochs


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished training: `losses` is the mean loss of each epoch, `parameters` how many numbers were trained."""

    steps: int
    seconds: float
    losses: tuple[float, ...]
    parameters: int


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The rows of one epoch, by number: shuffled, and then those of like length together, so that little is padding."""
    rng = random.Random(f"{seed}/{epoch}")
    order = rng.sample(range(len(lengths)), len(lengths))
    groups = [
        sorted(order[start : start + _POOL * size], key=lambda row: (lengths[row], row))
        for start in range(0, len(order), _POOL * size)
    ]
    made = [group[start : start + size] for group in groups for start in range(0, len(group), size)]
    rng.shuffle(made)
    return made


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
    """Train the model that `make` gives (called with the seed set), and give it back on the CPU or device in eval mode.

    `examples` hold `input_ids` beside what `collate` wants; `loss(model, batch)` is the mean loss of a batch. Checkpoints are
    in `work`. `stop` ends the training at the next step.

    Raises:
        Interrupted: `stop` was set.
        PrerequisiteError: accelerate is missing, the device cannot be used, or a loss that is not a number.
    """
    import torch

    if device.startswith("cuda:") and device != "cuda:0":
        raise PrerequisiteError(
            f"training runs on the first visible GPU, and the device is {device!r}",
            remedy=f"set CUDA_VISIBLE_DEVICES={device.partition(':')[2]} and the device to 'cuda'.",
        )
    try:
        from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed
        from transformers.utils import is_accelerate_available
    except ImportError as error:
        raise PrerequisiteError(
            f"transformers cannot train: {error}", remedy="pip install 'inloop[students]'"
        ) from error
    if not is_accelerate_available():
        raise PrerequisiteError(
            "fine-tuning needs the package accelerate, which is not installed", remedy="pip install 'inloop[students]'"
        )

    size, epochs = recipe.plan(len(examples))
    lengths = [len(example["input_ids"]) for example in examples]
    losses: dict[int, float] = {}
    saved = time.monotonic()

    class Order(torch.utils.data.Sampler[list[int]]):
        """The batches of the running epoch."""

        epoch = 0

        def __iter__(self) -> Iterator[list[int]]:
            return iter(batches(lengths, size, seed, self.epoch))

        def __len__(self) -> int:
            return math.ceil(len(examples) / size)

    order = Order()

    class Tuner(Trainer):  # type: ignore[misc]
        """The Trainer with our order of rows and our loss."""

        def get_train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(
                examples,  # type: ignore[arg-type]
                batch_sampler=order,
                collate_fn=collate,
            )

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            value = loss(model, inputs)
            return (value, {}) if return_outputs else value

        def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return {name: value.to(self.args.device) for name, value in inputs.items()}

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Marks whole checkpoints, tells the progress, stops when asked to."""

        def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            order.epoch = round(state.epoch)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            nonlocal saved
            if round(state.epoch) < epochs and time.monotonic() - saved >= _PAUSE:
                control.should_save = True
                saved = time.monotonic()

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            _complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                losses[round(state.epoch)] = float(logs["loss"])
                say(f"epoch {round(state.epoch)}/{epochs}: loss {float(logs['loss']):.4f}")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.is_set():
                raise Interrupted("the training was stopped; run again, it goes on from its last epoch")

    with _own_random_state():
        set_seed(seed)
        with quiet():
            model = make()
        half = is_fast_in_bfloat16(torch.device(device))
        arguments = TrainingArguments(
            output_dir=str(work),
            num_train_epochs=epochs,
            per_device_train_batch_size=size,
            learning_rate=rate,
            lr_scheduler_type="cosine",
            warmup_steps=int(recipe.warmup * len(order) * epochs),
            weight_decay=recipe.decay,
            seed=seed,
            bf16=half,
            use_cpu=device == "cpu",
            logging_strategy="epoch",
            logging_nan_inf_filter=False,  # a loss that is not a number is an error, not a thing to hide
            save_strategy="no",  # `Watch` says when
            save_total_limit=2,
            remove_unused_columns=False,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        _ = arguments.device  # finds out how many GPUs there are; one is used, for DataParallel is slow
        arguments._n_gpu = min(arguments._n_gpu, 1)
        tuner = Tuner(model=model, args=arguments, train_dataset=examples, callbacks=[Watch()])
        tuner.remove_callback(PrinterCallback)  # what is to be told goes to `say`
        with quiet():
            started = time.perf_counter()
            last = _last_complete(work)
            if last is not None:
                say(f"goes on from {last.name}")
            result = tuner.train(resume_from_checkpoint=None if last is None else str(last))
        # the epochs before a crash are in the checkpoint's own history
        history = {round(entry["epoch"]): float(entry["loss"]) for entry in tuner.state.log_history if "loss" in entry}
        told = tuple(value for _, value in sorted((history | losses).items()))
        if not all(math.isfinite(value) for value in told):
            raise PrerequisiteError(
                f"the training failed: its losses are {told}",
                remedy="give a lower learning rate (?rate=), or other seeds.",
            )
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    outcome = Outcome(
        steps=int(result.global_step), seconds=time.perf_counter() - started, losses=told, parameters=trained
    )
    return model.eval(), outcome


def _complete(folder: Path) -> None:
    """Put the mark into a checkpoint that is whole, after its bytes are on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    (folder / _MARK).touch()


def _last_complete(work: Path) -> Path | None:
    """The newest checkpoint that was finished; half-written ones are left behind by a kill."""
    found = [path for path in work.glob("checkpoint-*") if (path / _MARK).is_file()]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


@contextlib.contextmanager
def _own_random_state() -> Iterator[None]:
    """Trainer seeds the generators of the whole process: put them back."""
    import numpy as np
    import torch

    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


Say = Callable[[str], None]
