"""The runner and its guards on real LangGraph graphs, real checkpoints, real signals and a killed process."""

import asyncio
import json
import math
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import numpy as np
import pytest
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Overwrite, RetryPolicy, Send, interrupt
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from inloop.runtime.errors import BadInput, PrerequisiteError, RunnerError
from inloop.runtime.machine.runner import Checkpoints, Finish, Runner, check
from inloop.runtime.records import Cost
from inloop.runtime.run.anywhere import run
from inloop.runtime.storage import Tables, database_at


class State(TypedDict, total=False):
    n: int
    texts: Annotated[list[str], operator.add]
    extra: Any


def builder(**nodes: Callable[..., Any]) -> Any:
    """A chain of nodes in the order given."""
    graph = StateGraph(State)
    before = START
    for name, node in nodes.items():
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


def counter(limit: int, slow: float = 0.0, at: tuple[int, Callable[[], Any]] | None = None) -> Any:
    """A loop that counts to `limit`, and does something on the way."""

    async def count(state: State) -> State:
        await asyncio.sleep(slow)
        if at is not None and state["n"] == at[0]:
            at[1]()
        return {"n": state["n"] + 1, "texts": [str(state["n"])]}

    def more(state: State) -> Literal["count", "__end__"]:
        return "count" if state["n"] < limit else END

    graph = StateGraph(State)
    graph.add_node("count", count)
    graph.add_edge(START, "count")
    graph.add_conditional_edges("count", more)
    return graph


def runner(graph: Any, checkpoints: Any = None, **options: Any) -> Runner:
    return Runner(graph, context=None, checkpoints=checkpoints, **{"thread_id": "t", "max_steps": 50, **options})


async def test_runs_to_the_end_and_says_how_far_it_came(tmp_path: Path) -> None:
    for checkpoints in (None, tmp_path / "new" / "checkpoints.sqlite"):
        finish = await runner(counter(5), checkpoints).start({"n": 0})
        assert finish == Finish(state={"n": 5, "texts": list("01234")}, steps=5)
        assert finish.finished


def test_start_and_resume_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with pytest.raises(RunnerError, match=r"'t' has not begun in .*c.sqlite: use start"):
        run(runner(counter(3), path).resume())
    first = run(runner(counter(3), path).start({"n": 0}))
    with pytest.raises(RunnerError, match=r"'t' has begun already"):
        run(runner(counter(3), path).start({"n": 0}))
    assert run(runner(counter(3), path).resume()) == first
    assert run(runner(counter(3), path).start_or_resume({"n": 0})) == first
    assert run(runner(counter(3), path, thread_id="other").start_or_resume({"n": 1})).state["n"] == 3
    with pytest.raises(RunnerError, match="not begun in no checkpoints"):
        run(runner(counter(3)).resume())


async def test_run_works_inside_a_running_loop() -> None:
    assert run(runner(counter(2)).start({"n": 0})).state["n"] == 2
    with pytest.raises(RunnerError):
        run(runner(counter(2)).start({"m": 0}))


# the shape of the graph


async def nothing(state: State) -> State:
    return {}


def test_shapes_that_langgraph_compiles_and_this_refuses() -> None:
    def goto(state: State) -> Command[Literal["b"]]:
        return Command(goto="b")

    def router(state: State) -> str:
        return "b"

    orphan = builder(a=nothing)
    orphan.add_node("b", nothing)
    orphan.add_edge("b", END)
    orphan.compile()
    with pytest.raises(RunnerError, match="nothing leads to node 'b'"):
        check(orphan)

    dead = StateGraph(State)
    dead.add_node("a", nothing)
    dead.add_edge(START, "a")
    dead.compile()
    with pytest.raises(RunnerError, match="node 'a' leads nowhere"):
        check(dead)

    both = builder(a=goto, b=nothing)
    both.compile()
    with pytest.raises(RunnerError, match="node 'a' has edges and returns Command"):
        check(both)

    missing = StateGraph(State)
    missing.add_node("a", goto)
    missing.add_edge(START, "a")
    with pytest.raises(RunnerError, match="node 'a' goes to 'b', and there is no such node"):
        check(missing)

    vague = StateGraph(State)
    vague.add_node("a", nothing)
    vague.add_node("b", nothing)
    vague.add_edge(START, "a")
    vague.add_conditional_edges("a", router)
    vague.add_edge("b", END)
    vague.compile()
    with pytest.raises(RunnerError, match=r"router 'router' of node 'a' does not say where"):
        check(vague)

    nested = StateGraph(State)
    nested.add_node("inner", builder(a=nothing).compile())
    nested.add_edge(START, "inner")
    nested.add_edge("inner", END)
    with pytest.raises(RunnerError, match="'inner' is a compiled graph"):
        check(nested)

    empty = StateGraph(State)
    empty.add_node("a", nothing)
    empty.add_edge("a", END)
    with pytest.raises(RunnerError, match=r"'__start__'|nothing leads to node 'a'"):
        check(empty)


