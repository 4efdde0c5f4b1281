"""How many requests are in flight: against a simulated server whose latencies are known, and against a real one."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from simulated_time import TICK, simulate

from inloop.runtime.errors import BadInput
from inloop.runtime.transport.adaptive_limit import Pace, pace_of


def now() -> float:
    return asyncio.get_running_loop().time()


class Server:
    """`places` requests at full speed; beyond that all get slower (`slow`) or are refused."""

    def __init__(self, places: int, *, refuses: bool = False) -> None:
        self.places, self.refuses = places, refuses
        self.busy = self.busiest = self.refused = 0

    async def ask(self, pace: Pace, who: str = "") -> str:
        async with pace.turn(who) as turn:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            try:
                if self.refuses and self.busy > self.places:
                    self.refused += 1
                    turn.overloaded()
                    await asyncio.sleep(TICK * (0.5 + random.random()))
                else:
                    over = max(1.0, self.busy / self.places)
                    await asyncio.sleep(TICK * (0.5 + random.random()))
                    turn.done(over, 8)
            finally:
                self.busy -= 1
        return who


async def many(server: Server, pace: Pace, count: int) -> None:
    await asyncio.gather(*(server.ask(pace) for _ in range(count)))


def test_the_limit_grows_to_what_the_server_takes_and_not_far_beyond() -> None:
    async def scene() -> None:
        pace, server = Pace(256, clock=now), Server(8)
        await many(server, pace, 600)
        assert 8 < pace.limit < 64  # answers that take four times as long are where it ends
        assert server.busiest < 80
        free = Pace(24, clock=now)
        await many(Server(1000), free, 300)
        assert free.limit == 24.0

    simulate(scene())


def test_a_server_that_says_no_is_asked_for_less() -> None:
    async def scene() -> None:
        pace, server = Pace(256, clock=now), Server(8, refuses=True)
        await many(server, pace, 1500)
        assert 3 <= pace.limit <= 20
        assert server.refused < 300

    simulate(scene())


async def test_one_cut_a_round() -> None:
    pace = Pace(64, start=32.0)

    async def refused() -> None:
        async with pace.turn() as turn:
            await asyncio.sleep(0.01)
            turn.overloaded()

    await asyncio.gather(*(refused() for _ in range(32)))
    assert pace.limit == 16.0


def test_two_who_share_a_server_come_to_equal_shares() -> None:
    """As two processes would: each has a pace of its own, and one was there long before the other."""
    seen = Counter[str]()

    async def scene() -> None:
        server = Server(16, refuses=True)
        first, second = Pace(256, start=16.0, clock=now), Pace(256, start=1.0, clock=now)

        async def run(name: str, pace: Pace, until: float) -> None:
            async def one() -> None:
                while now() < until:
                    await server.ask(pace)
                    seen[name] += 1

            await asyncio.gather(*(one() for _ in range(40)))

        for _ in range(2):  # what counts is the second part, after they have met
            seen.clear()
            until = now() + 0.7
            await asyncio.gather(run("first", first, until), run("second", second, until))

    simulate(scene())
    assert 0.4 < seen["first"] / seen["second"] < 2.5, seen


async def test_runs_take_turns() -> None:
    pace = Pace(1)
    order: list[str] = []

    async def ask(who: str) -> None:
        async with pace.turn(who):
            order.append(who)
            await asyncio.sleep(0)

    big = [asyncio.create_task(ask("big")) for _ in range(20)]
    await asyncio.sleep(0)
    small = [asyncio.create_task(ask("small")) for _ in range(3)]
    await asyncio.gather(*big, *small)
    assert max(place for place, who in enumerate(order) if who == "small") < 8
    assert pace.busy == 0


async def test_who_is_cancelled_gives_the_place_back() -> None:
    pace = Pace(1)
    held = asyncio.Event()

    async def hold() -> None:
        async with pace.turn():
            await held.wait()

    async def quick() -> int:
        async with pace.turn():
            return 1

    first = asyncio.create_task(hold())
    waiting = [asyncio.create_task(quick()) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    held.set()
    waiting[1].cancel()
    await first
    await asyncio.gather(*waiting, return_exceptions=True)
    assert waiting[2].result() == 1 and pace.busy == 0
    assert await asyncio.wait_for(quick(), 1) == 1


async def test_one_pace_a_server() -> None:
    assert pace_of("a", 8) is pace_of("a", 8)
    assert pace_of("a", 8) is not pace_of("b", 8)
    with pytest.raises(BadInput):
        Pace(0)
