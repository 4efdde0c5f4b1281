"""How many requests a server gets at once: found by measuring, by additive increase and multiplicative decrease (AIMD).

The model: a limit, shared by everyone in this event loop who talks to the same server. It doubles at first and then grows by
one a round, as long as it is used up and answers stay fast; it is cut when the server says 429 or 503 or does not answer in
time, and a little when a token takes several times as long as the best seen. One cut for each round of requests.

Why AIMD: processes that share a server and know nothing of each other come to equal shares (Chiu and Jain 1989). Within a
process the runs take turns, so that a run with many prompts does not starve one with few.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable

from ..errors import BadInput
from ..telemetry import Gauge, watch

__all__ = ["Pace", "Turn", "pace_of"]

_START = 4.0
_SLOW = 4.0
_HALF, _LITTLE = 0.5, 0.85
_PROMPT_TOKENS = 8  # what the prompt and the way there cost, in tokens of the answer


class Turn:
    """One request under way; tell it how it went before it ends."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.seconds_per_token: float | None = None
        self.refused = False

    def done(self, seconds: float, tokens: int) -> None:
        """It was answered with so many tokens."""
        self.seconds_per_token = seconds / (tokens + _PROMPT_TOKENS)

    def overloaded(self) -> None:
        """The server had too much to do: 429, 503, or no answer in time."""
        self.refused = True


class Pace:
    """The limit of the server `name`. `most` is never exceeded; `limit` is what it is now."""

    def __init__(
        self, most: int, *, name: str = "", start: float = _START, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if most < 1:
            raise BadInput(f"concurrency={most!r}: at least 1 request must be allowed at a time")
        self.most = most
        self.limit = min(float(most), start)
        self.name = name
        self.busy = self._answered = 0
        self._clock = clock
        self._best: float | None = None
        self._rising = True
        self._cut_at = clock()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @contextlib.asynccontextmanager
    async def turn(self, who: str = "") -> AsyncIterator[Turn]:
        """Wait for a place; among those who wait, each `who` gets one in turn."""
        if self.busy >= int(self.limit) or self._waiting:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(who, deque()).append(place)
            self._wake()
            try:
                await place
            except BaseException:
                if place.done() and not place.cancelled():  # it was given a place and cannot take it
                    self.busy -= 1
                self._forget(who, place)
                self._wake()
                raise
        else:
            self.busy += 1
        full = self.busy >= int(self.limit)
        turn = Turn(self._clock())
        try:
            yield turn
        finally:
            self.busy -= 1
            self._learn(turn, full)
            self._wake()

    def gauge(self) -> Gauge:
        """What waits and is under way now."""
        waiting = sum(map(len, self._waiting.values()))
        return Gauge(name=self.name, waiting=waiting, under_way=self.busy, most=int(self.limit), items=self._answered)

    def _learn(self, turn: Turn, full: bool) -> None:
        if turn.refused:
            self._cut(turn, _HALF)
        elif turn.seconds_per_token is not None:
            self._answered += 1
            took = turn.seconds_per_token
            # the best may have been luck, or the prompts were shorter then: it fades
            self._best = took if self._best is None else min(took, self._best * 1.005)
            if took > _SLOW * self._best:
                self._cut(turn, _LITTLE)
            elif full:
                self.limit = min(float(self.most), self.limit + (1.0 if self._rising else 1.0 / self.limit))

    def _cut(self, turn: Turn, by: float) -> None:
        if turn.started < self._cut_at:
            return  # it was sent before the last cut, and says nothing about the limit of now
        self._cut_at = self._clock()
        self._rising = False
        self.limit = max(1.0, self.limit * by)

    def _wake(self) -> None:
        while self.busy < int(self.limit) and self._waiting:
            who, places = next(iter(self._waiting.items()))
            place = places.popleft()
            self._waiting.move_to_end(who)
            if not places:
                del self._waiting[who]
            if not place.done():
                self.busy += 1
                place.set_result(None)

    def _forget(self, who: str, place: asyncio.Future[None]) -> None:
        places = self._waiting.get(who)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[who]


_PACES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Pace]] = weakref.WeakKeyDictionary()


def pace_of(server: str, most: int) -> Pace:
    """The pace of a server in the running event loop: one for all who name it with the same `most`."""
    paces = _PACES.setdefault(asyncio.get_running_loop(), {})
    if (server, most) not in paces:
        watch(pace := Pace(most, name=server))
        paces[server, most] = pace
    return paces[server, most]
