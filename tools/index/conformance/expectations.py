"""How a check says what it expects of an `Index`, and what a store is known to lack."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....runtime.errors import BadInput
from ....runtime.passages import Mode
from .samples import LetterEmbedder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ....runtime.protocols import Index

__all__ = ["Lacks", "Opener", "close", "modes", "opened", "refuses", "same"]

Opener = Callable[..., Awaitable["Index"]]


@dataclass(frozen=True)
class Lacks:
    """What a store cannot do and refuses."""

    persistence: bool = False
    filters: bool = False
    text_order: bool = False
    """lt, le, gt, ge of texts."""
    bm25: bool = False
    images: bool = False
    listing: bool = False
    """count and iterate."""
    manifest: bool = False
    widening: bool = False
    """Pictures in an index that was begun without them."""


def modes(lacks: Lacks) -> tuple[Mode, ...]:
    """The modes that the store can search by."""
    return ("dense",) if lacks.bm25 else ("dense", "bm25", "hybrid")


@asynccontextmanager
async def opened(opener: Opener, **given: Any) -> AsyncIterator[Index]:
    """The index that the opener gives, with the embedder of the samples; closed at the end."""
    index = await opener(text=LetterEmbedder(), **given)
    try:
        yield index
    finally:
        await index.close()


async def refuses(what: str, call: Awaitable[Any]) -> None:
    """`AssertionError` unless `call` raises `BadInput`."""
    try:
        got = await call
    except BadInput:
        return
    raise AssertionError(f"{what} is not refused with BadInput: it gave {got!r:.200}")


def same(what: str, found: Any, wanted: Any) -> None:
    """`AssertionError` unless both are equal."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r:.1000} and not {wanted!r:.1000}")


def close(what: str, found: float, wanted: float) -> None:
    """`AssertionError` unless both are equal to 2e-5: a store may keep single precision."""
    if not math.isclose(found, wanted, abs_tol=2e-5):
        raise AssertionError(f"{what}: {found!r} and not {wanted!r}")
