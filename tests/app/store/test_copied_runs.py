"""A shared run that is copied with its store goes on there: what was finished stays, what happened stands in its folder once, what was asked is asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from inloop.app.store.copying import copy
from inloop.runtime.errors import Interrupted
from inloop.runtime.folder import RunFolder, RunResult, Task
from inloop.runtime.llm.batch_book import BatchBook
from inloop.runtime.run import Loop, SharedRun, carry
from inloop.runtime.session import Questions, RunConfig, Session
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]


class Shouted(Task):
    text: str


class Context:
    stops = True
    worked: ClassVar[list[str]] = []

    def __init__(self, config: Config, session: Session) -> None:
        self.session = session


async def shout(context: Context, id: str, word: str) -> Shouted:
    Context.worked.append(word)
    if Context.stops and len(Context.worked) == 3:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
    return Shouted(id=id, text=word.upper())


shouting: Loop[Config, Context, str, Shouted, RunResult[Shouted]] = Loop(
    name="shouting", config=Config, result=RunResult[Shouted], work=shout, open=Context, checkpoints=False,
    inputs=lambda config: {f"t{place}": word for place, word in enumerate(config.words)},
)  # fmt: skip
WORDS = ("a", "b", "c", "d", "e")


async def worked(settings: Settings, *words: str) -> RunFolder:
    """A shared run that one worker began, and went on with until it was stopped."""
    folder = shouting.begin(*words, settings=settings, in_flight=1)
    worker = shouting.worker(folder.config_as(Config), folder, settings)
    with contextlib.suppress(Interrupted):
        await carry(shouting, folder.config_as(Config), folder=folder, settings=settings, worker=worker)
    return folder


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("way", ["folder to server", "server to folder", "folder to folder"])
async def test_a_shared_run_goes_on_in_a_copy_of_its_store(
    tmp_path: Path, postgres_store: str, way: str, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`busy`: there were other runs in the target, so that events have other numbers there."""
    here = postgres_store if way.startswith("server") else tmp_path / "here"
    there = postgres_store if way.endswith("server") else tmp_path / "there"
    old = Settings(runs_dir=tmp_path / "runs", store=here, blobs=tmp_path / "blobs")
    new = Settings(runs_dir=tmp_path / "runs", store=there, blobs=tmp_path / "blobs")
    source, target = StoreLocation.named_by(old), StoreLocation.named_by(new)
    monkeypatch.setattr(Context, "stops", False)
    for _ in range(2 * busy):
        await worked(new, "x", "y")
    monkeypatch.setattr(Context, "stops", True)
    monkeypatch.setattr(Context, "worked", [])
    folder = await worked(old, *WORDS)
    assert Context.worked == ["a", "b", "c"] and SharedRun.listed(source) == {folder.id: False}
    key = Questions(source, folder.id).ask("f00d", "t4", {"is it": "so"})
    BatchBook(source.tables("batches")).write("b1", "http://x", ["line 1", "line 2"])

    first, again = (copy(source, target, lambda text: None) for _ in range(2))
    assert (first.runs, first.batches, first.questions) == (1, 1, 1) and (again.batches, again.questions) == (0, 0)
    [pending] = Questions(target, folder.id).waiting()
    assert pending.key == key and pending.question == {"is it": "so"}
    batch = BatchBook(target.tables("batches")).find("line 2")
    assert batch is not None and batch.id == "b1"

    monkeypatch.setattr(Context, "stops", False)
    config, more = folder.config_as(Config), shouting.worker(folder.config_as(Config), folder, new)
    result = await carry(shouting, config, folder=folder, settings=new, worker=more)
    assert [task.text for task in result.tasks] == [word.upper() for word in WORDS]
    assert sorted(Context.worked) == sorted(WORDS), "what was finished is not worked on again"
    ended = [event["task"] for event in folder.events() if event["event"] == "task_done"]
    assert sorted(ended) == [f"t{place}" for place in range(len(WORDS))], "each event stands in the folder once"
    copy(source, target, lambda text: None)
    with closing(SharedRun(target, folder.id)) as run:
        assert run.result() is not None and len(run.outcomes()) == len(WORDS)
