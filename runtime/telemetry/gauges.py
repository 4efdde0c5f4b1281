"""What waits and what is under way in this process: the queues of models, and the ways to servers.

Whatever has a queue says so once, with `watch`, and is asked only when somebody looks: nothing is counted twice, and nobody pays for being watched.
"""

from __future__ import annotations

import threading
import weakref
from typing import Protocol

from ..records import Record

__all__ = ["Gauge", "Watched", "gauges", "watch"]


class Gauge(Record):
    """One queue at one moment.

    Args:
        name: of the model or the server.
        waiting: how many requests wait.
        under_way: how many are being answered.
        most: how many may be at once: the largest batch of a model, the limit found for a server.
        items: how many were answered so far; `batches`: in how many batches, where they are joined.
        seconds: how long the model was at work on them, where that is known.
    """

    name: str
    waiting: int = 0
    under_way: int = 0
    most: int = 0
    items: int = 0
    batches: int = 0
    seconds: float = 0.0


class Watched(Protocol):
    """What has a queue."""

    def gauge(self) -> Gauge: ...


_WATCHED: weakref.WeakSet[Watched] = weakref.WeakSet()
_GUARD = threading.Lock()


def watch(watched: Watched) -> None:
    """Have it seen by `gauges` for as long as it is in use."""
    with _GUARD:
        _WATCHED.add(watched)


def gauges() -> tuple[Gauge, ...]:
    """Every queue that was used, by name; those of one name as one."""
    with _GUARD:
        now = [watched.gauge() for watched in _WATCHED]
    joined: dict[str, Gauge] = {}
    for each in now:
        other = joined.get(each.name, Gauge(name=each.name))
        counts = ("waiting", "under_way", "items", "batches", "seconds")
        joined[each.name] = other.model_copy(
            update={"most": max(other.most, each.most)}
            | {name: getattr(other, name) + getattr(each, name) for name in counts}
        )
    return tuple(joined[name] for name in sorted(joined))
