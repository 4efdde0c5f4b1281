"""A run that several workers share, of a loop of three lines, on SQLite and PostgreSQL: what each does, what all agree on, and who is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from inloop.runtime.errors import BadInput, CallFailed, Interrupted, PrerequisiteError
from inloop.runtime.folder import RunFolder, RunResult, Task
from inloop.runtime.records import Cost
from inloop.runtime.run import Loop, carry, shared_worker
from inloop.runtime.session import Event, RunConfig, Session, Warned, option
from inloop.runtime.settings import Settings
from inloop.runtime.store import Call, Store


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]
    file: Annotated[str, option("something that is read")] = ""


class Echo(Task):
    said: str
    by: str


Say = Callable[["Context", str], Awaitable[str]]


class Context:
    def __init__(self, config: Config, session: Session) -> None:
        self.config, self.session = config, session


async def pay(context: Context, word: str) -> str:
    async def compute() -> tuple[str, Cost]:
        await asyncio.sleep(0.01)
        return word.upper(), Cost(calls=1, images=1)

    call = Call(kind="llm", model="m", revision="1", params={}, inputs=word)
    return str((await context.session.store.ledger.once(call, compute))[0])


def echo(say: Say = pay, **more: Any) -> Loop[Config, Context, str, Echo, RunResult[Echo]]:
    async def work(context: Context, id: str, word: str) -> Echo | None:
        if context.session.budget.exhausted():
            return None
        return Echo(id=id, said=await say(context, word), by=str(id))

    return Loop(
        name="echo", config=Config, result=RunResult[Echo], checkpoints=False, work=work, open=Context,
        inputs=lambda config: {f"t{place}": word for place, word in enumerate(config.words)}, **more,
    )  # fmt: skip


@pytest.fixture
def shared(settings: Settings, database: Path | str, tmp_path: Path) -> Settings:
    store = database.parent if isinstance(database, Path) else database
    return settings.model_copy(update={"store": store, "blobs": tmp_path / "blobs"})


async def worked(loop: Any, folder: RunFolder, settings: Settings, *names: str, **options: Any) -> list[Any]:
    """What each of several workers ends with, or its error."""
    config = folder.config_as(Config)
    workers = [loop.worker(config, folder, settings, name=name, **options) for name in names]
    each = [carry(loop, config, folder=folder, settings=settings, worker=worker) for worker in workers]
    return await asyncio.gather(*each, return_exceptions=True)


def test_every_worker_ends_with_the_one_result(shared: Settings) -> None:
    words = [f"word {number % 7}" for number in range(20)]  # different tasks want the same calls
    loop = echo()
    folder = loop.begin(*words, settings=shared, in_flight=4)
    heard: list[Event] = []
    one, other = asyncio.run(worked(loop, folder, shared, "w1", "w2", listen=heard.append))
    assert one == other and [task.said for task in one.tasks] == [word.upper() for word in words]
    assert folder.result()["tasks"] == [task.model_dump() for task in one.tasks]
    with Store.open(shared, run_id=folder.id) as store:
        assert store.ledger.paid_twice() == [] and store.ledger.run_counts()["llm"]["paid"] == 7
    events = folder.events()
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert {event["worker"] for event in events} == {"w1", "w2"}
    assert sorted(event["task"] for event in events if event["event"] == "task_done") == sorted(t.id for t in one.tasks)
    assert sum(event.event == "task_done" for event in heard) == 2 * len(words)  # each hears of all
    assert one.calls == {"llm": {"paid": 7, "reused": 13}}
    [again] = asyncio.run(worked(loop, folder, shared, "w3"))
    assert again == one and folder.finished


def test_workers_share_alike(shared: Settings) -> None:
    there = asyncio.Barrier(4)

    async def slow(context: Context, word: str) -> str:
        await asyncio.sleep(0.1)
        return word

    async def opening(config: Config, session: Session) -> Context:
        await there.wait()
        return Context(config, session)

    loop = Loop(**{**vars(echo(slow)), "open": opening})
    folder = loop.begin(*"abcdefgh", settings=shared, in_flight=8)
    asyncio.run(worked(loop, folder, shared, "w1", "w2", "w3", "w4"))
    left = {event["name"]: event["tasks"] for event in folder.events() if event["event"] == "worker_left"}
    assert sum(left.values()) == 8 and max(left.values()) <= 3


def test_those_who_are_on_their_way_find_their_share(shared: Settings) -> None:
    at_once, most = 0, [0]

    async def slow(context: Context, word: str) -> str:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        await asyncio.sleep(0.3)
        at_once -= 1
        return word

    loop = echo(slow)
    folder = loop.begin(*"abcdefgh", settings=shared, in_flight=8)
    [result] = asyncio.run(worked(loop, folder, shared, "w1", of=4))
    assert max(most) == 2 and len(result.tasks) == 8, "a quarter, though nobody else came"


def test_what_fails_fails_for_all_and_is_tried_again_by_those_who_come_later(shared: Settings) -> None:
    down = [True]

    async def say(context: Context, word: str) -> str:
        if word == "bad" or down[0]:
            raise CallFailed(f"no answer to {word}")
        return word

    loop = echo(say)
    folder = loop.begin("a", "bad", settings=shared)
    for error in asyncio.run(worked(loop, folder, shared, "w1", "w2")):
        assert isinstance(error, CallFailed) and str(error) == "no answer to a"
    assert not folder.finished
    down[0] = False
    one, other = asyncio.run(worked(loop, folder, shared, "w3", "w4"))
    assert one == other and one.failed == {"t1": "no answer to bad"} and [task.said for task in one.tasks] == ["a"]


def test_one_worker_that_fails_leaves_its_tasks_to_the_others(shared: Settings) -> None:
    async def say(context: Context, word: str) -> str:
        if not told:
            told.append(word)
            raise PrerequisiteError("the GPU is gone", remedy="find it")
        return word

    told: list[str] = []
    loop = echo(say)
    folder = loop.begin(*"abc", settings=shared)
    outcomes = asyncio.run(worked(loop, folder, shared, "w1", "w2"))
    [failed] = [each for each in outcomes if isinstance(each, PrerequisiteError)]
    [result] = [each for each in outcomes if not isinstance(each, Exception)]
    assert failed.problem == "the GPU is gone" and [task.said for task in result.tasks] == ["a", "b", "c"]


def test_notes_of_all_are_in_the_result(shared: Settings) -> None:
    async def say(context: Context, word: str) -> str:
        context.session.emit(Warned(text=f"heard {word}"))
        await asyncio.sleep(0.05)
        return word

    loop = echo(say)
    folder = loop.begin(*"abcd", settings=shared, in_flight=1)
    one, _ = asyncio.run(worked(loop, folder, shared, "w1", "w2"))
    assert set(one.notes) == {f"heard {word}" for word in "abcd"}


def test_a_budget_is_that_of_all_workers(shared: Settings) -> None:
    words = [f"word {number}" for number in range(30)]
    loop = echo()
    folder = loop.begin(*words, settings=shared, in_flight=1, budget="images=10")
    one, other = asyncio.run(worked(loop, folder, shared, "w1", "w2"))
    assert one == other and "10 images" in str(one.stopped)
    assert 10 <= one.cost.images <= 12  # what was under way is finished


def test_other_inputs_or_models_are_refused(shared: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rows.txt"
    file.write_text("rows", encoding="utf-8")
    loop = echo()
    folder = loop.begin("a", settings=shared, file=str(file))
    file.write_text("other rows", encoding="utf-8")
    [error] = asyncio.run(worked(loop, folder, shared, "w1"))
    assert isinstance(error, BadInput) and "the file of 'file'" in str(error)
    file.write_text("rows", encoding="utf-8")

    class Model:
        model, revision = "painter", "1"

    def opening(config: Config, session: Session) -> Context:
        session.opened["images"] = Model()
        return Context(config, session)

    with_models = echo()
    with_models = Loop(**{**vars(with_models), "open": opening})

    async def both() -> tuple[list[Any], list[Any]]:
        folder = with_models.begin("a", settings=shared)

        async def stopped(context: Context, word: str) -> str:
            raise Interrupted("stopped")

        first = await worked(Loop(**{**vars(echo(stopped)), "open": opening}), folder, shared, "w1")
        Model.revision = "2"
        return first, await worked(with_models, folder, shared, "w2")

    first, second = asyncio.run(both())
    assert isinstance(first[0], Interrupted) and isinstance(second[0], PrerequisiteError)
    assert "images painter of revision 1, and this process has painter of revision 2" in second[0].problem


def test_workers_and_a_process_that_has_the_run_for_itself_refuse_each_other(shared: Settings) -> None:
    loop = echo()
    folder = loop.begin("a", settings=shared)
    with folder.lock():
        [error] = asyncio.run(worked(loop, folder, shared, "w1"))
        assert isinstance(error, PrerequisiteError) and "is being worked on by another process" in error.problem
    with folder.lock(shared=True), folder.lock(shared=True):
        assert folder.locked
        with pytest.raises(PrerequisiteError, match=r"workers are on the run .*\n.*inloop work") as told:
            loop.resume(folder.path, settings=shared)
        assert "inloop work" in told.value.remedy
    result = loop.resume(folder.path, settings=shared)  # nobody is there: it goes on by itself
    assert [task.said for task in result.tasks] == ["A"] and loop.resume(folder.path, settings=shared) == result


def test_a_run_that_no_worker_can_take_up(shared: Settings) -> None:
    loop = Loop(**{**vars(echo()), "shareable": False})
    with pytest.raises(BadInput, match="one process alone"):
        loop.begin("a", settings=shared)
    assert not list(shared.runs_dir.glob("echo-*"))
    given = Loop(**{**vars(echo()), "brings": {"models": "a chat model"}})
    with pytest.raises(BadInput, match="module:object"):
        given.begin("a", settings=shared, models={})
    refused = {
        "folder": "begin", "folder:3": "leave '3' out", "local:0": "number of processes", "local:x": "number of processes",
        "lokal": "did you mean local",
    }  # fmt: skip
    for engine, why in refused.items():
        with pytest.raises(BadInput, match=why):
            echo()("a", settings=shared.model_copy(update={"engine": engine}))


def test_a_file_that_several_machines_cannot_share_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_worker, "network_file_system", lambda folder: "nfs4")
    loop = echo()
    folder = loop.begin("a", settings=settings)
    [error] = asyncio.run(worked(loop, folder, settings, "w1"))
    assert isinstance(error, PrerequisiteError) and "network file system (nfs4)" in error.problem
    assert "--store postgresql://" in error.remedy and "--here" in error.remedy
    [result] = asyncio.run(worked(loop, folder, settings, "w1", here=True))
    assert [task.said for task in result.tasks] == ["A"]


def test_a_worker_that_was_taken_for_dead_ends_and_the_others_do_its_tasks(shared: Settings) -> None:
    held: list[str] = []

    async def say(context: Context, word: str) -> str:
        if not held:
            held.append(word)
            threading.Thread(target=frozen._lost).start()  # as its heartbeat does, from a thread of its own
            await asyncio.sleep(600)
        return word

    loop = echo(say)
    folder = loop.begin(*"abc", settings=shared)
    config = folder.config_as(Config)
    frozen, other = (loop.worker(config, folder, shared, name=name) for name in ("w1", "w2"))

    async def both() -> list[Any]:
        first = asyncio.ensure_future(carry(loop, config, folder=folder, settings=shared, worker=frozen))
        while not held:  # it is this one that holds a task
            await asyncio.sleep(0.01)
        second = carry(loop, config, folder=folder, settings=shared, worker=other)
        return await asyncio.gather(first, second, return_exceptions=True)

    error, result = asyncio.run(both())
    assert isinstance(error, PrerequisiteError) and "gave no sign" in error.problem and "inloop work" in error.remedy
    assert [task.said for task in result.tasks] == ["a", "b", "c"]
