"""What a session gives the tasks of a run: the caller's own models, and states of this version alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from inloop.runtime.errors import BadInput, CallFailed, Interrupted, PrerequisiteError
from inloop.runtime.run import Loop, RunConfig, RunResult, Session, Task, exported
from inloop.runtime.settings import Settings


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
