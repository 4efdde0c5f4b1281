"""A figure, how figures are taken, printed and kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

__all__ = ["Figure", "Options", "keep", "machine", "seconds", "table"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is measured: model specs as in `inloop opt2i`; `repeats`: how often each time is taken; a `student`, None for the one
    that the benchmark is about; `prompts` and `many`: how many `search` and `many` take; `claims` and `answerer`: of `rag_answers`; `makers`: of
    `statements`, "hand" for those that were written by hand alone; `draw`: of the pictures and seeds of `retrieval_vision` and `label`;
    `embedder`: of `statements` and `questions`; `questions`: which set; `vectors`: the most of `dedup`; `postgres` and `bucket`: URLs for `store` and `kills`;
    `out`: the folder of the figures, where a measurement may keep its cases as well."""

    images: str
    vqa: str
    clip: str
    llm: str
    student: str | None
    device: str
    repeats: int
    iterations: int
    claims: int = 100
    prompts: int = 27
    many: int = 2000
    answerer: str = "quote"
    draw: int = 0
    makers: str = "all"
    embedder: str = "minilm"
    vectors: int = 100_000
    questions: str = "first"
    postgres: str = ""
    bucket: str = ""
    out: Path = Path("runs/bench")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number. `low` and `high`: its range over the repeats; `note`: what it was measured with."""

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    note: str = ""

    @classmethod
    def of(cls, name: str, values: Sequence[float], unit: str, note: str = "") -> Figure:
        """The median of repeated measurements."""
        return cls(name=name, value=statistics.median(values), unit=unit, low=min(values), high=max(values), note=note)

    @classmethod
    def share(cls, name: str, hits: Sequence[bool], unit: str = "%", note: str = "") -> Figure:
        """The share of `hits` in percent with its 95 % interval (Wilson 1927), which holds for few and for none as well."""
        from scipy.stats import binomtest

        low, high = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
        value, counted = 100 * sum(hits) / len(hits), f"{sum(hits)} of {len(hits)}"
        return cls(name=name, value=value, unit=unit, low=100 * low, high=100 * high, note=f"{counted}{note}")


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def table(figures: Sequence[Figure]) -> str:
    """The figures as text, one a line."""
    rows = [
        (
            figure.name,
            f"{figure.value:.4g} {figure.unit}",
            "" if figure.low is None or figure.high is None else f"{figure.low:.4g} to {figure.high:.4g}",
            figure.note,
        )
        for figure in figures
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    )


def machine(device: str) -> dict[str, str | int]:
    """What the figures were taken on."""
    names = ("inloop", "torch", "transformers", "diffusers", "langgraph")
    told: dict[str, str | int] = {name: version(name) for name in names}
    told |= {"python": platform.python_version(), "system": platform.platform(), "cores": _cores(), "device": device}
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        told["cpu"] = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    try:
        told["load"] = f"{os.getloadavg()[0]:.1f} before the measurement"
    except (AttributeError, OSError):
        told["load"] = "unknown"
    return told


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep(folder: Path, name: str, figures: Sequence[Figure], about: dict[str, str | int]) -> Path:
    """Write the figures of one measurement with the date and the machine; gives the file."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    told = {"measurement": name, "date": now.isoformat(timespec="seconds"), "machine": about}
    told["figures"] = [asdict(figure) for figure in figures]
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return path
