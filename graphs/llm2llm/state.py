"""Where an arm stands: a small state of addresses and counters, and the records at the addresses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, TypedDict, TypeVar

from ...evaluators.rows import Judged, RowTable
from ...runtime.records import Record, Row
from ...runtime.store import BlobStore
from ...runtime.text import json_bytes
from .result import Measured, Mistake, StepRecord

__all__ = [
    "ArmState",
    "data_sha256",
    "earlier_texts",
    "first_state",
    "judged_at",
    "measured_at",
    "put",
    "put_chapter",
    "records_at",
    "rows_of",
    "step_of",
    "steps_of",
]

VERSION = 2

RecordT = TypeVar("RecordT", bound=Record)


class ArmState(TypedDict):
    """Where an arm stands; JSON only. `stop` is the reason to end, empty while it goes on.

    Addresses in the blob store, empty for none: `kept` (the rows that were added and confirmed), `trial` (the accepted rows of the step
    under way), `mistakes`, `replies` (of the step, the newest ones last), `judged` (all rows of the step), `dev` (the dev score of `kept`),
    `measured` (that with the rows on trial), `chapter` (the newest step that is closed), `test`.

    `size`: rows at `kept`; `refused`: steps in a row that the dev rows refused; `note`: why the step added nothing.
    """

    version: int
    task: str
    step: int
    attempt: int
    size: int
    refused: int
    kept: str
    trial: str
    mistakes: str
    replies: list[str]
    judged: str
    table: dict[str, Any]
    dev: str
    measured: str
    note: str
    chapter: str
    test: str
    spent: dict[str, Any]
    stop: str


def first_state(task: str) -> ArmState:
    """The state of an arm that has not begun."""
    return ArmState(
        version=VERSION, task=task, step=0, attempt=0, size=0, refused=0, kept="", trial="", mistakes="", replies=[], judged="", table={},
        dev="", measured="", note="", chapter="", test="", spent={}, stop="",
    )  # fmt: skip


def put(blobs: BlobStore, records: Record | Sequence[Record]) -> str:
    """Keep a record, or several; the address."""
    if isinstance(records, Record):
        return _put(blobs, records.model_dump(mode="json"))
    return _put(blobs, [record.model_dump(mode="json") for record in records])


def records_at(blobs: BlobStore, address: str, kind: type[RecordT]) -> list[RecordT]:
    """The records at an address; none where it is empty."""
    return [kind.model_validate(entry) for entry in json.loads(blobs.get(address))] if address else []


def judged_at(blobs: BlobStore, address: str) -> list[Judged]:
    """The rows at an address, with their lineage."""
    return records_at(blobs, address, Judged)


def measured_at(blobs: BlobStore, address: str) -> Measured | None:
    """The score at an address; None where it is empty."""
    return Measured.model_validate_json(blobs.get(address)) if address else None


def rows_of(judged: Sequence[Judged]) -> list[Row]:
    """The rows that can be learned from."""
    return [entry.row for entry in judged if entry.row is not None]


def step_of(blobs: BlobStore, state: ArmState, *, seeds: int) -> StepRecord:
    """The record of the step under way, once it is known what it added; `seeds`: how many there are."""
    kept = len(judged_at(blobs, state["kept"]))
    return StepRecord(
        step=state["step"],
        mistakes=tuple(records_at(blobs, state["mistakes"], Mistake)),
        table=RowTable.model_validate(state["table"]),
        judged=tuple(judged_at(blobs, state["judged"])),
        replies=tuple(state["replies"]),
        added=kept - state["size"],
        size=seeds + kept,
        dev=measured_at(blobs, state["measured"]),
        kept=not (state["trial"] and state["refused"]),
        note=state["note"],
    )


def put_chapter(blobs: BlobStore, before: str, step: StepRecord) -> str:
    """Keep a step behind the one at `before`; the address."""
    return _put(blobs, {"before": before, "step": step.model_dump(mode="json")})


def steps_of(blobs: BlobStore, chapter: str) -> list[StepRecord]:
    """Every step of a chain of chapters, the first one first."""
    steps: list[StepRecord] = []
    while chapter:
        value = json.loads(blobs.get(chapter))
        steps.insert(0, StepRecord.model_validate(value["step"]))
        chapter = value["before"]
    return steps


def earlier_texts(blobs: BlobStore, state: ArmState) -> list[str]:
    """The texts of all rows that were accepted in earlier steps, also of those that were put aside."""
    return [
        entry.text for step in steps_of(blobs, state["chapter"]) for entry in step.judged if entry.outcome == "accepted"
    ]


def data_sha256(rows: Sequence[Row]) -> str:
    """Names a training set: its rows' texts and labels in their order."""
    lines = [json.dumps([row.text, row.label], ensure_ascii=False) for row in rows]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _put(blobs: BlobStore, value: Any) -> str:
    return blobs.put(json_bytes(value), "application/json").sha256
