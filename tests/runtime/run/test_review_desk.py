"""A person answers at one place what several workers ask, and hears what happens from now on, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from inloop.runtime.errors import Interrupted
from inloop.runtime.folder import RunFolder, RunResult, Task
from inloop.runtime.run import Loop, carry
from inloop.runtime.run.crew import carried_by_workers
from inloop.runtime.session import Event, Questions, RunConfig, RunStarted, Session, TaskDone
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]


class State(TypedDict):
    version: int
    answers: list[str]


class Answered(Task):
    answers: tuple[str, ...]


class Context:
    version = 1

    def __init__(self, config: Config, session: Session) -> None:
        self.config, self.session = config, session


async def ask_twice(context: Context, id: str, word: str) -> Answered:
    def first(state: State) -> dict[str, Any]:
        return {"answers": [interrupt({"word": word, "round": 1})]}

    def second(state: State) -> dict[str, Any]:
        return {"answers": [*state["answers"], interrupt({"word": word, "round": 2})]}

    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", second)
    for one, other in ((START, "first"), ("first", "second"), ("second", END)):
        graph.add_edge(one, other)
    begin = State(version=1, answers=[])
    end = await context.session.finish(graph, context=None, id=id, start=begin, max_steps=4)
    return Answered(id=id, answers=tuple(end["answers"]))


asking: Loop[Config, Context, str, Answered, RunResult[Answered]] = Loop(
    name="asking", config=Config, result=RunResult[Answered], work=ask_twice, open=Context, brings={"reviewer": "who"},
    inputs=lambda config: {f"t{place}": word for place, word in enumerate(config.words)},
)  # fmt: skip


class Here:
    """A worker in this process."""

    log = "this process"

    def __init__(self, name: str, folder: RunFolder, settings: Settings) -> None:
        config = folder.config_as(Config)
        worker = asking.worker(config, folder, settings, name=name, of=2)
        work = carry(asking, config, folder=folder, settings=settings, worker=worker, parts={"reviewer": never})
        self.name, self.task = name, asyncio.ensure_future(work)

    @property
    def code(self) -> int | None:
        return None if not self.task.done() else int(self.task.cancelled() or self.task.exception() is not None)

    def how(self) -> str:
        return f"ended with {self.code}"

    def error(self) -> None:
        return None

    def ask_to_stop(self) -> None:
        self.task.cancel()

    def end(self) -> None:
        self.task.cancel()


async def never(question: Any) -> str:
    await asyncio.Event().wait()
    return ""


@pytest.fixture
def shared(settings: Settings, database: Path | str, tmp_path: Path) -> Settings:
    store = database.parent if isinstance(database, Path) else database
    return settings.model_copy(update={"store": store, "blobs": tmp_path / "blobs"})


async def crew(folder: RunFolder, settings: Settings, reviewer: Any, heard: list[Event], before: list[Event]) -> Any:
    members: list[Here] = []

    def started() -> Sequence[Here]:
        members.extend([Here("a", folder, settings), Here("b", folder, settings)])
        return members

    try:
        return await carried_by_workers(
            started, asking, folder.config_as(Config), folder=folder, settings=settings, on_event=heard.append,
            history=before.append, parts={"reviewer": reviewer},
        )  # fmt: skip
    finally:
        await asyncio.gather(*(member.task for member in members), return_exceptions=True)


async def test_what_all_workers_ask_is_asked_one_at_a_time(shared: Settings) -> None:
    folder = asking.begin("red", "blue", "green", settings=shared)
    at_once: list[int] = []

    async def reviewer(question: dict[str, Any]) -> str:
        at_once.append(1)
        assert len(at_once) == 1
        await asyncio.sleep(0.05)
        at_once.pop()
        return f"{question['word']} {question['round']}"

    result = await crew(folder, shared, reviewer, [], [])
    assert [task.answers for task in result.tasks] == [(f"{word} 1", f"{word} 2") for word in ("red", "blue", "green")]
    assert Questions(StoreLocation.named_by(shared), folder.id).waiting() == []


async def test_an_answer_from_elsewhere_lets_the_person_go(shared: Settings) -> None:
    folder = asking.begin("red", settings=shared)
    questions, let_go = Questions(StoreLocation.named_by(shared), folder.id), []

    async def reviewer(question: dict[str, Any]) -> str:
        [pending] = questions.waiting()
        questions.answer(pending.key, f"elsewhere {question['round']}", who="Ada")
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append(question["round"])
        return ""

    result = await crew(folder, shared, reviewer, [], [])
    assert result.tasks[0].answers == ("elsewhere 1", "elsewhere 2") and let_go == [1, 2]


async def test_a_person_who_leaves_stops_the_run_and_whoever_comes_back_hears_what_is_new(shared: Settings) -> None:
    """What was answered before is not asked again, and what happened before is history."""
    folder = asking.begin("red", "blue", settings=shared)
    asked: list[tuple[str, int]] = []

    async def leaving(question: dict[str, Any]) -> str:
        asked.append((question["word"], question["round"]))
        if len(asked) == 4:
            raise Interrupted("the input is at its end")
        return "first sitting"

    heard: list[Event] = []
    with pytest.raises(Interrupted, match="at its end"):
        await crew(folder, shared, leaving, heard, [])
    assert any(isinstance(event, RunStarted) and not event.resumed for event in heard)

    async def staying(question: dict[str, Any]) -> str:
        assert (question["word"], question["round"]) not in asked[:3]
        return "second sitting"

    heard, before = [], []
    result = await crew(folder, shared, staying, heard, before)
    answers = [answer for task in result.tasks for answer in task.answers]
    assert sorted(answers) == ["first sitting"] * 3 + ["second sitting"]
    assert [event.resumed for event in heard if isinstance(event, RunStarted)] == [True]
    assert [event.resumed for event in before if isinstance(event, RunStarted)] == [False]
    done = [event.task for event in [*before, *heard] if isinstance(event, TaskDone)]
    assert sorted(done) == ["t0", "t1"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_an_answer_that_comes_while_a_worker_stops_is_kept(shared: Settings, elsewhere: bool) -> None:
    folder = asking.begin("red", settings=shared)
    config = folder.config_as(Config)
    questions = Questions(StoreLocation.named_by(shared), folder.id)

    async def stops(question: dict[str, Any]) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        if elsewhere:
            questions.answer(questions.waiting()[0].key, "right")
            await asyncio.sleep(60)
        return "right"

    async def says(question: dict[str, Any]) -> str:
        assert question["round"] == 2
        return "right too"

    for reviewer in (stops, says):
        worker = asking.worker(config, folder, shared)
        work = carry(asking, config, folder=folder, settings=shared, worker=worker, parts={"reviewer": reviewer})
        if reviewer is stops:
            with pytest.raises(Interrupted, match="SIGTERM"):
                await work
        else:
            assert (await work).tasks[0].answers == ("right", "right too")


async def test_a_worker_that_waits_for_a_person_can_be_stopped(shared: Settings) -> None:
    folder = asking.begin("red", settings=shared)

    async def reviewer(question: dict[str, Any]) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return await never(question)

    worker = asking.worker(folder.config_as(Config), folder, shared)
    config = folder.config_as(Config)
    work = carry(asking, config, folder=folder, settings=shared, worker=worker, parts={"reviewer": reviewer})
    with pytest.raises(Interrupted, match="SIGTERM"):
        await asyncio.wait_for(work, 60)
