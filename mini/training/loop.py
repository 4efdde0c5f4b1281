"""How all the small models are trained: a data stream by step, a warm-up and a cosine, and an average of the weights.

A step is a function from its number to a loss; its data depends on the number alone, so an interrupted training that is
started again sees what an unbroken one would have seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...tools.training import Checkpoint, Progress, TrainingLoop, WeightAverage

__all__ = ["fit", "keep_curves", "write_sums"]


def fit(
    model: nn.Module,
    loss_of: Callable[[int], Tensor],
    *,
    name: str,
    steps: int,
    rate: float,
    checkpoint: Path,
    weight_decay: float = 0.01,
    warm_up: int = 100,
    report: Callable[[str], None] = print,
) -> None:
    """Train `model` to `steps`, from the file `checkpoint` where there is one, and put the average of its weights into it.

    The rate rises for `warm_up` steps. The checkpoint stays, so that the finished weights can be written again, and beside it
    the curve: a CSV file of `step,loss`, where steps that were done again after a kill stand twice.
    """
    curve = checkpoint.with_suffix(".csv")

    def schedule(step: int) -> float:
        warm = min(1.0, (step + 1) / warm_up)
        return warm * max(0.02, 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))

    def progress(at: Progress) -> None:
        left = at.pace * (at.steps - at.step) / 60
        if at.loss is not None:
            with curve.open("a", encoding="utf-8") as rows:
                rows.write(f"{at.step},{at.loss:.5f}\n")
        report(f"{name}: {at}" + ("" if at.loss is None else f"  {at.pace:.2f} s a step  {left:.0f} min left"))

    trained = [value for value in model.parameters() if value.requires_grad]
    average = WeightAverage(model)
    loop = TrainingLoop(
        model=model,
        loss=lambda _, step: loss_of(step),
        batches=lambda step: [step],
        optimizer=torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True),
        steps=steps,
        schedule=schedule,
        average=average,
        checkpoint=Checkpoint(path=checkpoint, key=name),
        progress=progress,
    )
    with _attention(trained[0].device):
        loop.run()
    average.put_in()


def _attention(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Attention spelt out on a processor, whose fused one goes back five times slower over a hundred places."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else contextlib.nullcontext()


def keep_curves(folder: Path, work: Path, *names: str) -> None:
    """Put the curves of these trainings, as far as `work` has them, beside the weights."""
    for name in names:
        if (curve := work / f"{name}.csv").exists():
            shutil.copyfile(curve, folder / curve.name)


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` over every other file of a model folder."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes for its owner alone
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder).as_posix()}" for p in files]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")
