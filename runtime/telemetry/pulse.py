"""How a process at work on a run is doing, at one moment; two moments give how fast."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from ..records import Cost, Record
from .gauges import Gauge

__all__ = ["Pace", "Pulse", "pace"]


_LEAST = 1e-3  # seconds


class Pulse(Record):
    """One process at one moment; all counts are of this process, since it took the run up.

    Args:
        at: seconds of the process's own clock, from whatever moment; for differences alone.
        loop: the loop of the run.
        tasks: how many the run has.
        done: how many of them this process finished; `failed`: how many failed here.
        paid: by kind of call, how many were computed; `reused`: how many the ledger answered.
        cost: what was paid.
        queues: those of its models and servers.
    """

    at: float
    loop: str
    tasks: int = 0
    done: int = 0
    failed: int = 0
    paid: dict[str, int] = Field(default_factory=dict)
    reused: dict[str, int] = Field(default_factory=dict)
    cost: Cost = Cost()
    queues: tuple[Gauge, ...] = ()


class Pace(Record):
    """How fast a process is between two moments.

    Args:
        tokens: output tokens a second.
        calls: by kind, how many it computed a second.
        reused: the share of calls that the ledger answered; None where there were none.
        served: by queue, how many requests were answered a second; `busy`: the share of the time in which its model was at work.
    """

    tokens: float = 0.0
    calls: dict[str, float] = Field(default_factory=dict)
    reused: float | None = None
    served: dict[str, float] = Field(default_factory=dict)
    busy: dict[str, float] = Field(default_factory=dict)


def pace(before: Pulse, now: Pulse) -> Pace:
    """How fast a process was between two moments, `before` the earlier one; nothing where hardly any time has passed."""
    seconds = now.at - before.at
    if seconds < _LEAST:
        return Pace()
    paid, reused = _more(before.paid, now.paid), _more(before.reused, now.reused)
    calls = sum(paid.values()) + sum(reused.values())
    queues = {each.name: each for each in before.queues}
    served = {each.name: each.items - (queues[each.name].items if each.name in queues else 0) for each in now.queues}
    worked = {
        each.name: each.seconds - (queues[each.name].seconds if each.name in queues else 0.0) for each in now.queues
    }
    return Pace(
        tokens=(now.cost.output_tokens - before.cost.output_tokens) / seconds,
        calls={kind: count / seconds for kind, count in paid.items() if count},
        reused=sum(reused.values()) / calls if calls else None,
        served={name: count / seconds for name, count in served.items()},
        busy={name: min(1.0, spent / seconds) for name, spent in worked.items()},
    )


def _more(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {kind: count - before.get(kind, 0) for kind, count in now.items()}
