"""Where things are kept: calls looked up and paid among 100,000 in SQLite and in PostgreSQL, blobs in a folder and in a bucket, 10,000 runs listed.

A call computes nothing, so that what is measured is the ledger. PostgreSQL and the bucket are measured where `--postgres` and `--bucket` name some; a schema
of the measurement's own is made in the one, and a folder in the other.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from inloop.runtime.folder import RunFolder, list_runs
from inloop.runtime.records import Cost
from inloop.runtime.store import Call, Store, StoreLocation

from .figures import Figure, Options, seconds

__all__ = ["measure"]

_CALLS, _ASKED, _PAID, _RUNS = 100_000, 5_000, 500, 10_000
_IN_FLIGHT = 64
_BLOB, _BLOBS = 100_000, 200


def measure(options: Options) -> list[Figure]:
    """Each store from empty; the latencies are of single calls, one after the other."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        figures += _ledger(
            "SQLite", StoreLocation.of(root / "sqlite"), lambda: (root / "sqlite/ledger.sqlite").stat().st_size
        )
        if options.postgres:
            mark = "&" if "?" in options.postgres else "?"
            url = f"{options.postgres}{mark}schema=bench_{secrets.token_hex(4)}"
            figures += _ledger("PostgreSQL", StoreLocation.of(url, root / "blobs"))
        figures += _blobs("a folder", StoreLocation.of(root / "files"))
        if options.bucket:
            bucket = StoreLocation.of(root / "files", f"{options.bucket.rstrip('/')}/{secrets.token_hex(4)}")
            figures += _blobs("a bucket", replace(bucket, cache=root / "cache"), root / "empty cache")
        figures += _listed(root / "runs", options.repeats)
    return figures


def _call(n: int) -> Call:
    inputs = {"prompt": f"a red disc left of {n} blue stars", "seed": n}
    return Call(kind="image", model="painter", revision="r1", params={"steps": 12, "size": 64}, inputs=inputs)


async def _nothing() -> tuple[Any, Cost]:
    return {"sha256": "0" * 64, "media_type": "image/png", "bytes": 100_000}, Cost(calls=1, images=1)


def _ledger(name: str, at: StoreLocation, size: Callable[[], int] | None = None) -> list[Figure]:
    drawn = random.Random(0)

    async def fill(store: Store) -> float:
        room = asyncio.Semaphore(_IN_FLIGHT)

        async def one(n: int) -> None:
            async with room:
                await store.ledger.once(_call(n), _nothing)

        started = time.perf_counter()
        for first in range(0, _CALLS, 5_000):
            await asyncio.gather(*(one(n) for n in range(first, first + 5_000)))
        return time.perf_counter() - started

    async def each(store: Store, numbers: list[int]) -> list[float]:
        taken = []
        for n in numbers:
            call = _call(n)
            _ = call.key
            started = time.perf_counter()
            await store.ledger.once(call, _nothing)
            taken.append(1000 * (time.perf_counter() - started))
        return taken

    with Store(at, run_id="filling") as store:
        filling = asyncio.run(fill(store))
    with Store(at, run_id="asking") as store:
        reused = asyncio.run(each(store, [drawn.randrange(_CALLS) for _ in range(_ASKED)]))
        paid = asyncio.run(each(store, list(range(_CALLS, _CALLS + _PAID))))
        assert store.ledger.counts() == {"image": {"paid": _PAID, "reused": _ASKED}} and not store.ledger.paid_twice()
    figures = [Figure(name=f"{name}: calls paid, {_IN_FLIGHT} in flight", value=_CALLS / filling, unit="calls/s")]
    for what, taken in (("a call looked up", reused), ("a call paid", paid)):
        figures.append(Figure(name=f"{name}: {what}, median", value=statistics.median(taken), unit="ms"))
        figures.append(
            Figure(name=f"{name}: {what}, 99 % within", value=sorted(taken)[len(taken) * 99 // 100], unit="ms")
        )
    if size is not None:
        figures.append(Figure(name=f"{name}: on the disk a call", value=size() / (_CALLS + _PAID), unit="bytes"))
    return figures


def _blobs(name: str, at: StoreLocation, other_cache: Path | None = None) -> list[Figure]:
    blobs = at.open_blobs()
    blobs.prepare()
    pictures = [os.urandom(_BLOB) for _ in range(_BLOBS)]
    refs = []
    put = [1000 * seconds(lambda data=data: refs.append(blobs.put(data, "image/png"))) for data in pictures]  # type: ignore[misc]
    read = [1000 * seconds(lambda ref=ref: blobs.get(ref)) for ref in refs]  # type: ignore[misc]
    figures = [_median(f"{name}: 100 kB put", put), _median(f"{name}: 100 kB read again", read)]
    if other_cache is not None:
        elsewhere = replace(at, cache=other_cache).open_blobs()
        fetched = [1000 * seconds(lambda ref=ref: elsewhere.get(ref)) for ref in refs]  # type: ignore[misc]
        figures.append(_median(f"{name}: 100 kB read on another machine", fetched))
    return figures


def _median(name: str, taken: list[float]) -> Figure:
    return Figure(
        name=name,
        value=statistics.median(taken),
        unit="ms",
        note=f"99 % within {sorted(taken)[len(taken) * 99 // 100]:.2g} ms",
    )


def _listed(runs: Path, repeats: int) -> list[Figure]:
    made = RunFolder.create(runs, "opt2i", {f"option{n}": n for n in range(40)}, about=["a red disc"] * 3)
    made.close()
    head = (made.path / "config.json").read_bytes()
    for n in range(1, _RUNS):
        folder = runs / f"{made.id}-{n}"
        folder.mkdir()
        (folder / "config.json").write_bytes(head)
        (folder / "lock").write_bytes(b" pid 1")
        if n % 10:
            (folder / "result.json").write_bytes(b"{}")
    taken, worked = [], []
    for _ in range(repeats):
        before = time.process_time()
        taken.append(seconds(lambda: list_runs(runs)))
        worked.append(time.process_time() - before)
    assert len(list_runs(runs)) == _RUNS
    return [Figure.of("10,000 runs listed", taken, "s"), Figure.of("the same, processor time", worked, "s")]
