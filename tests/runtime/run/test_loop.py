"""A loop of three lines, carried: what is resumed from where, what a caller brings, and what a summary states otherwise."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from inloop.runtime.errors import CallFailed
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.folder import RunFolder, RunResult, Task
from inloop.runtime.llm import open_chat
from inloop.runtime.records import Message
from inloop.runtime.run import Loop
from inloop.runtime.session import Mapped, RunConfig, Session
from inloop.runtime.settings import Settings
from inloop.runtime.store import BlobStore, MemoryBlobs, StoreLocation


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]
    llm: str = "nobody"


class State(TypedDict):
    version: int
    word: str


class Echo(Task):
    said: str


class Context:
    def __init__(self, config: Config, session: Session) -> None:
        self.session, self.chat = session, session.open("llm", open_chat, config.llm)


async def say(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    reply = await runtime.context.chat.complete([Message(role="user", content=state["word"])])
    return {"word": reply.text}


async def work(context: Context, id: str, word: str) -> Echo:
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("say", say)
    graph.add_edge(START, "say")
    graph.add_edge("say", END)
    start = State(version=1, word=word)
    state = await context.session.finish(graph, context=context, id=id, start=start, max_steps=2)
    return Echo(id=id, said=state["word"])


def echo(**more: Any) -> Loop[Config, Context, str, Echo, RunResult[Echo]]:
    return Loop(
        name="echo", config=Config, result=RunResult[Echo], inputs=lambda config: {word: word for word in config.words},
        open=Context, work=work, brings={"models": "a chat model, as llm"}, **more,
    )  # fmt: skip


@pytest.mark.parametrize(("checkpoints", "asked"), [(True, 2), (False, 3)])
def test_tasks_go_on_from_their_checkpoints_or_begin_anew(settings, checkpoints, asked):
    loop = echo(checkpoints=checkpoints)
    down = [True]

    def reply(messages: Any) -> str:
        if messages[-1].content == "b" and down.pop():
            down.append(False)
            raise CallFailed("the server went away", retryable=True)
        return "said"

    chat = ScriptedChat(reply)
    with pytest.raises(CallFailed, match="went away"):
        loop("a", "b", settings=settings, models={"llm": chat}, in_flight=1)
    [folder] = settings.runs_dir.glob("echo-*")
    assert (folder / "checkpoints.sqlite").exists() is checkpoints
    result = loop.resume(folder, settings=settings, models={"llm": chat})
    assert [task.said for task in result.tasks] == ["said", "said"]
    # a scripted chat is in no ledger: the task that had ended is asked again where it has no checkpoint
    assert len(chat.asked) - 1 == asked


def test_a_summary_sees_what_failed_and_states_fields_otherwise(settings):
    def reply(messages: Any) -> str:
        if messages[-1].content == "b":
            raise CallFailed("no")
        return "said"

    def summary(context: Context, mapped: Mapped[Echo]) -> dict[str, Any]:
        return {"tasks": (), "stopped": f"{len(mapped.results)} done, {list(mapped.failures)} failed"}

    result = echo(summary=summary)("a", "b", settings=settings, models={"llm": ScriptedChat(reply)})
    assert result.tasks == () and result.stopped == "1 done, ['b'] failed" and result.failed == {"b": "no"}


def test_where_a_task_keeps_what_is_large(settings):
    kept = []

    def opening(config: Config, session: Session) -> Context:
        kept.append(session.task_blobs())
        return Context(config, session)

    for checkpoints in (True, False):
        loop = echo(checkpoints=checkpoints)
        Loop(**{**vars(loop), "open": opening})("a", settings=settings, models={"llm": ScriptedChat(["said"])})
    assert isinstance(kept[0], BlobStore) and isinstance(kept[1], MemoryBlobs)
    ref = kept[1].put(b"long", "text/plain")
    assert kept[1].get(ref) == kept[1].get(ref.sha256) == b"long"


@pytest.mark.parametrize("place", ["folder", "postgres"])
def test_a_run_goes_on_with_the_store_that_it_was_begun_with(settings, place, tmp_path, monkeypatch, request):
    """Resumed where another store is named by default, a task that had ended is neither asked nor paid again."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed: pip install 'inloop[postgres]'")
    database = tmp_path / "kept" if place == "folder" else request.getfixturevalue("postgres_store")
    begun = settings.model_copy(update={"store": database, "blobs": tmp_path / "kept" / "blobs"})
    (tmp_path / "kept" / "blobs").mkdir(parents=True)

    def reply(messages: Any) -> str:
        if messages[-1].content == "b" and len(chat.asked) == 2:
            raise CallFailed("the server went away", retryable=True)
        return "said"

    chat = ScriptedChat(reply)
    with pytest.raises(CallFailed, match="went away"):
        echo()("a", "b", settings=begun, models={"llm": chat}, in_flight=1)
    [folder] = settings.runs_dir.glob("echo-*")
    assert (folder / "checkpoints.sqlite").exists() is (place == "folder")
    result = echo().resume(folder, settings=settings, models={"llm": chat})
    assert [task.said for task in result.tasks] == ["said", "said"] and len(chat.asked) == 3
    assert not (settings.runs_dir / ".store").exists()
    blobs = RunFolder.open(settings.runs_dir, folder).result_as(RunResult[Echo]).blobs()
    assert blobs is not None and blobs.root == tmp_path / "kept" / "blobs"


def test_a_store_beside_the_runs_moves_with_them(settings, tmp_path):
    echo()("a", settings=settings, models={"llm": ScriptedChat(["said"])})
    moved = settings.runs_dir.rename(tmp_path / "moved")
    [folder] = (RunFolder.open(moved, path) for path in moved.glob("echo-*"))
    at = StoreLocation.named_by(folder.with_its_store(Settings(runs_dir=moved)))
    assert at.tables("ledger") == moved / ".store" / "ledger.sqlite"


def test_pictures_are_looked_for_where_they_can_be_reached(settings, tmp_path, monkeypatch):
    """A run whose bucket is gone is shown with what lies beside it."""
    echo()("a", settings=settings, models={"llm": ScriptedChat(["said"])})
    [folder] = (RunFolder.open(settings.runs_dir, path) for path in settings.runs_dir.glob("echo-*"))
    gone = Settings(runs_dir=settings.runs_dir, blobs="s3://no-such-bucket-anywhere/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ref = BlobStore(settings.runs_dir / ".store" / "blobs").put(b"picture", "image/png")
    folder.write_result({"picture": ref.model_dump()})
    assert folder.store_of(gone) == StoreLocation.of(settings.runs_dir / ".store")
