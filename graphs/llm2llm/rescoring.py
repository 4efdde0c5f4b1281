"""The replies of a finished run, read and judged again: by today's parser, other thresholds, another verifier.

The teacher is not asked: its replies are in the blob store as they were. A verifier that is a model answers from the ledger what it was
asked before. Mistakes are not found anew either, for other mistakes would need other replies; so this says what the same replies are
worth under other rules, and a new run says what the rules would have led to. The test rows are left alone: dev rows judge.
"""

from __future__ import annotations

import json
from typing import Any

from ...agents.rows import Ask, Written, read
from ...evaluators.rows import RowTable
from ...runtime.records import Record, Row, flags_checked
from ...runtime.settings import Settings
from ...runtime.store import Store
from .arms import WAYS
from .config import Llm2LlmConfig
from .graph import data_sha256
from .models import Bench
from .parts import Ports, measure, predictions
from .result import Llm2LlmOutcome
from .run import open_source

__all__ = ["Rescored", "rescore"]


class Rescored(Record):
    """One repeat judged again. `dev_before`, `dev`: accuracy on the dev rows with the rows of the run, and with those accepted now.

    `paid`: calls of language models that had to be paid (a new verifier's).
    """

    repeat: int
    accepted_before: int
    accepted: int
    table: RowTable
    dev_before: float | None = None
    dev: float | None = None
    data_sha256: str = ""
    paid: int = 0


async def rescore(
    outcome: Llm2LlmOutcome, changes: dict[str, Any], *, settings: Settings, run_id: str
) -> list[Rescored]:
    """Every repeat of the main way with `changes` to its config.

    Raises `BadInput` for changes that cannot be, and `PrerequisiteError` where replies are no longer in the blob store.
    """
    with flags_checked():
        config = Llm2LlmConfig.model_validate({**outcome.config, **changes})
    source = open_source(config)
    way = WAYS[outcome.main]
    found = []
    with Store.open(settings, run_id=f"{run_id}-rescored") as store:
        bench = Bench(config, source.task, store, settings)
        try:
            for run in (run for run in outcome.ways if run.way == outcome.main):
                parts = source.parts(config.seed + run.repeat)
                checks = await bench.checks(way, parts, config.seed + run.repeat)
                before = store.ledger.counts().get("llm", {}).get("paid", 0)
                table, rows, old, seen = RowTable(), list[Row](), list[Row](), list[str]()
                for step in run.steps:
                    asks = [
                        Ask(seed=one.seed, wrong=one.said, unreadable=one.outcome == "format") for one in step.mistakes
                    ]
                    table += RowTable(asked=step.table.asked)
                    if step.kept:
                        old += [
                            entry.row for entry in step.judged if entry.row is not None and entry.outcome == "accepted"
                        ]
                    for place, address in enumerate(step.replies):
                        written = [Written.model_validate(reply) for reply in json.loads(store.blobs.get(address))]
                        again = [read(reply, reply.raw) if reply.raw else reply for reply in written]
                        judged, counted = await checks.judge(
                            asks, again, earlier=seen, prefix=f"{step.step}.{place}.", seed=config.seed + run.repeat
                        )
                        table += counted
                        taken = [entry.row for entry in judged if entry.outcome == "accepted" and entry.row is not None]
                        seen += [row.text for row in taken]
                        rows += taken if step.kept else []  # what the dev rows refused stays out
                rows = rows if config.rows is None else rows[: config.rows]
                ports = Ports(
                    task=source.task, student=bench.student, seeds=parts.seeds, dev=parts.dev, test=(), mining=way.mining,
                    teachers=(), checks=checks, blobs=store.blobs, steps=0, seed=config.seed + run.repeat,
                )  # fmt: skip
                scores = [
                    measure(
                        source.task, parts.dev, await predictions(ports, [*parts.seeds, *added], parts.dev)
                    ).accuracy
                    if parts.dev
                    else None
                    for added in (old, rows)
                ]
                paid = store.ledger.counts().get("llm", {}).get("paid", 0) - before
                found.append(
                    Rescored(
                        repeat=run.repeat, accepted_before=len(old), accepted=len(rows), table=table, dev_before=scores[0],
                        dev=scores[1], data_sha256=data_sha256([*parts.seeds, *rows]), paid=paid,
                    )
                )  # fmt: skip
        finally:
            await bench.close()
    return found
