"""The batcher: what is joined, in what order, and whom an exception reaches."""

import asyncio
import threading
import time

import pytest

from inloop.runtime.batcher import Batcher
from inloop.runtime.errors import BadInput, RunnerError


async def test_requests_of_many_callers_share_a_batch() -> None:
    batches: list[list[int]] = []
    threads: set[int] = set()

    def double(items: list[int]) -> list[int]:
        batches.append(items)
        threads.add(threading.get_ident())
        return [2 * item for item in items]

    batcher = Batcher(double, name="double", max_batch=8, linger=0.3)
    outputs = await asyncio.gather(*(batcher.submit(n) for n in range(20)))
    assert outputs == [2 * n for n in range(20)]
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert [n for batch in batches for n in batch] == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads
    stats = batcher.stats
    assert (stats.batches, stats.items, stats.largest) == (3, 20, 8)
    await batcher.aclose()
    await batcher.aclose()
    with pytest.raises(RunnerError, match="'double' is closed"):
        await batcher.submit(1)


async def test_what_comes_while_a_batch_runs_makes_the_next_one() -> None:
    sizes: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def slow(items: list[int]) -> list[int]:
        sizes.append(len(items))
        begun.set()
        assert go.wait(10)
        time.sleep(0.05)
        return items

    batcher = Batcher(slow, name="slow", max_batch=100, linger=0.0)
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.to_thread(begun.wait, 10)
    rest = asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))
    await asyncio.sleep(0)
    go.set()
    assert (await rest, await first) == ([1, 2, 3], 0)
    assert sizes == [1, 3]
    assert batcher.stats.busy_seconds >= 0.1
    await batcher.aclose()


async def test_an_exception_reaches_only_its_batch() -> None:
    def picky(items: list[int]) -> list[int]:
        if 13 in items:
            raise ValueError("13 is not painted")
        return items

    batcher = Batcher(picky, name="picky", max_batch=2, linger=0.3)
    outputs = await asyncio.gather(*(batcher.submit(n) for n in (11, 12, 13, 14, 15)), return_exceptions=True)
    assert outputs[:2] == [11, 12] and outputs[4] == 15
    assert all(isinstance(output, ValueError) for output in outputs[2:4])
    await batcher.aclose()


async def test_wrong_number_of_outputs_is_an_error() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: items[:-1], name="short", max_batch=4)
    with pytest.raises(RunnerError, match="'short' gave 2 outputs for 3 items"):
        await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))
    await batcher.aclose()


async def test_cancelled_requests_are_not_computed() -> None:
    seen: list[int] = []
    go = threading.Event()

    def wait(items: list[int]) -> list[int]:
        go.wait(5)
        seen.extend(items)
        return items

    batcher = Batcher(wait, name="wait", max_batch=1, linger=0.0)
    first = asyncio.create_task(batcher.submit(1))
    second = asyncio.create_task(batcher.submit(2))
    third = asyncio.create_task(batcher.submit(3))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait([second])
    go.set()
    assert (await first, await third) == (1, 3)
    assert second.cancelled() and seen == [1, 3]
    await batcher.aclose()


async def test_close_serves_what_waits() -> None:
    def slow(items: list[int]) -> list[int]:
        time.sleep(0.02)
        return items

    batcher = Batcher(slow, name="slow", max_batch=2, linger=0.0)
    waiting = [asyncio.create_task(batcher.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    await batcher.aclose()
    assert await asyncio.gather(*waiting) == list(range(5))


async def test_an_item_that_needs_no_company_is_not_kept_waiting() -> None:
    batches: list[list[int]] = []

    def keep(items: list[int]) -> list[int]:
        batches.append(items)
        return items

    batcher = Batcher(keep, name="keep", max_batch=2, linger=59.0, waits=lambda item: item > 0)
    async with asyncio.timeout(20):  # it would wait for a minute
        assert await batcher.submit(0) == 0
        assert await asyncio.gather(batcher.submit(1), batcher.submit(2)) == [1, 2]
    assert batches == [[0], [1, 2]]
    await batcher.aclose()


def test_bad_sizes() -> None:
    with pytest.raises(BadInput, match="max_batch=0"):
        Batcher(lambda items: items, name="none", max_batch=0)
    with pytest.raises(BadInput, match="linger=-1"):
        Batcher(lambda items: items, name="none", max_batch=1, linger=-1)
