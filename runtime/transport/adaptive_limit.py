"""How many requests a server gets at once: found by measuring, by additive increase and multiplicative decrease (AIMD).

The model: a limit, shared by everyone in this event loop who talks to the same server. It doubles at first and then grows by
one a round, as long as it is used up and answers stay fast; it is cut when the server says 429 or 503 or does not answer in
time, and a little when a token takes several times as long as the best seen. One cut for each round of requests.

Why AIMD: processes that share a server and know nothing of each other come to equal shares (Chiu and Jain 1989). Within a
process the runs take turns, so that a run with many prompts does not starve one with few.

A turn can be had at one of several servers (`turn_at`): at the preferred one unless it has more than its share of what is under way
(consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam 2018, https://arxiv.org/abs/1608.01350, with the usual
factor of 1.25), and where none has room, at the first that gets some (work stealing, Blumofe and Leiserson 1999): a server takes who
prefers it before who does not, and is never idle while somebody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence

from ..errors import BadInput
from ..telemetry import Gauge, watch

__all__ = ["Pace", "Turn", "pace_of", "turn_at"]

_START = 4.0
_SLOW = 4.0
_HALF, _LITTLE = 0.5, 0.85
_PROMPT_TOKENS = 8  # what the prompt and the way there cost, in tokens of the answer
_MORE = 1.25  # times its share of the load is the most that a preferred server gets while another has room


class Turn:
    """One request under way at the server of `pace`; tell it how it went before it ends."""

    def __init__(self, pace: Pace, started: float) -> None:
        self.pace = pace
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
        # who prefers this server, and who would take it as well
        self._own, self._others = _Queue(), _Queue()

    @contextlib.asynccontextmanager
    async def turn(self, who: str = "") -> AsyncIterator[Turn]:
        """Wait for a place; among those who wait, each `who` gets one in turn."""
        async with turn_at([self], who) as turn:
            yield turn

    @contextlib.asynccontextmanager
    async def _under_way(self) -> AsyncIterator[Turn]:
        """A place that was taken, until it is given back."""
        full = self.busy >= int(self.limit)
        turn = Turn(self, self._clock())
        try:
            yield turn
        finally:
            self.busy -= 1
            self._learn(turn, full)
            self.wake()

    @property
    def has_room(self) -> bool:
        """Whether a request that comes now need not wait."""
        return self.busy < int(self.limit) and not self._own and not self._others

    def queue(self, who: str, place: asyncio.Future[Pace], *, own: bool) -> None:
        """Let `place` wait here: `own` for who prefers this server."""
        (self._own if own else self._others).put(who, place)

    def forget(self, who: str, place: asyncio.Future[Pace]) -> None:
        """`place` no longer waits here."""
        self._own.remove(who, place)
        self._others.remove(who, place)

    def give_back(self) -> None:
        """A place that was given and is not taken."""
        self.busy -= 1
        self.wake()

    def wake(self) -> None:
        """Give the places that are free to who waits for them."""
        while self.busy < int(self.limit):
            place = self._own.take() or self._others.take()
            if place is None:
                return
            self.busy += 1
            place.set_result(self)

    def gauge(self) -> Gauge:
        """What is under way now, and what waits that would rather have this server than others."""
        return Gauge(
            name=self.name, waiting=len(self._own), under_way=self.busy, most=int(self.limit), items=self._answered
        )

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


class _Queue:
    """Those who wait: the `who` take turns, each in its own order."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, deque[asyncio.Future[Pace]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def put(self, who: str, place: asyncio.Future[Pace]) -> None:
        self._places.setdefault(who, deque()).append(place)

    def take(self) -> asyncio.Future[Pace] | None:
        """The next one; those that were given a place elsewhere, or gave up, are left out."""
        while self._places:
            who, places = next(iter(self._places.items()))
            place = places.popleft()
            self._places.move_to_end(who)
            if not places:
                del self._places[who]
            if not place.done():
                return place
        return None

    def remove(self, who: str, place: asyncio.Future[Pace]) -> None:
        places = self._places.get(who)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._places[who]


@contextlib.asynccontextmanager
async def turn_at(paces: Sequence[Pace], who: str = "") -> AsyncIterator[Turn]:
    """Wait for a place at one of these servers, the preferred one first; `turn.pace` tells at which."""
    pace = _free(paces)
    if pace is None:
        pace = await _freed(paces, who)
    async with pace._under_way() as turn:
        yield turn


def _free(paces: Sequence[Pace]) -> Pace | None:
    """A place at the first server that has room, and not more than its share of the load; None where none has room."""
    with_room = [pace for pace in paces if pace.has_room]
    if not with_room:
        return None
    load, limits = 1 + sum(pace.busy for pace in paces), sum(pace.limit for pace in paces)
    within = [pace for pace in with_room if pace.busy < math.ceil(_MORE * load * pace.limit / limits)]
    pace = within[0] if within else min(with_room, key=lambda each: each.busy / each.limit)
    pace.busy += 1
    return pace


async def _freed(paces: Sequence[Pace], who: str) -> Pace:
    """A place at the first server that gets room."""
    place: asyncio.Future[Pace] = asyncio.get_running_loop().create_future()
    for pace in paces:
        pace.queue(who, place, own=pace is paces[0])
    for pace in paces:
        pace.wake()
    try:
        return await place
    except BaseException:
        if place.done() and not place.cancelled():  # it was given a place and cannot take it
            place.result().give_back()
        raise
    finally:
        for pace in paces:
            pace.forget(who, place)
            pace.wake()


_PACES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Pace]] = weakref.WeakKeyDictionary()


def pace_of(server: str, most: int) -> Pace:
    """The pace of a server in the running event loop: one for all who name it with the same `most`."""
    paces = _PACES.setdefault(asyncio.get_running_loop(), {})
    if (server, most) not in paces:
        watch(pace := Pace(most, name=server))
        paces[server, most] = pace
    return paces[server, most]
