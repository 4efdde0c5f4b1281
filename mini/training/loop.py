"""One training loop for all the small models: seeded, resumable, with an average of the weights.

A step is a function from its number to a loss; its data depends on the number alone, so an interrupted training that is
started again sees what an unbroken one would have seen.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ...tools.models import is_fast_in_bfloat16

__all__ = ["Fit", "fit", "is_fast_in_bfloat16", "write_sums"]


class Fit:
    """A training under way: `model` with its optimiser and the average of its weights (`average`, decay 0.999)."""

    def __init__(
        self, model: nn.Module, *, steps: int, rate: float, checkpoint: Path, weight_decay: float = 0.01
    ) -> None:
        self.model, self.steps, self.rate, self.checkpoint = model, steps, rate, checkpoint
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay)
        self.average = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
        self.step = 0
        if checkpoint.exists():
            held = torch.load(checkpoint, weights_only=True)
            model.load_state_dict(held["model"], strict=False)
            self.optimizer.load_state_dict(held["optimizer"])
            self.average, self.step = held["average"], held["step"]

    def save(self) -> None:
        """Write everything needed to go on, atomically."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        beside = self.checkpoint.with_suffix(".tmp")
        trained = {name: p.detach() for name, p in self.model.named_parameters() if p.requires_grad}
        held = {"model": trained, "optimizer": self.optimizer.state_dict(), "average": self.average, "step": self.step}
        torch.save(held, beside)
        Path(beside).replace(self.checkpoint)

    def use_average(self) -> None:
        """Put the averaged weights into the model."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self.average:
                    parameter.copy_(self.average[name])

    def _update(self, loss: Tensor) -> None:
        warm = min(1.0, (self.step + 1) / 100)
        cooled = 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / self.steps)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * max(cooled, 0.02)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        decay = min(0.999, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if name in self.average:
                    self.average[name].lerp_(parameter, 1 - decay)
        self.step += 1


def fit(run: Fit, loss_of: Callable[[int], Tensor], *, name: str, report: Callable[[str], None] = print) -> None:
    """Train to `run.steps`; a checkpoint every minute and at the end."""
    device = next(run.model.parameters()).device
    half = is_fast_in_bfloat16(device)
    saved = said = begun = time.monotonic()
    first, smooth = run.step, math.nan
    run.model.train()
    while run.step < run.steps:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = loss_of(run.step)
        run._update(loss)
        smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
        now = time.monotonic()
        if now - said > 15 or run.step == run.steps:
            pace = (now - begun) / (run.step - first)
            report(
                f"{name}: step {run.step}/{run.steps}  loss {smooth:.4f}  {pace:.2f} s a step  {pace * (run.steps - run.step) / 60:.0f} min left"
            )
            said = now
        if now - saved > 60:
            run.save()
            saved = now
    run.save()
    run.model.eval()


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` over every other file of a model folder."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes for its owner alone
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}" for p in files]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