def test_retries_that_repeat_a_401() -> None:
    graph = StateGraph(State)
    graph.add_node("a", nothing, retry_policy=RetryPolicy())
    graph.add_edge(START, "a")
    graph.add_edge("a", END)
    with pytest.raises(RunnerError, match=r"node 'a' retries whatever fails"):
        check(graph)
    with pytest.raises(RunnerError, match=r"the default RetryPolicy"):
        check(builder(a=nothing).set_node_defaults(retry_policy=RetryPolicy(max_attempts=9)))
    graph = StateGraph(State)
    graph.add_node("a", nothing, retry_policy=RetryPolicy(retry_on=ConnectionError))
    graph.add_edge(START, "a")
    graph.add_edge("a", END)
    check(graph)


async def test_explicit_retries_and_error_handlers_still_work() -> None:
    tries = []

    async def flaky(state: State) -> State:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("try again")
        raise KeyError("for good")

    async def handler(state: State, error: NodeError) -> Command[Literal["after"]]:
        return Command(update={"n": 7}, goto="after")

    graph = StateGraph(State)
    graph.add_node(
        "flaky",
        flaky,
        retry_policy=RetryPolicy(initial_interval=0.001, retry_on=ConnectionError),
        error_handler=handler,
    )
    graph.add_node("after", nothing)
    graph.add_edge(START, "flaky")
    graph.add_edge("flaky", "after")
    graph.add_edge("after", END)
    finish = await runner(graph).start({"n": 0})
    assert len(tries) == 3 and finish.state["n"] == 7


# where nodes and routers go


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Command(goto="typo"), "names 'typo', and there is no such node: a, b, c"),
        (Command(goto=Send("typo", {"n": 1})), "names 'typo', and there is no such node"),
        (Command(goto="c"), "goto='c'.* of node 'a' is not among the targets that it declares .b"),
        (Command(goto="b", update={"m": 1}), "unknown key 'm'"),
        (Command(goto="b", update=[("n", 1)]), "must be a dict"),
    ],
)
async def test_commands_at_run_time(command: Any, words: str) -> None:
    def a(state: State) -> Command[Literal["b"]]:
        return command

    def b(state: State) -> Command[Literal["c", "__end__"]]:
        return Command(goto=END)

    graph = StateGraph(State)
    for name, node in (("a", a), ("b", b)):
        graph.add_node(name, node)
    graph.add_node("c", nothing)
    graph.add_edge(START, "a")
    graph.add_edge("c", END)
    with pytest.raises(RunnerError, match=words):
        await runner(graph).start({"n": 0})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("typo", "router of node 'a' answered 'typo', which is none of 'b', '__end__'"),
        ([Send("b", {"n": 1}), Send("bb", {})], "router of node 'a' names 'bb'"),
        ([Send("b", {"n": np.int64(3)})], r"Send\('b'\) of node 'a': n is a int64"),
    ],
)
async def test_routers_at_run_time(answer: Any, words: str) -> None:
    graph = StateGraph(State)
    graph.add_node("a", nothing)
    graph.add_node("b", nothing)
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", lambda state: answer, ["b", END])
    graph.add_edge("b", END)
    with pytest.raises(RunnerError, match=words):
        await runner(graph).start({"n": 0})


async def test_fan_out_keeps_the_order_of_sending() -> None:
    async def work(state: State) -> State:
        await asyncio.sleep(0.02 / (1 + state["n"]))
        return {"texts": [str(state["n"])]}

    graph = StateGraph(State)
    graph.add_node("a", nothing)
    graph.add_node("work", work)
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", lambda state: [Send("work", {"n": n}) for n in range(5)], ["work"])
    graph.add_edge("work", END)
    assert (await runner(graph).start({"n": 0})).state["texts"] == list("01234")


