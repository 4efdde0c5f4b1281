"""What a session gives the tasks of a run: the caller's own models, and states of this version alone."""

import asyncio
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from inloop.runtime.errors import BadInput, CallFailed, Interrupted, PrerequisiteError
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.machine import Runner
from inloop.runtime.run import Loop, exported
from inloop.runtime.session import Questions, RunConfig, Session
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation


def _questions(settings: Settings, folder: Path) -> Questions:
    return Questions(StoreLocation.named_by(settings), folder.name)


class Config(RunConfig):
    FROM_SETTINGS = ()
    fails: bool = False


class State(TypedDict):
    version: int
    name: str


class Named(Task):
    name: str


class Context:
    version: ClassVar[int] = 1

    def __init__(self, config: Config, session: Session) -> None:
        session.brought("models", ("namer",))
        self.config, self.session = config, session
        self.namer = session.open("namer", lambda spec, store, settings: Namer(spec), "opened")


class Namer:
    revision = "1"

    def __init__(self, model: str) -> None:
        self.model, self.closed = model, False

    async def aclose(self) -> None:
        self.closed = True


async def work(context: Context, id: str, input: str) -> Named:
    def name(state: State) -> dict[str, Any]:
        return {"name": context.namer.model}

    def fail(state: State) -> dict[str, Any]:
        if context.config.fails and context.version == 1:
            raise CallFailed("it is out", retryable=True)
        return {"name": state["name"]}

    graph = StateGraph(State)
    graph.add_node("name", name)
    graph.add_node("fail", fail)
    graph.add_edge(START, "name")
    graph.add_edge("name", "fail")
    graph.add_edge("fail", END)
    start = State(version=context.version, name="")
    state = await context.session.finish(graph, context=None, id=id, start=start, max_steps=3)
    return Named(id=id, name=state["name"])


naming = Loop(
    name="naming", config=Config, result=RunResult[Named], inputs=lambda config: {"t1": "x"}, open=Context, work=work,
    brings={"models": "namer"},
)  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs")


def test_a_callers_own_model_takes_its_role_and_stays_open(settings):
    own = Namer("mine")
    result = naming(settings=settings, models={"namer": own})
    assert result.tasks[0].name == "mine" and result.models == {"namer": {"id": "mine", "revision": "1"}}
    assert not own.closed
    assert naming(settings=settings).tasks[0].name == "opened"


@pytest.mark.parametrize(
    ("models", "words"), [({"painter": 1}, "no role 'painter'.*namer"), ("namer", "no dictionary")]
)
def test_a_role_that_there_is_not_is_refused_and_leaves_no_folder(settings, models, words):
    with pytest.raises(BadInput, match=words):
        naming(settings=settings, models=models)
    assert not list(settings.runs_dir.glob("naming-*"))


def test_a_checkpoint_of_another_version_of_the_state_is_refused(settings, monkeypatch):
    with pytest.raises(CallFailed):
        naming(settings=settings, fails=True)
    [folder] = settings.runs_dir.glob("naming-*")
    monkeypatch.setattr(Context, "version", 2)
    with pytest.raises(PrerequisiteError, match=r"version 1 .*goes on with version 2"):
        naming.resume(folder, settings=settings)


async def test_an_exported_loop_runs_from_json_alone(settings, monkeypatch):
    """As `langgraph dev` calls it: the config's fields as JSON, the events as custom parts, the result as JSON."""
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(settings.runs_dir))
    graph = exported(naming)
    assert graph.get_input_jsonschema()["properties"]["in_flight"]["description"]
    parts = [part async for part in graph.astream({"in_flight": 3}, stream_mode=["custom", "values"])]
    events = [part["event"] for mode, part in parts if mode == "custom"]
    assert events == ["run_started", "models", "task_done", "run_done"]
    result = parts[-1][1]["result"]
    assert result["tasks"] == [{"id": "t1", "name": "opened"}] and result["config"]["in_flight"] == 3
    assert (settings.runs_dir / result["run_id"] / "result.json").is_file()
    with pytest.raises(ValueError, match="in_flight"):
        await graph.ainvoke({"in_flight": 0})


async def _asks(context: Context, id: str, input: str) -> Named:
    async def ask(state: State) -> dict[str, str]:
        return {"name": interrupt({"who": id})}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    state = await context.session.finish(graph, context=None, id=id, start=State(version=1, name=""), max_steps=3)
    return Named(id=id, name=state["name"])


