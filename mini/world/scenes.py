"""Training data of the small models: endless, seeded streams of drawn scenes with their words.

Every stream skips the specs of the held-out set, so that what `evaluate` measures was never trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .domains import TRAINED_DOMAINS, Domain
from .drawing import Scene, Spec, draw, place, sample_spec
from .grammar import plain

__all__ = ["is_held_out", "pixels", "scenes", "specs"]


def is_held_out(spec: Spec) -> bool:
    """One spec in sixteen, by the hash of its plain caption, belongs to the held-out set."""
    return hashlib.sha256(plain(spec).text.encode()).digest()[0] < 16


def specs(seed: int, *, held_out: bool = False) -> Iterator[Spec]:
    """Random specs, of the held-out set or of the rest."""
    rng = np.random.default_rng([seed, int(held_out)])
    while True:
        spec = sample_spec(rng)
        if is_held_out(spec) == held_out:
            yield spec


def scenes(seed: int, *, flat: float = 1.0, held_out: bool = False, spread: float = 1.0) -> Iterator[Scene]:
    """Random scenes; a share `flat` of them in the flat domain, the rest in the others. `spread`: as of `place`."""
    rng = np.random.default_rng([seed, 5])
    for number, spec in enumerate(specs(seed, held_out=held_out)):
        domain: Domain = (
            "flat" if rng.random() < flat else TRAINED_DOMAINS[1 + int(rng.integers(len(TRAINED_DOMAINS) - 1))]
        )
        yield place(spec, seed * 1_000_003 + number, domain=domain, spread=spread)


def pixels(batch: list[Scene]) -> NDArray[np.float32]:
    """(batch, 3, 96, 96) in [-1, 1]."""
    stacked = np.stack([np.asarray(draw(scene)) for scene in batch]).astype(np.float32)
    return np.ascontiguousarray((stacked / 127.5 - 1).transpose(0, 3, 1, 2))
