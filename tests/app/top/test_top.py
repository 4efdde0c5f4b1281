"""What `inloop top` sees of real processes at work, and that it sees none that are gone."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from inloop.app.cli.main import main
from inloop.app.top.screen import screen
from inloop.app.top.sights import Sights
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.records import Cost
from inloop.runtime.run import Loop
from inloop.runtime.session import RunConfig, Session
from inloop.runtime.settings import Settings
from inloop.runtime.storage import Process
from inloop.runtime.store import Call, Pulses, Seen, pulses_in
from inloop.runtime.telemetry import Gauge, Pulse


class Config(RunConfig):
    SUBJECT = "words"
    words: tuple[str, ...]


async def work(session: Session, id: str, word: str) -> Task:
    async def compute() -> tuple[str, Cost]:
        await asyncio.sleep(0.2)
        return word, Cost(calls=1, output_tokens=50)

    await session.store.ledger.once(Call(kind="llm", model="m", revision="1", params={}, inputs=word), compute)
    return Task(id=id)


say: Loop[Config, Session, str, Task, RunResult[Task]] = Loop(
    name="say", config=Config, result=RunResult[Task], inputs=lambda config: {word: word for word in config.words},
    open=lambda config, session: session, work=work,
)  # fmt: skip


async def seen_while_working(runs_dir: Path) -> list[Seen]:
    """What is seen of a run of this process two and a half seconds after it was begun."""
    settings = Settings(runs_dir=runs_dir)
    words = tuple(f"word {number}" for number in range(20))
    run = asyncio.ensure_future(say.run(*words, settings=settings, in_flight=1))
    await asyncio.sleep(2.5)
    found = pulses_in(runs_dir / ".store" / "pulses.sqlite")
    await run
    return found


async def test_a_run_is_seen_while_it_works_and_not_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [seen] = await seen_while_working(tmp_path)
    assert (seen.process.pid, seen.pulse.loop, seen.pulse.tasks) == (os.getpid(), "say", 20)
    assert 0 < seen.pulse.done < 20 and seen.pulse.paid["llm"] >= seen.pulse.done
    assert seen.pulse.cost.output_tokens == 50 * seen.pulse.paid["llm"]
    assert pulses_in(tmp_path / ".store" / "pulses.sqlite") == []
    assert main(["top", "--out", str(tmp_path)]) == 0
    assert "nobody is at work on a run" in capsys.readouterr().out
    assert main(["top", "nosuch", "--out", str(tmp_path)]) == 0
    assert "nobody is at work on the run nosuch" in capsys.readouterr().out


def test_a_process_that_was_killed_is_seen_no_more(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from inloop.runtime.store import Pulses\n"
        "from inloop.runtime.telemetry import Pulse\n"
        "from pathlib import Path\n"
        "with Pulses(Path(sys.argv[1]), run='r', name='w', pulse=lambda: Pulse(at=time.monotonic(), loop='say')):\n"
        "    print(flush=True)\n"
        "    time.sleep(60)\n"
    )
    place = tmp_path / "pulses.sqlite"
    with subprocess.Popen([sys.executable, "-c", code, str(place)]) as process:
        deadline = time.monotonic() + 30
        while not (there := pulses_in(place)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [each.process.pid for each in there] == [process.pid]
        process.kill()
    assert pulses_in(place) == []


def test_a_store_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path) -> None:
    (tmp_path / "pulses.sqlite").mkdir()
    with Pulses(tmp_path / "pulses.sqlite", run="r", name="w", pulse=lambda: Pulse(at=0.0, loop="say")):
        pass


def pulse(at: float, **counts: Any) -> Pulse:
    return Pulse(at=at, loop="opt2i", tasks=64, **counts)


def test_the_screen_tells_rates_queues_and_what_was_paid() -> None:
    process = Process("m", "gpu1", 7, 1)
    sights = Sights()
    first = pulse(10.0, done=1, paid={"image": 10}, cost=Cost(output_tokens=100))
    then = pulse(
        14.0, done=3, paid={"image": 18, "llm": 2}, reused={"image": 8}, cost=Cost(output_tokens=500, money=0.25),
        queues=(Gauge(name="painter", waiting=4, under_way=2, most=8, items=18, batches=6, seconds=3.0),),
    )  # fmt: skip
    for each in (first, then):
        sights.see([Seen("1", "run-1", "w1", process, each)])
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(screen(sights, "runs/.store"))
    text = console.export_text()
    assert "run-1 · 3 of 64 tasks done by those who are here · 0.25 US$" in text
    worker = next(line for line in text.splitlines() if line.split()[:1] == ["w1"])
    assert worker.split() == ["w1", "gpu1", "3", "100", "2.0", "0.5", "44%", "0.25"]
    queue = next(line for line in text.splitlines() if line.split()[:1] == ["painter"])
    assert queue.split() == ["painter", "w1", "4", "2", "8", "3.0", "4.5", "75%"]
    sights.see([])
    assert sights.runs() == {}


def test_as_json_it_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Pulses(
        tmp_path / ".store" / "pulses.sqlite", run="r", name="w", pulse=lambda: pulse(time.monotonic(), done=2)
    ):
        time.sleep(0.5)
        assert main(["top", "--out", str(tmp_path), "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)
    assert (told["run"], told["worker"], told["pulse"]["done"], told["pace"]["tokens"]) == ("r", "w", 2, 0.0)
