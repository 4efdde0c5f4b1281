"""Several processes on one run: what a claim costs, and how much faster two processes are.

The models are functions, through the call ledger: pictures and answers of the hash of what is asked. They work as long as the smallest real
models do, and hold the processor while they do.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.settings import Settings
from inloop.runtime.store import Claims, Store, StoreLocation

from .figures import Figure, Options
from .many import _prompts

__all__ = ["measure"]

_SMALL: dict[str, Any] = {
    "iterations": 2,
    "candidates": 2,
    "images_per_prompt": 2,
    "heldout_seeds": 2,
    "baselines": False,
}
_CLAIMS = 2000


def measure(options: Options) -> list[Figure]:
    """The claims, and the speed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return [*_claims(root), *_speed(root)]


def _claims(root: Path) -> list[Figure]:
    """What claiming a call and giving it back takes, beside looking it up."""

    async def claimed(claims: Claims) -> None:
        for number in range(_CLAIMS):
            await claims.take(f"call {number}")
            await claims.release(f"call {number}")

    with Claims(root / "claims.sqlite") as claims, Claims(root / "claims.sqlite"):
        seconds = _seconds(lambda: asyncio.run(claimed(claims)))
    return [Figure(name="a call claimed and given back", value=1e6 * seconds / _CLAIMS, unit="us")]


def _speed(root: Path) -> list[Figure]:
    """64 prompts: the same models one after the other in a plain loop, in one process, and in two."""
    from inloop.graphs.opt2i import opt2i

    prompts, names = _prompts(64), {"llm": "chat", "images": "images", "vqa": "reader", "clip": "clip"}
    specs = {role: f"benchmarks.scale_models:{name}" for role, name in names.items()}
    walls: dict[str, float] = {}
    for engine in ("local", "local:2"):
        settings = Settings(runs_dir=root / engine.replace(":", "-"), engine=engine, threads=1)
        run = lambda settings=settings: opt2i(*prompts, settings=settings, **specs, **_SMALL)  # type: ignore[misc]  # noqa: E731
        walls[engine] = _seconds(run)
    with Store(StoreLocation.of(root / "local" / ".store")) as store:
        calls = store.ledger._rows.select("SELECT kind, call FROM results")
    plain = _seconds(lambda: _replayed([(kind, json.loads(call)) for kind, call in calls]))
    return [
        Figure(name="64 prompts, plain loop over the same calls", value=plain, unit="s", note=f"{len(calls)} calls"),
        Figure(name="64 prompts, engine local", value=walls["local"], unit="s"),
        Figure(
            name="64 prompts, engine local:2", value=walls["local:2"], unit="s", note="with the start of both processes"
        ),
        Figure(name="plain loop over engine local", value=plain / walls["local"], unit="x"),
        Figure(name="plain loop over engine local:2", value=plain / walls["local:2"], unit="x"),
    ]


def _replayed(calls: list[tuple[str, dict[str, Any]]]) -> None:
    """Every call of a run once more, one after the other, and nothing else."""
    from . import scale_models

    works = {"image": scale_models.PICTURE, "vqa": scale_models.READING}
    for kind, _ in calls:
        if kind in works:
            scale_models.busy(works[kind])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
