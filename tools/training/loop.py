"""The one training loop, under everything here that learns: any model, any loss, on one device.

Invariants: the batch of a step is a function of the step's number alone; a checkpoint is there whole or not at all and holds
the trained weights, the optimiser, the random state and the losses; so a training that was killed and is run again ends with
the weights of an unbroken one, on the same machine. The random state of the process is put back.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...runtime.errors import Interrupted, PrerequisiteError
from ..models import fast_precision
from .average import WeightAverage
from .checkpoint import Checkpoint
from .randomness import random_state, restore_random_state, seeded

if TYPE_CHECKING:
    import torch

__all__ = ["Outcome", "Progress", "TrainingLoop"]

_REPORT = 15.0  # seconds between reports within an epoch

# accelerate holds one device and one precision for the whole process
_TURN = threading.Lock()

ModelT = TypeVar("ModelT", bound="torch.nn.Module")
BatchT = TypeVar("BatchT")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training is: `step` of `steps` updates are done, and `epoch` of `epochs`; `epoch_ends` with this very step.

    `loss` is the mean of the epoch where it ends, else the mean since the last report; None before the first step of a training
    that goes on from a checkpoint. `pace`: seconds a step.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    epoch_ends: bool
    loss: float | None
    pace: float

    def __str__(self) -> str:
        if self.loss is None:
            return f"goes on from step {self.step}/{self.steps}"
        place = f"epoch {self.epoch}/{self.epochs}" if self.epoch_ends else f"step {self.step}/{self.steps}"
        return f"{place}  loss {self.loss:.4f}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A finished training: `losses` is the mean loss of each epoch, `parameters` how many numbers were trained.

    `seconds` is the time of this run, without that of an earlier one that was broken off.
    """

    steps: int
    seconds: float
    losses: tuple[float, ...]
    parameters: int


def _constant(step: int) -> float:
    return 1.0


def _unseen(progress: Progress) -> None:
    """The progress callback of a training that nobody watches."""