# what is put into the state


class Vector(float):
    pass


BAD = [
    ({"m": 1}, "unknown key 'm', which LangGraph would drop; the keys are extra, n, texts"),
    ({"extra": {"a": [1, {"b": np.float32(0.5)}]}}, r"extra\.a\[1\]\.b is a float32"),
    ({"extra": np.float64(0.5)}, "extra is a float64"),
    ({"extra": Vector(1)}, "extra is a Vector"),
    ({"extra": np.zeros(3)}, "extra is a ndarray"),
    ({"extra": (1, 2)}, "extra is a tuple"),
    ({"extra": math.nan}, "extra is nan.*None for what is not known"),
    ({"extra": 2**63}, "more than 64 bits"),
    ({"extra": "\ud800"}, "lone surrogate"),
    ({"extra": {1: "x"}}, "dict with the key 1"),
    ({"extra": b"png"}, "extra is a bytes.*blob store"),
    ({"extra": {3}}, "extra is a set"),
    ({"extra": Cost()}, "extra is a Cost.*model_dump"),
    ({"extra": Overwrite({"deep": object()})}, r"extra\.deep is a object"),
    ({"extra": "x" * 20_000}, "has 20012 bytes as JSON, and may have 16384: 'extra' alone has 20002"),
    ("text", "the update of node 'a' is a str"),
]


@pytest.mark.parametrize(("update", "words"), BAD, ids=[words[:30] for _, words in BAD])
async def test_updates_that_are_refused(update: Any, words: str) -> None:
    with pytest.raises(RunnerError, match=words):
        await runner(builder(a=lambda state: update)).start({"n": 0})
    if isinstance(update, dict):
        with pytest.raises(RunnerError, match=words):
            await runner(builder(a=nothing)).start(update)


async def test_plain_json_passes(tmp_path: Path) -> None:
    good = {"n": -(2**63), "texts": ["ä", ""], "extra": {"a": [None, True, 1.5, {"b": []}], "": {}}}
    finish = await runner(builder(a=lambda state: good), tmp_path / "c.sqlite").start({"extra": 1})
    assert finish.state == good
    assert (await runner(builder(a=lambda state: None)).start({"n": 3})).state["n"] == 3
    with pytest.raises(RunnerError, match=r"input of the graph must be a dict"):
        await runner(builder(a=nothing)).start({})


async def test_a_state_that_grows_is_stopped() -> None:
    def grow(state: State) -> State:
        return {"n": state["n"] + 1, "texts": ["x" * 1000]}

    graph = StateGraph(State)
    graph.add_node("grow", grow)
    graph.add_edge(START, "grow")
    graph.add_conditional_edges("grow", lambda state: "grow", ["grow", END])
    with pytest.raises(RunnerError, match=r"the state has .* 'texts' alone has"):
        await runner(graph).start({"n": 0})


class Typed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int = 0
    texts: Annotated[list[str], operator.add] = []


async def test_a_pydantic_state_is_validated_to_the_end(tmp_path: Path) -> None:
    def graph(last: Any) -> Any:
        made = StateGraph(Typed)
        made.add_node("a", lambda state: {"n": state.n + 1})
        made.add_node("b", last)
        made.add_edge(START, "a")
        made.add_edge("a", "b")
        made.add_edge("b", END)
        return made

    for checkpoints in (None, tmp_path / "c.sqlite"):
        finish = await runner(graph(lambda state: {"texts": [str(state.n)]}), checkpoints).start({"n": 1})
        assert finish.state == Typed(n=2, texts=["2"])
    assert (await runner(graph(nothing), tmp_path / "c.sqlite").resume()).state == Typed(n=2, texts=["2"])
    with pytest.raises(ValueError, match="valid integer"):
        await runner(graph(lambda state: {"n": "many"})).start({"n": 1})
    with pytest.raises(RunnerError, match=r"node 'b' is a Typed: return a dict"):
        await runner(graph(lambda state: state)).start({"n": 1, "texts": ["q"]})


# context, limits, interrupts


