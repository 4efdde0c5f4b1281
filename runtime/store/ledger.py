"""Every model call under a key made of model, revision, parameters and inputs: a finished call is never paid twice.

Invariants:

- A value is on the disk (synced) before `once` returns it; what was finished survives a SIGKILL.
- One value a key: when two processes compute the same key, the first to finish is what both get.
- Within a process a key in flight is awaited, not computed again.
- Looking a key up is one indexed read: in a file it takes a few dozen microseconds and is done at once, where a thread would cost more; to a server
  it is a way, which the event loop does not wait for.
- A failed call is a row of `failures` and never a value; the next `once` tries again.
- `uses` holds one row for each time a value was handed out: by which run, and whether it was paid for. `seen` is
  the newest result that the payer could see when it looked, so "paid although finished" is a query, not a promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from ..errors import CallFailed
from ..records import Cost
from ..telemetry import call_span
from .calls import JSON, Call, Failure, canonical_json
from .claims import Claims
from .ledger_rows import LedgerRows, Write

__all__ = ["JSON", "Call", "Failure", "Ledger", "Listener"]

Listener = Callable[[Call, Cost, bool], None]
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2  # seconds between two looks for what another process pays
Found = tuple[tuple[str, str] | None, int]


@dataclass
class _Flight:
    task: asyncio.Task[tuple[JSON, Cost, bool]]
    waiting: int = 0


class Ledger:
    """The call ledger in an SQLite file or a PostgreSQL (see `database_at`); any number of threads and processes may use it.

    Args:
        run_id: names the run that uses are booked on.
        claims: with them a call is claimed before it is computed, so that of all processes that claim one pays for it and the others
            wait for its value; without, two that want it at the same time both pay.
    """

    def __init__(self, place: Path | str, *, run_id: str = "", claims: Claims | None = None) -> None:
        self.run_id = run_id
        self._claims = claims
        self._rows = LedgerRows(place, run_id)
        self._guard = threading.Lock()
        self._flights: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Flight]] = (
            weakref.WeakKeyDictionary()
        )
        self._listeners: list[Listener] = []
        self._charged: Callable[[Cost], None] | None = None
        self._booking = threading.Lock()
        self._used: set[str] = set()
        self._last = 0
        self._counts: dict[str, dict[str, int]] = {}
        self._cost = Cost()
        self._last_booked: Future[str] | None = None

    async def once(
        self,
        call: Call,
        compute: Callable[[], Awaitable[tuple[JSON, Cost]]],
        *,
        usable: Callable[[JSON], bool] | None = None,
    ) -> tuple[JSON, bool]:
        """The value of `call` and whether it was there already; `compute` runs only if it was not.

        A stored value for which `usable` is False (say, its blob was deleted) is given up and computed again.
        The value is what JSON makes of it (a tuple becomes a list), the same the first time and later.

        Raises:
            CallFailed: from `compute`; booked as a failure.
            PrerequisiteError: the ledger cannot be written; the value is lost then.
        """
        with call_span(call.kind, call.model) as current:
            value, cached = await self._once(call, compute, usable)
            current.set(cached=cached)
        return value, cached

    async def _once(
        self,
        call: Call,
        compute: Callable[[], Awaitable[tuple[JSON, Cost]]],
        usable: Callable[[JSON], bool] | None,
    ) -> tuple[JSON, bool]:
        loop = asyncio.get_running_loop()
        flights = self._flights.setdefault(loop, {})
        flight = flights.get(call.key)
        joined = flight is not None
        found: Found | None = None
        if flight is None and self._rows.quick:
            found = self._rows.find(call.key)
            if reused := self._reused(call, found, usable):
                return reused[0], True
        if flight is None:
            flight = flights[call.key] = _Flight(loop.create_task(self._look_or_pay(call, compute, usable, found)))
        flight.waiting += 1
        try:
            value, cost, paid = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()  # nobody wants it any more; no effect when it is done
            if flights.get(call.key) is flight and (not flight.waiting or flight.task.done()):
                del flights[call.key]
        if joined:
            self._book(call, cost, cost.model_dump_json(), 0)
            value = json.loads(json.dumps(value))  # two callers must not share one mutable value
        return value, joined or not paid

    def listen(self, listener: Listener) -> None:
        """Call `listener(call, cost, cached)` for every value handed out; a reused one comes with what it cost once."""
        self._listeners.append(listener)

    def charge(self, book: Callable[[Cost], None]) -> None:
        """Book the cost of each different call of this run once, over all its processes: at once what was used so far, then what is used.

        A budget that is charged so stops at the same place whether the values are paid or reused. What other processes use is booked by
        `catch_up`.
        """
        self._charged = book
        self.catch_up()

    def catch_up(self) -> None:
        """Book what other processes of the run have used since the last time."""
        if self._charged is None:
            return
        with self._booking:
            for number, key, cost in self._rows.used(self.run_id, self._last):
                self._last = number
                self._charge(key, cost)

    def _charge(self, key: str, cost: Cost) -> None:
        if self._charged is not None and key not in self._used:
            self._used.add(key)
            self._charged(cost)

    def counts(self) -> dict[str, dict[str, int]]:
        """By kind of call: how many this process paid for and how many it reused."""
        return {kind: dict(numbers) for kind, numbers in sorted(self._counts.items())}

    @property
    def cost(self) -> Cost:
        """What this process paid."""
        return self._cost

    def spent(self, run_id: str | None = None) -> Cost:
        """What a run (default: this one) paid in all its processes, also those that were killed."""
        return sum(self._rows.paid(run_id or self.run_id), Cost())

    def run_counts(self, run_id: str | None = None) -> dict[str, dict[str, int]]:
        """As `counts`, for a run (default: this one) in all its processes; what is reused after a kill counts again."""
        return self._rows.counts(run_id or self.run_id)

    def failures(self) -> list[Failure]:
        """The calls that failed and have no value up to now, oldest first."""
        return self._rows.failures()

    def paid_twice(self) -> list[str]:
        """The keys that were paid for although a finished value was there when the payer looked: always empty."""
        return self._rows.paid_twice()

    async def booked(self) -> None:
        """Wait until other processes can see what was reused so far; of a database that takes no more, no longer than that is known."""
        if self._last_booked is not None:
            with contextlib.suppress(Exception):
                await asyncio.wrap_future(self._last_booked)

    def close(self) -> None:
        """Write what waits and close the file; may be called twice."""
        self._rows.close()

    async def _look_or_pay(
        self,
        call: Call,
        compute: Callable[[], Awaitable[tuple[JSON, Cost]]],
        usable: Callable[[JSON], bool] | None,
        found: Found | None,
    ) -> tuple[JSON, Cost, bool]:
        """The value with its cost, and whether it was paid for now; `found`: what was looked up just now and cannot be used."""
        if self._claims is None:
            return await self._pay_unless_there(call, compute, usable, found)
        name, pause = f"call {call.key}", _FIRST_PAUSE
        while not await self._claims.take(name):
            if reused := self._reused(call, await self._find(call.key), usable):
                return *reused, False
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        try:  # somebody may have paid between the look and the claim
            return await self._pay_unless_there(call, compute, usable, None)
        finally:
            await self._claims.release(name)

    async def _pay_unless_there(
        self,
        call: Call,
        compute: Callable[[], Awaitable[tuple[JSON, Cost]]],
        usable: Callable[[JSON], bool] | None,
        found: Found | None,
    ) -> tuple[JSON, Cost, bool]:
        if found is None:
            found = await self._find(call.key)
            if reused := self._reused(call, found, usable):
                return *reused, False
        stored, seen = found
        if stored is not None:
            await asyncio.wrap_future(self._rows.send(Write(call, "void")))
        try:
            value, cost = await compute()
        except CallFailed as error:
            await asyncio.wrap_future(self._rows.send(Write(call, "failed", text=str(error))))
            raise
        text = canonical_json(value, f"the value of a call of {call.model!r}")
        done = asyncio.wrap_future(
            self._rows.send(Write(call, "paid", text=text, cost=cost.model_dump_json(), seen=seen))
        )
        try:
            kept = await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])  # before the claim goes: the next one must find what was paid
            raise
        self._count(call, cost, cached=False)
        return json.loads(kept), cost, True

    async def _find(self, key: str) -> Found:
        return self._rows.find(key) if self._rows.quick else await asyncio.to_thread(self._rows.find, key)

    def _reused(self, call: Call, found: Found, usable: Callable[[JSON], bool] | None) -> tuple[JSON, Cost] | None:
        """What was found, booked, where it can be used."""
        stored, seen = found
        if stored is None:
            return None
        value, cost = json.loads(stored[0]), Cost.model_validate_json(stored[1])
        if usable is not None and not usable(value):
            return None
        self._book(call, cost, stored[1], seen)
        return value, cost

    def _book(self, call: Call, cost: Cost, text: str, seen: int) -> None:
        self._count(call, cost, cached=True)
        # not awaited: a reused value is worth no fsync, and a full disk must not stop a run that needs nothing new
        self._last_booked = self._rows.send(Write(call, "reused", cost=text, seen=seen))

    def _count(self, call: Call, cost: Cost, *, cached: bool) -> None:
        with self._guard:
            numbers = self._counts.setdefault(call.kind, {"paid": 0, "reused": 0})
            numbers["reused" if cached else "paid"] += 1
            if not cached:
                self._cost = self._cost + cost
        with self._booking:
            self._charge(call.key, cost)
        for listener in self._listeners:
            listener(call, cost, cached)