@dataclass(kw_only=True)
class TrainingLoop(Generic[ModelT, BatchT]):
    """One training of `model`, which is on its device with `optimizer` over those parameters that learn; `run` does it.

    `batches(step)` gives the parts of a step's batch. Their gradients are added up before the weights move, so several small parts
    take less memory than one large. `loss(model, part)` is the mean loss of a part; both may draw random numbers of torch.

    `steps` updates are made, `epoch` of them are one epoch (default: all); `schedule(step)` is the share of the optimiser's
    learning rates at that step; gradients are clipped to the norm `clip` (None: not at all). `precision`: "no", "bf16", "fp16";
    None is what the device is fast in. `average` follows the weights.

    `progress` is called at the end of every epoch, and every 15 seconds within one. `stop` ends the training before the next step.
    """

    model: ModelT
    loss: Callable[[ModelT, BatchT], torch.Tensor]
    batches: Callable[[int], Sequence[BatchT]]
    optimizer: torch.optim.Optimizer
    steps: int
    epoch: int | None = None
    schedule: Callable[[int], float] = _constant
    clip: float | None = 1.0
    seed: int = 0
    precision: str | None = None
    average: WeightAverage | None = None
    checkpoint: Checkpoint | None = None
    progress: Callable[[Progress], None] = _unseen
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._device = self._trained[0].device
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._step = self._saved = 0
        self._losses: list[float] = []  # of whole epochs
        self._within: list[float] = []  # of the steps of the running epoch
        self._unread: list[torch.Tensor] = []  # of the steps since the last look: reading one makes a GPU wait

    def run(self) -> Outcome:
        """Train, from the checkpoint where there is one, and leave the model in eval mode.

        Raises:
            Interrupted: `stop` was set; the checkpoint holds what was done.
            PrerequisiteError: a loss that is not a number, or a checkpoint that cannot be read or written.
        """
        precision = fast_precision(self._device) if self.precision is None else self.precision
        with _accelerator(self._device, precision, self.stop) as accelerator, seeded(self.seed):
            self._accelerator = accelerator
            self._prepared = accelerator.prepare_optimizer(self.optimizer)
            self._resume()
            started = time.perf_counter()
            self._train(started, self._step)
            seconds = time.perf_counter() - started
        self.model.eval()
        parameters = sum(parameter.numel() for parameter in self._trained)
        return Outcome(steps=self._step, seconds=seconds, losses=tuple(self._losses), parameters=parameters)

    def _train(self, started: float, first: int) -> None:
        epoch = self.epoch or self.steps
        saved = reported = time.monotonic()
        self.model.train()
        while self._step < self.steps:
            if self.stop.is_set():
                self._save()
                raise Interrupted(f"the training was stopped after step {self._step}; run again, it goes on from there")
            self._update()
            last, now = self._step == self.steps, time.monotonic()
            whole = last or self._step % epoch == 0
            loss = self._read() if whole or now - reported >= _REPORT else None
            if whole:
                loss = statistics.fmean(self._within)
                self._losses.append(loss)
                self._within.clear()
            if last or Checkpoint.is_due(saved):
                self._save()
                saved = now
            if loss is not None:
                pace = (time.perf_counter() - started) / (self._step - first)
                self.progress(self._progress(loss, pace, epoch_ends=whole))
                reported = now

    def _update(self) -> None:
        """One step: the gradients of all parts of its batch, then the weights."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * self.schedule(self._step)
        parts = self.batches(self._step)
        losses = []
        for part in parts:
            with self._accelerator.autocast():
                loss = self.loss(self.model, part) / len(parts)
            self._accelerator.backward(loss)
            losses.append(loss.detach())
            del loss  # the next part needs the memory of this one's graph
        if self.clip is not None:
            self._accelerator.clip_grad_norm_(self._trained, self.clip)
        self._prepared.step()
        self._prepared.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self._step)
        self._unread.append(sum(losses[1:], losses[0]).float())
        self._step += 1

    def _read(self) -> float:
        """Read the losses of the last steps, and give their mean."""
        import torch

        losses = torch.stack(self._unread).tolist()
        self._unread.clear()
        for place, loss in enumerate(losses, start=self._step - len(losses) + 1):
            if not math.isfinite(loss):
                raise PrerequisiteError(
                    f"the training failed: the loss of step {place} is {loss}",
                    remedy="give a lower learning rate, or another seed.",
                )
        self._within += losses
        return statistics.fmean(losses)

    def _progress(self, loss: float | None, pace: float, *, epoch_ends: bool = False) -> Progress:
        return Progress(
            step=self._step,
            steps=self.steps,
            epoch=len(self._losses),
            epochs=math.ceil(self.steps / (self.epoch or self.steps)),
            epoch_ends=epoch_ends,
            loss=loss,
            pace=pace,
        )

    def _save(self) -> None:
        if self.checkpoint is None or self._step == self._saved:
            return
        if self._unread:
            self._read()
        frozen = {
            name for name, value in self.model.named_parameters(remove_duplicate=False) if not value.requires_grad
        }
        scaler = self._accelerator.scaler
        self.checkpoint.write(
            {
                "step": self._step,
                "model": {name: value for name, value in self.model.state_dict().items() if name not in frozen},
                "optimizer": self.optimizer.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "average": None if self.average is None else self.average.weights,
                "random": random_state(self._device),
                "losses": self._losses,
                "within": self._within,
            }
        )
        self._saved = self._step

    def _resume(self) -> None:
        held = None if self.checkpoint is None else self.checkpoint.read()
        if held is None:
            return
        self.model.load_state_dict(held["model"], strict=False)  # what is frozen is not in it
        self.optimizer.load_state_dict(held["optimizer"])
        if held["scaler"] is not None and self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(held["scaler"])
        if held["average"] is not None and self.average is not None:
            self.average.load(held["average"])
        restore_random_state(held["random"], self._device)
        self._step = self._saved = held["step"]
        self._losses, self._within = held["losses"], held["within"]
        self.progress(self._progress(None, 0.0))


@contextlib.contextmanager
def _accelerator(device: torch.device, precision: str, stop: threading.Event) -> Iterator[Any]:
    """One training's `Accelerator`, for which others in this process wait."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    while not _TURN.acquire(timeout=0.2):
        if stop.is_set():
            raise Interrupted("the training was stopped before it began")
    try:
        AcceleratorState._reset_state(reset_partial_state=True)  # the last training may have been on another device
        yield Accelerator(device_placement=False, mixed_precision=precision, cpu=device.type == "cpu")
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        _TURN.release()
