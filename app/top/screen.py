"""The screen of `inloop top`: for each run a line, its workers, and the queues of their models and servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...runtime.store import Seen
from ..cli import amount, printable
from .sights import Sights

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["screen"]


def screen(sights: Sights, where: str, run: str = "") -> RenderableType:
    """What is seen, as tables; `where` names the store, `run` the one that was asked for."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for run, workers in sights.runs().items():
        parts += [Text(_headline(run, workers), style="bold"), _workers(sights, workers)]
        queues = list(_queues(sights, workers))
        if queues:
            parts.append(
                _table(("queue", "worker", "waiting", "under way", "at most", "a batch", "a second", "busy"), queues)
            )
        parts.append(Text(""))
    return (
        Group(*parts)
        if parts
        else Text(f"nobody is at work on {f'the run {run}' if run else 'a run'} whose store is {where}")
    )


def _headline(run: str, workers: Sequence[Seen]) -> str:
    done, failed = (sum(getattr(each.pulse, name) for each in workers) for name in ("done", "failed"))
    tasks = max(each.pulse.tasks for each in workers)
    prices = [each.pulse.cost.money for each in workers]
    spent = "" if None in prices else f" · {sum(price or 0.0 for price in prices):.4g} US$"
    lost = f", {amount(failed)} failed" if failed else ""
    return f"{printable(run)} · {amount(done)} of {amount(tasks)} tasks done by those who are here{lost}{spent}"


def _workers(sights: Sights, workers: Sequence[Seen]) -> Table:
    kinds = sorted({kind for each in workers for kind in each.pulse.paid})
    rows = []
    for each in workers:
        fast = sights.pace(each)
        rows.append(
            (
                printable(each.name),
                printable(each.process.host),
                amount(each.pulse.done),
                _rate(fast.tokens),
                *(_rate(fast.calls.get(kind, 0.0)) for kind in kinds),
                "" if fast.reused is None else f"{fast.reused:.0%}",
                "" if each.pulse.cost.money is None else f"{each.pulse.cost.money:.4g}",
            )
        )
    return _table(("worker", "on", "tasks", "tokens/s", *(f"{kind}/s" for kind in kinds), "from ledger", "US$"), rows)


def _queues(sights: Sights, workers: Sequence[Seen]) -> Iterator[tuple[str, ...]]:
    for each in workers:
        fast = sights.pace(each)
        for queue in each.pulse.queues:
            yield (
                printable(queue.name),
                printable(each.name),
                amount(queue.waiting),
                amount(queue.under_way),
                amount(queue.most),
                f"{queue.items / queue.batches:.1f}" if queue.batches else "",
                _rate(fast.served.get(queue.name, 0.0)),
                f"{fast.busy[queue.name]:.0%}" if queue.batches and queue.name in fast.busy else "",
            )


def _rate(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value else "0"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for place, title in enumerate(titles):
        table.add_column(
            title,
            justify="left" if place < 2 and title in ("worker", "on", "queue") else "right",
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in rows:
        table.add_row(*row)
    return table
