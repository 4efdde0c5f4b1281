"""A whole run with 8 prompts in flight: its wall time over the busiest model's own time, and the same run from the ledger."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.run import RunFolder
from inloop.runtime.settings import Settings

from .figures import Figure, Options

__all__ = ["PROMPTS", "measure"]

PROMPTS = (
    "a crimson disc to the left of an azure box",
    "a trio of golden pentagrams",
    "a kitty beneath a scarlet valentine",
    "a tiny emerald hoop above a plum rhombus",
    "a picture of a pair of bunnies",
    "an ebony block on the right side of a spaceship",
    "a foursome of tangerine dots against a snowy backdrop",
    "a gateau over a cobalt lozenge",
)


# small, so that it takes a minute on two cores
_SMALL = {"candidates": 3, "images_per_prompt": 2, "heldout_seeds": 2}


class Clock:
    """Seconds in which a model was at work: one or more of its calls under way."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._under_way = 0
        self._since = 0.0
        self._guard = threading.Lock()

    def __enter__(self) -> None:
        with self._guard:
            if self._under_way == 0:
                self._since = time.perf_counter()
            self._under_way += 1

    def __exit__(self, *error: object) -> None:
        with self._guard:
            self._under_way -= 1
            if self._under_way == 0:
                self.seconds += time.perf_counter() - self._since


def measure(options: Options) -> list[Figure]:
    """Wall time of 8 prompts in flight over the busiest model's own; then the same command, answered by the ledger."""
    with tempfile.TemporaryDirectory() as folder:
        wall, clocks, outcome = _first(Path(folder), options)
        figures = [Figure(name="8 prompts in flight, wall time", value=wall, unit="s", note=_size(outcome))]
        figures += [
            Figure(name=f"8 prompts in flight, {name} at work", value=clock.seconds, unit="s")
            for name, clock in clocks.items()
        ]
        busiest = max(clocks, key=lambda name: clocks[name].seconds)
        together = sum(clock.seconds for clock in clocks.values())
        figures += [
            Figure(
                name="wall time over the busiest model's own",
                value=wall / clocks[busiest].seconds,
                unit="x",
                note=busiest,
            ),
            Figure(name="wall time over all models' own, added up", value=wall / together, unit="x"),
        ]
        return [*figures, *_again(Path(folder), options)]


def _config(options: Options) -> dict[str, Any]:
    return {
        "prompts": PROMPTS,
        "llm": options.llm,
        "images": options.images,
        "vqa": options.vqa,
        "clip": options.clip,
        "iterations": options.iterations,
        "baselines": False,
        **_SMALL,
    }


def _first(folder: Path, options: Options) -> tuple[float, dict[str, Clock], Any]:
    from inloop.graphs.opt2i import Opt2iConfig, context, opt2i
    from inloop.runtime.run import carry

    clocks: dict[str, Clock] = {}
    openers: dict[str, Callable[..., Any]] = {}

    def timed(name: str) -> Callable[..., Any]:
        def open_it(*arguments: Any) -> Any:
            tool = openers[name](*arguments)
            clock = clocks.setdefault(name, Clock())
            if name == "chat":
                tool.sender.send = _async_timed(tool.sender.send, clock)
            else:
                tool._serve = _timed(tool._serve, clock)
            return tool

        return open_it

    for name in ("images", "vqa", "clip", "chat"):
        openers[name] = getattr(context, f"open_{name}")
        setattr(context, f"open_{name}", timed(name))
    try:
        config = Opt2iConfig(**_config(options))
        settings = Settings(runs_dir=folder, device=options.device)
        run = RunFolder.create(folder, "opt2i", config)
        began = time.perf_counter()
        outcome = asyncio.run(carry(opt2i, config, settings=settings, folder=run))
        return time.perf_counter() - began, clocks, outcome
    finally:
        for name, opener in openers.items():
            setattr(context, f"open_{name}", opener)


def _timed(work: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    def wrapped(*arguments: Any) -> Any:
        with clock:
            return work(*arguments)

    return wrapped


def _async_timed(work: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        with clock:
            return await work(*arguments, **named)

    return wrapped


def _size(outcome: Any) -> str:
    return ", ".join(f"{numbers['paid']} {kind}" for kind, numbers in outcome.calls.items()) + " calls"


def _again(folder: Path, options: Options) -> list[Figure]:
    """The command of the first run once more, as a process of its own."""
    (folder / "prompts.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    command = [sys.executable, "-m", "inloop.app.cli.main", "opt2i", "--json", "--prompts", str(folder / "prompts.txt")]
    command += ["--out", str(folder), "--iterations", str(options.iterations), "--device", options.device]
    command += ["--llm", options.llm, "--images", options.images, "--vqa", options.vqa, "--clip", options.clip]
    for name, value in _SMALL.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    command.append("--no-baselines")
    took, calls = [], 0
    for _ in range(options.repeats):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - began)
        calls += sum(numbers["paid"] for numbers in json.loads(done.stdout)["calls"].values())
    return [
        Figure.of("the same command again, from start to exit", took, "s"),
        Figure(name="the same command again, model calls made", value=calls, unit="calls"),
    ]
