"""`mini-writer`: a LoRA adapter that teaches SmolLM2-135M-Instruct its roles: rewriter, paraphraser, questioner and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...runtime.records import Message
from .adapter import Exchange, train_adapter
from .writer_rows import rows

__all__ = ["train_writer"]

_JUDGEMENT = 8.0  # an answer of one word beside rewrites of fifty tokens


def train_writer(
    work: Path,
    out: Path,
    *,
    steps: int,
    device: str,
    start: Path | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Train the adapter, from the finished one in the folder `start` where it is given, and write it in fp16."""
    train_adapter(
        work, out, name="writer", exchanges=_exchanges, seed=4, steps=steps, rate=1.5e-3, device=device, start=start,
        report=report,
    )  # fmt: skip


def _exchanges(number: int) -> Iterator[Exchange]:
    for row in rows(4_000_000 + number):
        messages = [Message(role="user", content=row.prompt)]
        yield Exchange(messages=messages, answer=row.answer, weight=_JUDGEMENT if row.role == "same" else 1.0)
