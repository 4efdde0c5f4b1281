"""What every run leaves behind: the record that `result.json` of its folder holds."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from ..records import Cost, Record

__all__ = ["RunResult", "Task"]


class Task(Record):
    """What became of one task of a run; a loop adds what it has to say of it."""

    id: str


TaskT = TypeVar("TaskT", bound=Task, covariant=True)


class RunResult(Record, Generic[TaskT]):
    """The whole run.

    `models`: id and revision by role. `seconds`: at work, over all processes. `failed`: by task id, why it failed for good.
    `stopped`: why tasks were left out, None where none was. `calls`: by kind (llm, image, ...), how many were paid and how many
    came from the ledger. `notes`: what a reader must know of how this came about.
    """

    VERSION: ClassVar[int] = 1
    """Raised where older results can no longer be read."""

    schema_version: int = VERSION
    run_id: str
    loop: str
    created: str
    seconds: float
    config: dict[str, Any]
    models: dict[str, dict[str, str]] = Field(default_factory=dict)
    tasks: tuple[TaskT, ...]
    failed: dict[str, str] = Field(default_factory=dict)
    stopped: str | None = None
    cost: Cost = Cost()
    calls: dict[str, dict[str, int]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
