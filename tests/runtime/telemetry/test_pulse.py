"""How fast a process is: differences between two moments, never of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inloop.runtime.records import Cost
from inloop.runtime.telemetry import Gauge, Pulse, pace

COUNTS = st.integers(0, 10**6)


def test_rates_are_differences_over_time() -> None:
    before = Pulse(
        at=10.0, loop="opt2i", paid={"llm": 4, "image": 8}, reused={"image": 2}, cost=Cost(output_tokens=100)
    )
    now = Pulse(
        at=12.0, loop="opt2i", paid={"llm": 6, "image": 12}, reused={"image": 4, "vqa": 4}, cost=Cost(output_tokens=300),
        queues=(Gauge(name="painter", items=4, batches=1, seconds=1.5),),
    )  # fmt: skip
    found = pace(before, now)
    assert (found.tokens, found.calls, found.reused) == (100.0, {"llm": 1.0, "image": 2.0}, 0.5)
    assert (found.served, found.busy) == ({"painter": 2.0}, {"painter": 0.75})


@given(COUNTS, COUNTS, st.floats(0, 1e6), st.floats(0, 1e6))
def test_no_time_and_no_calls_are_no_division_by_nothing(paid: int, more: int, at: float, later: float) -> None:
    before = Pulse(at=at, loop="l", paid={"llm": paid})
    found = pace(before, Pulse(at=at + later, loop="l", paid={"llm": paid + more}))
    assert found.tokens == 0 and (found.reused is None or found.reused == 0)
    assert sum(found.calls.values()) >= 0
