"""`mini-writer`: a LoRA adapter that teaches SmolLM2-135M-Instruct the roles of rewriter and questioner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...runtime.records import Message
from .adapter import Exchange, train_adapter
from .writer_rows import rows

__all__ = ["train_writer"]


def train_writer(work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print) -> None:
    """Train the adapter and write it in fp16."""
    train_adapter(
        work, out, name="writer", exchanges=_exchanges, seed=4, steps=steps, rate=2e-3, device=device, report=report
    )  # fmt: skip


def _exchanges(number: int) -> Iterator[Exchange]:
    for row in rows(4_000_000 + number):
        yield Exchange(messages=[Message(role="user", content=row.prompt)], answer=row.answer)
