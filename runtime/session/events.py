"""What a run tells while it works: one record a happening, written to `events.jsonl` and handed to whoever listens.

A loop tells of its own steps with sub-classes of `Event`; the field `event` is the name under which it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from ..records import Record

__all__ = [
    "Event",
    "ModelsOpened",
    "Progressed",
    "RunDone",
    "RunStarted",
    "TaskDone",
    "TaskFailed",
    "Warned",
    "WorkerJoined",
    "WorkerLeft",
    "ending",
    "event_of",
]


class Event(Record):
    """Something that happened; `task` is the id of the task that it belongs to, empty for the whole run."""

    event: str
    task: str = ""


class RunStarted(Event):
    """A process took the run up; `tasks` are those of the whole run, `resumed` where an earlier process began it."""

    event: Literal["run_started"] = "run_started"
    run_id: str
    loop: str
    tasks: int
    resumed: bool = False


class WorkerJoined(Event):
    """A process joined those that are at work on the run."""

    event: Literal["worker_joined"] = "worker_joined"
    name: str


class WorkerLeft(Event):
    """A process works on the run no more; `tasks`: how many it brought to an end."""

    event: Literal["worker_left"] = "worker_left"
    name: str
    tasks: int


class ModelsOpened(Event):
    """By role, the id and revision of every model that the run uses."""

    event: Literal["models"] = "models"
    models: dict[str, dict[str, str]]


class Progressed(Event):
    """How far something long is, in words; `done` of `of` where that can be counted."""

    event: Literal["progress"] = "progress"
    text: str
    done: int | None = None
    of: int | None = None


class Warned(Event):
    """What a reader of the result should know and what did not stop the run."""

    event: Literal["warning"] = "warning"
    text: str


class TaskDone(Event):
    """A task came to its end; `text` says how, in a few words."""

    event: Literal["task_done"] = "task_done"
    text: str = ""


class TaskFailed(Event):
    """A task failed for good, and the others go on."""

    event: Literal["task_failed"] = "task_failed"
    why: str


class RunDone(Event):
    """The result is written; `seconds` over all processes of the run."""

    event: Literal["run_done"] = "run_done"
    seconds: float


def ending(task: str, outcome: object) -> TaskDone | TaskFailed | None:
    """The event that tells what became of a task: None, where there was no room for it, has none."""
    if outcome is None:
        return None
    return TaskFailed(task=task, why=str(outcome)) if isinstance(outcome, Exception) else TaskDone(task=task)


def event_of(content: Mapping[str, Any]) -> Event | None:
    """The event of a line of `events.jsonl`; None for one of a kind, or of fields, that this process does not know."""
    kind = next((each for each in _kinds(Event) if each.model_fields["event"].default == content.get("event")), None)
    if kind is None:
        return None
    try:
        return kind.model_validate({name: value for name, value in content.items() if name in kind.model_fields})
    except ValidationError:
        return None


def _kinds(base: type[Event]) -> Iterator[type[Event]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)