def test_what_a_graph_asks_is_put_to_the_reviewer_and_waits_where_there_is_none(settings):
    asking = replace(naming, work=_asks, brings={"models": "namer", "reviewer": "who is asked"})
    with pytest.raises(Interrupted, match="waits for a person"):
        asking(settings=settings)
    [folder] = settings.runs_dir.glob("naming-*")

    async def reviewer(question: dict[str, str]) -> str:
        return f"said of {question['who']}"

    assert asking.resume(folder, settings=settings, reviewer=reviewer).tasks[0].name == "said of t1"


def test_what_a_graph_asks_is_answered_from_another_process_while_it_waits(settings):
    """By the key of the interrupt; the reviewer at hand is let go, and the answer of who was second is refused."""
    asking = replace(naming, work=_asks, brings={"models": "namer", "reviewer": "who is asked"})
    let_go = []

    async def silent(question: dict[str, str]) -> str:
        [folder] = settings.runs_dir.glob("naming-*")
        [pending] = _questions(settings, folder).waiting()
        assert pending.question == question and pending.task == "t1" and not pending.answered
        _questions(settings, folder).answer(pending.key, "said elsewhere", who="Ada")
        _questions(settings, folder).answer(pending.key, "said elsewhere")  # sent twice
        with pytest.raises(BadInput, match="answered already"):
            _questions(settings, folder).answer(pending.key, "said too late")
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append(True)
        return "never"

    assert asking(settings=settings, reviewer=silent).tasks[0].name == "said elsewhere" and let_go == [True]
    [folder] = settings.runs_dir.glob("naming-*")
    assert _questions(settings, folder).waiting() == []
    with pytest.raises(BadInput, match="does not ask"):
        _questions(settings, folder).answer("no-such-key", "x")


async def _asks_until_right(context: Context, id: str, input: str) -> Named:
    async def ask(state: State) -> dict[str, str]:
        said: list[str] = []
        while not said or said[-1] == "wrong":
            said.append(interrupt({"wrong": len(said)}))
        return {"name": ",".join(said)}

    graph = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    state = await context.session.finish(graph, context=None, id=id, start=State(version=1, name=""), max_steps=3)
    return Named(id=id, name=state["name"])


def test_an_answer_that_cannot_be_taken_is_asked_for_again_and_a_stopped_run_takes_what_was_answered(settings):
    asking = replace(naming, work=_asks_until_right)
    with pytest.raises(Interrupted, match="waits for a person"):
        asking(settings=settings)
    [folder] = settings.runs_dir.glob("naming-*")
    keys = []
    for answer in ("wrong", "wrong", "right"):
        [pending] = _questions(settings, folder).waiting()
        assert pending.question == {"wrong": len(keys)}
        keys.append(pending.key)
        _questions(settings, folder).answer(pending.key, answer)
        assert _questions(settings, folder).waiting()[0].answered
        if answer == "wrong":
            with pytest.raises(Interrupted, match="waits for a person"):
                asking.resume(folder, settings=settings)
    assert asking.resume(folder, settings=settings).tasks[0].name == "wrong,wrong,right"
    assert len(set(keys)) == 3 and _questions(settings, folder).waiting() == []


@pytest.mark.parametrize("moment", ["before it is handed over", "before it is noted as taken"])
def test_an_answer_survives_a_kill(settings, moment):
    """A process of its own takes the answer up and is killed; the next one ends as if nothing had been."""
    asking = replace(naming, work=_asks_until_right)
    with pytest.raises(Interrupted):
        asking(settings=settings)
    [folder] = settings.runs_dir.glob("naming-*")
    for answer in ("wrong", "right"):
        _questions(settings, folder).answer(_questions(settings, folder).waiting()[0].key, answer)
        killed = multiprocessing.get_context("fork").Process(target=_killed, args=(asking, folder, settings, moment))
        killed.start()
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        if answer == "wrong":
            with pytest.raises(Interrupted):
                asking.resume(folder, settings=settings)
    assert asking.resume(folder, settings=settings).tasks[0].name == "wrong,right"
    assert _questions(settings, folder).waiting() == []


def _killed(asking, folder, settings, moment):
    def die(*given):
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "before it is noted as taken":
        Questions.take = die
    else:
        Runner.resume = die
    asking.resume(folder, settings=settings)
