"""What a pool of processes calls: a loop, records and errors; no test module."""

from __future__ import annotations

from inloop.runtime.errors import BadInput, CallFailed, Interrupted, PrerequisiteError, RunnerError
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.records import Record
from inloop.runtime.run import Loop
from inloop.runtime.session import RunConfig, Session

ERRORS = (
    PrerequisiteError("the server is down", remedy="start it"),
    BadInput("the prompt is empty"),
    CallFailed("429", retryable=True),
    Interrupted("stopped", remedy="inloop resume"),
    RunnerError("no such node"),
)


class Words(RunConfig):
    SUBJECT = "words"
    FROM_SETTINGS = ()
    words: tuple[str, ...]


async def _work(context: Session, id: str, word: str) -> Task:
    if word == "down":
        raise PrerequisiteError("the server is down", remedy="start it")
    return Task(id=f"{id}-{len(word)}")


LOOP = Loop(
    name="words",
    config=Words,
    result=RunResult[Task],
    inputs=lambda config: {str(i): word for i, word in enumerate(config.words)},
    open=lambda config, session: session,
    work=_work,
)


def run(word: str) -> RunResult[Task]:
    return LOOP(word)


def raised(place: int) -> None:
    raise ERRORS[place]


def same(records: tuple[Record, ...]) -> tuple[Record, ...]:
    return records
