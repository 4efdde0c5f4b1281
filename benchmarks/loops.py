"""A whole run with many prompts in flight: its wall time over the busiest model's own time, beside the paper's loop, and the same run from the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.folder import RunFolder
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
    "a jade pentagram beneath an onyx disc",
    "a pair of violet boxes",
    "a huge feline to the right of a rose hoop",
    "a bunny on top of a lemon block",
    "a trio of scarlet rhombi",
    "a small lavender heart to the left of a rocket",
    "an ivory ghost over a crimson box",
    "a couple of navy stars",
)
_IN_SEQUENCE = 4
"""Prompts of the paper's loop: a prompt takes it as long, however many there are."""


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
    """Wall time of the prompts in flight over the busiest model's own, and beside the paper's loop; then the same command, answered by the ledger."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        flight = f"{len(PROMPTS)} prompts in flight"
        _in_sequence(Path(other) / "warm", options, 1)  # whatever is imported is imported now, for both sides
        own = _processor_time()
        wall, clocks, outcome = _first(Path(folder), options)
        own = _processor_time() - own
        figures = [
            Figure(name=f"{flight}, wall time", value=wall, unit="s", note=_size(outcome)),
            Figure(name=f"{flight}, processor time", value=own, unit="s"),
        ]
        figures += [
            Figure(name=f"{flight}, {name} at work", value=clock.seconds, unit="s") for name, clock in clocks.items()
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
        paper_own = _processor_time()
        paper, one_by_one = _in_sequence(Path(other) / "measured", options, _IN_SEQUENCE)
        paper_own = _processor_time() - paper_own
        each, paper_each = len(PROMPTS), len(one_by_one.tasks)
        figures += [
            Figure(
                name="the paper's loop, wall time a prompt", value=paper / paper_each, unit="s", note=_size(one_by_one)
            ),
            Figure(
                name="the paper's loop over ours, a prompt",
                value=(paper / paper_each) / (wall / each),
                unit="x",
                note=f"{paper_each} prompts, one after the other",
            ),
            Figure(
                name="the paper's loop over ours, by processor time",
                value=(paper_own / paper_each) / (own / each),
                unit="x",
            ),
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
        "in_flight": len(PROMPTS),
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


class _OneByOne:
    """A model that is asked one thing at a time, and only while no other one is at work, as in the paper's loop."""

    def __init__(self, tool: Any, turn: asyncio.Lock) -> None:
        self._tool, self._turn = tool, turn

    def __getattr__(self, name: str) -> Any:
        work = getattr(self._tool, name)

        async def each(asked: Any, **options: Any) -> list[Any]:
            answers = []
            for one in asked:
                async with self._turn:
                    answers += await work([one], **options)
            return answers

        async def alone(*asked: Any, **options: Any) -> Any:
            async with self._turn:
                return await work(*asked, **options)

        return each if name in ("generate", "answer", "images", "texts") else alone if name == "complete" else work


def _in_sequence(folder: Path, options: Options, prompts: int) -> tuple[float, Any]:
    """The same search on the same models, in batches of one: one prompt, one picture and one question at a time."""
    from inloop.graphs.opt2i import Opt2iConfig, context, opt2i
    from inloop.runtime.run import carry

    turn = asyncio.Lock()
    alone = {"images": "batch=1", "vqa": "batch=1", "clip": "", "chat": ""}
    openers = {name: getattr(context, f"open_{name}") for name in alone}

    def one_by_one(name: str) -> Callable[..., Any]:
        def open_it(spec: str, *arguments: Any) -> Any:
            option = alone[name]
            alike = spec + (("&" if "?" in spec else "?") + option) * bool(option)
            return _OneByOne(openers[name](alike, *arguments), turn)

        return open_it

    for name in alone:
        setattr(context, f"open_{name}", one_by_one(name))
    try:
        config = Opt2iConfig(**(_config(options) | {"prompts": PROMPTS[-prompts:], "in_flight": 1}))
        run = RunFolder.create(folder, "opt2i", config)
        began = time.perf_counter()
        settings = Settings(runs_dir=folder, device=options.device)
        outcome = asyncio.run(carry(opt2i, config, settings=settings, folder=run))
        return time.perf_counter() - began, outcome
    finally:
        for name, opener in openers.items():
            setattr(context, f"open_{name}", opener)


def _processor_time() -> float:
    """Of this process and of the servers that it started and ended, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


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
