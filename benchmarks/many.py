"""A run of very many prompts with scripted models: what the machinery itself takes, from the first hundred prompts to the last."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import Message
from inloop.runtime.session import Event
from inloop.runtime.settings import Settings

from .figures import Figure, Options

__all__ = ["measure"]

_SMALL = {"iterations": 1, "candidates": 2, "images_per_prompt": 1, "heldout_seeds": 1, "baselines": False}
_EACH = 100

_SIZES = ("small", "large", "tiny", "huge")
_COLORS = ("red", "blue", "green", "yellow", "purple", "orange", "black", "white")
_THINGS = ("circle", "square", "star", "heart", "ring", "cat", "cake", "rocket")
_PLACES = ("above", "below", "next to", "behind")


def measure(options: Options) -> list[Figure]:
    """Processor time and memory of each hundred of `options.many` prompts, through functions, the ledger and the checkpoints."""
    from inloop.graphs.opt2i import opt2i
    from inloop.testing import ScriptedChat, ScriptedEmbedder

    if options.many < 4 * _EACH:
        raise BadInput(f"--many {options.many}: give {4 * _EACH} or more, the first hundreds load and fill caches.")
    marks = [_mark()]

    def listen(event: Event) -> None:
        nonlocal done
        if event.event == "task_done":
            done += 1
            if done % _EACH == 0:
                marks.append(_mark())
                print(f"  {done} prompts, {marks[-1][2]:.0f} MB", file=sys.stderr, flush=True)

    done = 0
    with tempfile.TemporaryDirectory() as folder:
        outcome = opt2i(
            *_prompts(options.many),
            settings=Settings(runs_dir=Path(folder)),
            models={"llm": ScriptedChat(_rewrites), "images": _paint, "vqa": _answer, "clip": ScriptedEmbedder()},
            on_event=listen,
            **_SMALL,
        )
    ended = _mark()
    if len(outcome.tasks) != options.many:
        raise PrerequisiteError(f"{options.many - len(outcome.tasks)} prompts failed", remedy="see runs/bench.")
    spans = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks)]
    own = [1000 * cpu / _EACH for cpu, _ in spans]
    first, last = own[1], own[-1]
    note = ", ".join(f"{numbers['paid']} {kind}" for kind, numbers in outcome.calls.items()) + " calls"
    memory = [mark[2] for mark in marks]
    grown = (memory[-1] - memory[2]) / (len(memory) - 3) / _EACH * 1000
    return [
        Figure(name=f"{options.many} prompts, wall time", value=ended[1] - marks[0][1], unit="s", note=note),
        Figure(name="processor time a prompt, second hundred", value=first, unit="ms"),
        Figure(name="processor time a prompt, last hundred", value=last, unit="ms"),
        Figure(name="last hundred over second", value=last / first, unit="x"),
        Figure.of("processor time a prompt, every hundred", own[1:], "ms", " ".join(f"{each:.0f}" for each in own)),
        Figure(name="memory after 200 prompts", value=memory[2], unit="MB"),
        Figure(
            name="memory after the last", value=memory[-1], unit="MB", note=" ".join(f"{each:.0f}" for each in memory)
        ),
        Figure(name="memory that a prompt leaves", value=grown, unit="KB"),
        Figure(name="memory with the result written", value=ended[2], unit="MB"),
    ]


def _mark() -> tuple[float, float, float]:
    """Processor time, wall time (s) and memory (MB) of this process by now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return time.process_time(), time.perf_counter(), pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _prompts(count: int) -> list[str]:
    def all_of_them() -> Iterator[str]:
        for size, color, thing, place, other, beside in product(_SIZES, _COLORS, _THINGS, _PLACES, _COLORS, _THINGS):
            yield f"a {size} {color} {thing} {place} a {other} {beside}"

    return [prompt for prompt, _ in zip(all_of_them(), range(count), strict=False)]


def _share(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32


def _rewrites(messages: Sequence[Message]) -> str:
    name = hashlib.sha256(messages[-1].content.encode()).hexdigest()[:12]
    return "\n".join(f"{place}. <PROMPT>picture {name} in the way {place}</PROMPT>" for place in (1, 2))


def _paint(prompt: str, seed: int) -> Any:
    from PIL import Image

    return Image.new("RGB", (16, 16), tuple(hashlib.sha256(f"{prompt}:{seed}".encode()).digest()[:3]))


def _answer(image: Any, question: str) -> float:
    return _share(f"{image.getpixel((0, 0))}:{question}")


for _function in (_paint, _answer):
    _function.model, _function.revision = f"scripted-{_function.__name__.strip('_')}", "1"  # type: ignore[attr-defined]
