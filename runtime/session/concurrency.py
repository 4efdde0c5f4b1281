"""Work over many items: all results in order, and one way for each kind of failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..errors import BadInput, CallFailed

__all__ = [
    "Mapped",
    "both",
    "chunks",
    "drained",
    "each",
    "gather",
    "in_turn",
    "map_items",
    "mapped",
    "outcome_of",
    "settled",
]


R = TypeVar("R")
I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741


@dataclass(frozen=True)
class Mapped(Generic[O]):
    """What came of many items, by id in the order of the items: results, failures for good, and what was left out."""

    results: dict[str, O] = field(default_factory=dict)
    failures: dict[str, BadInput | CallFailed] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


async def map_items(
    items: Mapping[str, I],
    work: Callable[[str, I], Awaitable[O | None]],
    *,
    in_flight: int,
    on_end: Callable[[str, O | BadInput | CallFailed | None], None] = lambda id, outcome: None,
) -> Mapped[O]:
    """Work on every item, at most `in_flight` at once; None of `work` means that there was no room left for the item.

    `on_end` is told what became of each. An item that fails for good (its input cannot be used, or a call gave nothing usable) fails
    alone. Where every item fails, the first failure is raised. Anything else (a failure that may pass, a missing prerequisite, an
    interruption) would be that of every item: the others are cancelled and it is raised.
    """
    outcomes: dict[str, O | BadInput | CallFailed | None] = {}

    async def one(id: str, item: I) -> None:
        outcomes[id] = await outcome_of(id, item, work)
        on_end(id, outcomes[id])

    await drained(in_turn(items), one, in_flight=in_flight)
    return mapped(items, outcomes)


async def outcome_of(
    id: str, item: I, work: Callable[[str, I], Awaitable[O | None]]
) -> O | BadInput | CallFailed | None:
    """What becomes of one item: its result, None where there was no room for it, or why it failed for good; any other failure is raised."""
    try:
        return await work(id, item)
    except (BadInput, CallFailed) as error:
        if isinstance(error, CallFailed) and error.retryable:
            raise
        return error


def mapped(ids: Iterable[str], outcomes: Mapping[str, O | BadInput | CallFailed | None]) -> Mapped[O]:
    """Outcomes by id, in the order of `ids`; where every one is a failure, the first is raised."""
    failures, results, left_out = {}, {}, []
    for id in ids:
        outcome = outcomes[id]
        if outcome is None:
            left_out.append(id)
        elif isinstance(outcome, BadInput | CallFailed):
            failures[id] = outcome
        else:
            results[id] = outcome
    if failures and len(failures) == len(outcomes):
        raise next(iter(failures.values()))
    return Mapped(results=results, failures=failures, left_out=tuple(left_out))


async def in_turn(items: Mapping[str, I]) -> AsyncIterator[tuple[str, I]]:
    """The items, one after the other."""
    for id, item in items.items():
        yield id, item


async def drained(
    source: AsyncIterator[tuple[str, I]], work: Callable[[str, I], Awaitable[None]], *, in_flight: int
) -> None:
    """Take items from `source` and work on them, at most `in_flight` at once, until there are no more.

    One is taken when there is room to work on it. At the first error the others are cancelled and it is raised.
    """
    turn = asyncio.Lock()  # an iterator is asked by one at a time

    async def take() -> None:
        while True:
            async with turn:
                try:
                    id, item = await anext(source)
                except StopAsyncIteration:
                    return
            await work(id, item)

    await gather([take() for _ in range(in_flight)])


async def settled(pending: Sequence[Awaitable[R]]) -> list[R]:
    """All results in order; the first failure is raised when every one has ended, so what was finished is stored."""
    tasks = [asyncio.ensure_future(each) for each in pending]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]  # an exception that a task returned is a result


async def both(first: Awaitable[I], second: Awaitable[O]) -> tuple[I, O]:
    """`settled` for two results of different types."""
    pending: list[Awaitable[Any]] = [first, second]
    one, other = await settled(pending)
    return one, other


def chunks(items: Sequence[R], size: int) -> Iterator[list[R]]:
    """`items` in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


async def gather(work: Sequence[Any]) -> list[Any]:
    """All results in order; at the first error the others are cancelled and it is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def each(
    call: Callable[[Sequence[I]], Awaitable[Sequence[O]]], items: Sequence[I]
) -> list[O | CallFailed | BadInput]:
    """What `call` makes of each item, or why it made nothing of it; same length and order.

    The batch is tried whole; where it fails, each item by itself. What was answered the first time comes from the
    ledger then. A `PrerequisiteError` is raised: it would be that of every item.
    """
    if not items:
        return []
    try:
        return list(await call(items))
    except (CallFailed, BadInput) as error:
        if len(items) == 1:
            return [error]

    async def alone(item: I) -> O | CallFailed | BadInput:
        try:
            return (await call([item]))[0]
        except (CallFailed, BadInput) as error:
            return error

    return await settled([alone(item) for item in items])
