"""`mini-answerer`: a LoRA adapter that teaches SmolLM2-135M-Instruct to answer questions about pictures from what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .adapter import Exchange, train_adapter
from .answerer_rows import answer_rows

__all__ = ["train_answerer"]

_FIRST_LAYER = (
    18  # where an answer stands is settled in the upper layers: fewer of them are cheaper to train, and smaller
)


def train_answerer(work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print) -> None:
    """Train the adapter and write it in fp16."""
    train_adapter(
        work, out, name="answerer", exchanges=_exchanges, seed=5, steps=steps, rate=1.5e-3, device=device,
        first_layer=_FIRST_LAYER, warm_up=10, report=report,
    )  # fmt: skip


def _exchanges(number: int) -> Iterator[Exchange]:
    for row in answer_rows(5_000_000 + number):
        yield Exchange(messages=row.messages, answer=row.answer)
