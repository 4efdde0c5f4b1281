"""The random state of a training: set by its seed, kept in its checkpoint, and put back for the process afterwards."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["random_state", "restore_random_state", "seeded"]


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random numbers that follow from `seed`; the CPU's generators are put back at the end."""
    import numpy as np
    import torch

    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def random_state(device: torch.device) -> dict[str, Any]:
    """The state of torch's generators, of the CPU and of `device`."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random_state(states: dict[str, Any], device: torch.device) -> None:
    """Put back what `random_state` gave; a generator of another kind of device keeps its own."""
    import torch

    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
