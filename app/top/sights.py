"""What is seen of the processes at work: how each is doing, and how fast it was over the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ...runtime.store import Seen
from ...runtime.telemetry import Pace, Pulse, pace

__all__ = ["Sights"]

_SPAN = 5.0
"""Seconds over which a pace is taken: long enough for calls that take seconds, short enough to be of now."""


class Sights:
    """The processes that were seen last, and what each was at some seconds before."""

    def __init__(self) -> None:
        self.now: tuple[Seen, ...] = ()
        self._before: dict[str, deque[Pulse]] = {}

    def see(self, seen: Sequence[Seen]) -> None:
        """Take in what is there now; who is not there any more is forgotten."""
        self.now = tuple(seen)
        self._before = {each.id: self._before.get(each.id, deque()) for each in seen}
        for each in seen:
            pulses = self._before[each.id]
            if not pulses or pulses[-1].at != each.pulse.at:
                pulses.append(each.pulse)
            while len(pulses) > 2 and each.pulse.at - pulses[1].at >= _SPAN:
                pulses.popleft()

    def pace(self, seen: Seen) -> Pace:
        """How fast a process was lately; nothing where it was seen but once."""
        return pace(self._before[seen.id][0], seen.pulse)

    def runs(self) -> dict[str, list[Seen]]:
        """By run, its processes."""
        found: dict[str, list[Seen]] = {}
        for each in self.now:
            found.setdefault(each.run, []).append(each)
        return found