async def test_context_is_needed_and_given() -> None:
    class Context(BaseModel):
        word: str = "hello"

    def node(state: State, runtime: Runtime[Context]) -> State:
        return {"texts": [runtime.context.word]}

    graph = StateGraph(State, context_schema=Context)
    graph.add_node("a", node)
    graph.add_edge(START, "a")
    graph.add_edge("a", END)
    with pytest.raises(RunnerError, match=r"needs a context \(Context\)"):
        runner(graph)
    finish = await Runner(graph, context=Context(), checkpoints=None, thread_id="t", max_steps=3).start({"n": 0})
    assert finish.state["texts"] == ["hello"]


def test_a_thread_has_a_name_and_steps() -> None:
    with pytest.raises(RunnerError, match="thread_id is empty"):
        runner(counter(1), thread_id="")
    with pytest.raises(BadInput, match="max_steps=0"):
        runner(counter(1), max_steps=0)


async def test_max_steps_count_from_the_start_over_resumes(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    assert (await runner(counter(6), max_steps=6).start({"n": 0})).steps == 6
    with pytest.raises(RunnerError, match=r"max_steps=5 \(next: node 'count'\)"):
        await runner(counter(6), path, max_steps=5).start({"n": 0})
    with pytest.raises(RunnerError, match="max_steps=5"):
        await runner(counter(6), path, max_steps=5).resume()
    finish = await runner(counter(6), path, max_steps=6).resume()
    assert (finish.state["n"], finish.steps) == (6, 6)


async def test_interrupts_are_answered_or_refused(tmp_path: Path) -> None:
    async def ask(state: State) -> State:
        return {"texts": [interrupt("which one?")]}

    with pytest.raises(RunnerError, match=r"interrupted .'which one\?'.* no checkpoints"):
        await runner(builder(ask=ask)).start({"n": 0})
    path = tmp_path / "c.sqlite"
    finish = await runner(builder(ask=ask), path).start({"n": 0})
    assert not finish.finished and [each.value for each in finish.interrupts] == ["which one?"]
    again = await runner(builder(ask=ask), path).resume()
    assert [each.value for each in again.interrupts] == ["which one?"]
    finish = await runner(builder(ask=ask), path).resume("that one")
    assert finish.finished and finish.state["texts"] == ["that one"]


# stops, crashes, resumes


async def test_stop_and_resume_give_the_unbroken_result(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    whole = await runner(counter(20)).start({"n": 0})
    broken = runner(counter(20, at=(7, lambda: broken.stop("enough"))), path)
    finish = await broken.start({"n": 0})
    assert (finish.stopped, finish.finished, finish.steps, finish.state["n"]) == ("enough", False, 8, 8)
    assert await runner(counter(20), path).resume() == whole


async def test_a_crash_between_a_nodes_writes_and_their_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    path = tmp_path / "c.sqlite"
    put = AsyncSqliteSaver.aput

    async def crash(self: Any, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
        if metadata["step"] == 3:
            raise RuntimeError("gone")
        return await put(self, config, checkpoint, metadata, versions)

    with monkeypatch.context() as patched:
        patched.setattr(AsyncSqliteSaver, "aput", crash)
        with pytest.raises(RuntimeError, match="gone"):
            await runner(counter(6), path).start({"n": 0})
    finish = await runner(counter(6), path).resume()
    assert (finish.state, finish.steps) == ({"n": 6, "texts": list("012345")}, 6)


async def test_a_failed_step_is_run_again(tmp_path: Path) -> None:
    path, ran = tmp_path / "c.sqlite", []

    def graph(broken: bool) -> Any:
        async def work(state: State) -> State:
            ran.append(state["n"])
            if broken and state["n"] == 2:
                raise OSError("the disk is gone")
            return {"texts": [str(state["n"])]}

        made = StateGraph(State)
        made.add_node("a", nothing)
        made.add_node("work", work)
        made.add_edge(START, "a")
        made.add_conditional_edges("a", lambda state: [Send("work", {"n": n}) for n in range(4)], ["work"])
        made.add_edge("work", END)
        return made

    with pytest.raises(OSError, match="the disk is gone"):
        await runner(graph(True), path).start({"n": 9})
    ran.clear()
    finish = await runner(graph(False), path).resume()
    assert finish.state["texts"] == list("0123")
    assert 2 in ran


async def test_many_threads_share_checkpoints(tmp_path: Path) -> None:
    async with Checkpoints(tmp_path / "c.sqlite") as checkpoints:
        runners = [runner(counter(5, slow=0.001), checkpoints, thread_id=f"prompt-{n}") for n in range(8)]
        finishes = await asyncio.gather(*(each.start({"n": 0}) for each in runners))
    assert all(finish.state["n"] == 5 for finish in finishes)
    with pytest.raises(RunnerError, match="are not open"):
        await runners[0].resume()


SCRIPT = """
import asyncio, json, logging, operator, os, signal, sys, time
from pathlib import Path
from typing import Annotated, Literal
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict
from inloop.runtime.machine import Runner
from inloop.runtime.run import run

class State(TypedDict, total=False):
    n: int
    texts: Annotated[list[str], operator.add]

async def count(state: State) -> State:
    print(state["n"], flush=True)
    await asyncio.sleep(0.02)
    return {"n": state["n"] + 1, "texts": [str(state["n"])]}

def more(state: State) -> Literal["count", "__end__"]:
    return "count" if state["n"] < 40 else END

graph = StateGraph(State)
graph.add_node("count", count)
graph.add_edge(START, "count")
graph.add_conditional_edges("count", more)
runner = Runner(graph, context=None, checkpoints=Path(sys.argv[1]), thread_id="t", max_steps=100)
finish = run(runner.start_or_resume({"n": 0}))
print(json.dumps([finish.state["n"], finish.state["texts"], finish.stopped]))
"""


def heed_control_c() -> None:
    """A shell's background job ignores it, and hands that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def script(path: Path, source: str = SCRIPT) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", source, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        preexec_fn=heed_control_c if os.name == "posix" else None,
    )


def wait_for(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdout is not None
    while (found := process.stdout.readline()) and found.strip() != line:
        pass
    assert found, process.stderr and process.stderr.read()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_control_c_stops_cleanly_and_sigkill_loses_no_step(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    first = script(path)
    wait_for(first, "3")
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=30)
    n, texts, stopped = json.loads(out.splitlines()[-1])
    assert stopped == "SIGINT" and n < 30 and texts == [str(i) for i in range(n)]
    assert "stopping after the step under way" in err and "Traceback" not in err

    second = script(path)
    assert second.stdout is not None
    begun = int(second.stdout.readline())
    assert begun == n  # no finished step is run again
    wait_for(second, str(n + 5))
    second.send_signal(signal.SIGKILL)
    second.communicate()

    third = script(path)
    assert third.stdout is not None
    assert int(third.stdout.readline()) in (n + 5, n + 6)  # only the step under way
    out, err = third.communicate(timeout=30)
    assert json.loads(out.splitlines()[-1]) == [40, [str(i) for i in range(40)], None], err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_second_control_c_stops_at_once(tmp_path: Path) -> None:
    process = script(tmp_path / "c.sqlite", SCRIPT.replace("asyncio.sleep(0.02)", "asyncio.sleep(30)"))
    wait_for(process, "0")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode != 0 and "KeyboardInterrupt" in err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
async def test_a_signal_stops_every_run_also_when_the_first_is_done(tmp_path: Path) -> None:
    killed = asyncio.Event()

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        killed.set()

    before = signal.getsignal(signal.SIGTERM)
    async with Checkpoints(tmp_path / "c.sqlite") as checkpoints:

        async def go(name: str, graph: Any, *, late: bool = False) -> Finish:
            if late:
                await killed.wait()
                await asyncio.sleep(0.05)
            return await runner(graph, checkpoints, thread_id=name).start({"n": 0})

        finishes = await asyncio.gather(
            go("first", counter(1)),
            go("second", counter(9, at=(3, kill))),
            go("third", counter(30, slow=1.0)),
            go("late", counter(30), late=True),
        )
        assert [finish.stopped for finish in finishes] == [None, "SIGTERM", "SIGTERM", "SIGTERM"]
        assert (finishes[3].state, finishes[3].steps) == ({"n": 0}, 0)
        assert (await runner(counter(30), checkpoints, thread_id="late").resume()).state["n"] == 30
        assert (await runner(counter(30), checkpoints, thread_id="late").start_or_resume({"n": 0})).steps == 30
    assert signal.getsignal(signal.SIGTERM) is before


# checkpoints that cannot be used


async def test_checkpoints_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="cannot be read or written"):
        await runner(counter(2), tmp_path / "file" / "c.sqlite").start({"n": 0})
    (tmp_path / "junk").write_bytes(b"no database" * 1000)
    with pytest.raises(PrerequisiteError, match="file is not a database"):
        await runner(counter(2), tmp_path / "junk").start({"n": 0})


async def test_a_run_goes_on_from_postgres(postgres_store: str) -> None:
    reason = "the extra postgres is not installed: pip install 'inloop[postgres]'"
    pytest.importorskip("langgraph.checkpoint.postgres", reason=reason)

    def stop() -> None:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        await runner(counter(5, at=(3, stop)), postgres_store, thread_id="t").start({"n": 0})
    finish = await runner(counter(5), postgres_store, thread_id="t").resume()
    assert finish == Finish(state={"n": 5, "texts": list("01234")}, steps=5)


async def test_runs_that_share_a_postgres_have_their_own_threads(postgres_store: str) -> None:
    for name, steps in (("one", 3), ("other", 5)):
        async with Checkpoints(postgres_store, run=name) as checkpoints:
            finish = await runner(counter(steps), checkpoints, thread_id="t").start_or_resume({"n": 0})
            assert finish.state["n"] == steps


async def test_checkpoints_go_on_when_their_connections_are_cut(postgres_store: str) -> None:
    def cut() -> None:
        killer = database_at(
            postgres_store, Tables(name="none", what="none", statements="", version=1, lost="")
        ).connect()
        killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'inloop' AND pid <> pg_backend_pid()"
        )
        killer.close()

    async with Checkpoints(postgres_store) as checkpoints:
        finish = await runner(counter(5, at=(3, cut)), checkpoints, thread_id="t").start({"n": 0})
        assert finish.state["n"] == 5


async def test_many_processes_open_new_checkpoints_at_once(postgres_store: str) -> None:
    async def one(run: str) -> None:
        async with Checkpoints(postgres_store, run=run) as checkpoints:
            finish = await runner(counter(2), checkpoints, thread_id="t").start({"n": 0})
            assert finish.state["n"] == 2

    await asyncio.gather(*(one(f"r{n}") for n in range(6)))


async def test_a_postgres_that_cannot_be_used(postgres_store: str) -> None:
    away = urlsplit(postgres_store)._replace(netloc="ada@127.0.0.1:1").geturl()
    with pytest.raises(PrerequisiteError, match=r"the checkpoints in postgresql://ada@127.0.0.1:1.* cannot be reached"):
        await runner(counter(2), away).start({"n": 0})
    with pytest.raises(BadInput, match=r"ada@host/db.*PGPASSWORD"):
        await runner(counter(2), "postgresql://ada:geheim@host/db").start({"n": 0})


async def test_postgres_needs_its_package_and_hides_the_password() -> None:
    try:
        import langgraph.checkpoint.postgres  # noqa: F401
    except ImportError:
        with pytest.raises(
            PrerequisiteError, match=r"host/db.*not installed[\s\S]*pip install 'inloop\[postgres\]'"
        ) as no:
            await runner(counter(2), "postgresql://user:secret@host/db").start({"n": 0})
        assert "secret" not in str(no.value)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="a full disk: run the tests as root on Linux, which mounts one",
)
async def test_a_full_disk_under_the_checkpoints(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a full disk: mounting is not allowed here")
    try:
        with pytest.raises(
            PrerequisiteError, match=r"checkpoints in .* cannot be written .SQLite: database or disk is full"
        ):
            await runner(counter(400), disk / "c.sqlite", max_steps=500).start({"n": 0, "extra": "x" * 8000})
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert (await runner(counter(400), disk / "c.sqlite", max_steps=500).resume()).state["n"] == 400
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_the_users_own_graph_is_not_touched() -> None:
    graph = counter(2)
    before = dict(graph.nodes), {start: dict(found) for start, found in graph.branches.items()}
    runner(graph)
    assert (graph.nodes, dict(graph.branches)) == before
    assert not graph.compiled
