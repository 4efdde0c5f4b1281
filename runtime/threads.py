"""How the threads of a computation wait for each other."""

from __future__ import annotations

import os

__all__ = ["wait_idly"]


def wait_idly() -> None:
    """Have OpenMP's threads sleep where they wait for each other, unless the environment says otherwise (`OMP_WAIT_POLICY`).

    By default they spin. Where other processes use the cores too, a thread then burns the time that its partner waits for: a small batch took
    25 times as long on two shared cores. Has an effect before torch is imported, not after.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
