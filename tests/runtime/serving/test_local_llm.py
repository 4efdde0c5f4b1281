"""The embedded server: the real xllamacpp with the real SmolLM2, its determinism, and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from inloop.runtime import http as web
from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm.local_chat import LocalChat
from inloop.runtime.records import Message
from inloop.runtime.serving.llama_server import LocalServer, default_threads
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store

QUESTIONS = [
    f"Write {count} short sentences about a {thing}." for count, thing in enumerate(["red disc", "blue box", "cat"], 2)
]


@pytest.fixture(scope="module")
def smollm2() -> Path:
    found = models.find("smollm2", Settings().cache_dir)
    if found is None:
        pytest.skip("SmolLM2 is not fetched: inloop models --fetch smollm2")
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as opened:
        yield opened


def local(store: Store, path: Path) -> LocalChat:
    return LocalChat(store=store, model="smollm2", revision="r", model_path=lambda: path, threads=1, n_ctx=1024)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def gone(pid: int, within: float = 5.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def pid_of(chat: LocalChat) -> int:
    """The process id of its running server."""
    assert chat.server is not None and chat.server.pid is not None
    return chat.server.pid


async def ask(chat: LocalChat, place: int, seed: int = 7) -> str:
    reply = await chat.complete(
        [Message(role="user", content=QUESTIONS[place])], seed=seed + place, temperature=1.0, max_tokens=24
    )
    return reply.text


async def test_the_same_seed_gives_the_same_text_alone_beside_others_and_after_a_restart(
    smollm2: Path, tmp_path: Path
) -> None:
    got: list[list[str]] = []
    for run in range(2):  # each with an empty ledger, so that everything is computed
        with Store(tmp_path / f"alone-{run}") as alone, Store(tmp_path / f"beside-{run}") as beside:
            async with local(alone, smollm2) as chat:
                got.append([await ask(chat, place) for place in range(len(QUESTIONS))])
            async with local(beside, smollm2) as chat:
                together = await asyncio.gather(
                    *(ask(chat, place) for place in range(len(QUESTIONS))), *(ask(chat, 0, seed) for seed in (90, 91))
                )
                got.append(list(together[: len(QUESTIONS)]))
    assert got[0] == got[1] == got[2] == got[3]
    assert len(set(got[0])) == len(QUESTIONS) and all(text.strip() for text in got[0])


class Colour(BaseModel):
    """What colour it is."""

    colour: str


async def test_choices_logprobs_schema_stream_and_tokens(smollm2: Path, store: Store) -> None:
    question = [Message(role="user", content="What colour is the sky? Answer in one word.")]
    pieces: list[str] = []
    async with local(store, smollm2) as chat:
        assert chat.server is None  # nothing runs before it is needed
        five = await chat.complete(question, n=5, seed=1, max_tokens=12, logprobs=True)
        schema = await chat.complete(question, seed=2, max_tokens=40, schema=Colour)
        streamed = await chat.complete(question, seed=3, max_tokens=12, on_text=pieces.append)
        plain = await chat.complete(question, seed=1, max_tokens=12, logprobs=True)
        pid = pid_of(chat)
    assert len(five.texts) == 5 and len(set(five.texts)) > 1
    assert five.cost.calls == 5 and five.cost.money == 0.0
    counted = sum(len(choice) for choice in five.logprobs)
    assert counted <= five.cost.output_tokens <= counted + 5 and five.cost.output_tokens <= 60
    assert all(value <= 0 for choice in five.logprobs for _, value in choice)
    assert Colour.model_validate_json(schema.text).colour
    assert len(pieces) > 1 and "".join(pieces) == streamed.text
    assert plain.cached and plain.text == five.texts[0]  # the first of five is the one with that seed
    assert gone(pid)


async def test_a_server_that_died_is_started_again(smollm2: Path, store: Store) -> None:
    async with local(store, smollm2) as chat:
        first = await ask(chat, 0)
        os.kill(pid := pid_of(chat), signal.SIGKILL)
        assert gone(pid)
        assert await ask(chat, 0, seed=8) and await ask(chat, 0) == first


async def test_only_loopback_and_only_with_the_key(smollm2: Path, store: Store) -> None:
    import openai

    with LocalServer(smollm2, threads=1, n_ctx=256) as server:
        assert server.url.startswith("http://127.0.0.1:")
        stranger = openai.AsyncOpenAI(base_url=server.url, api_key="guess", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model="x", messages=[{"role": "user", "content": "hi"}])
        await stranger.close()
        page = {"Origin": "https://elsewhere.example", "Authorization": f"Bearer {server.api_key}"}
        with web.open_url(urllib.request.Request(f"{server.url}/models", headers=page), timeout=30) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] not in ("*", page["Origin"])
            assert "Access-Control-Allow-Credentials" not in answer.headers


PARENT = """
import sys, time
from pathlib import Path
from inloop.runtime.serving.llama_server import LocalServer
server = LocalServer(Path(sys.argv[1]), threads=1, n_ctx=256)
server.start()
print(server.pid, server._log_path().parent, flush=True)
if sys.argv[2] == "wait":
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="uses SIGKILL and /proc")
@pytest.mark.parametrize("end", ["kill", "wait", "leave"])
def test_the_server_ends_with_its_parent(smollm2: Path, end: str) -> None:
    """Killed with SIGKILL, ended by SIGTERM, or left without a stop()."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(smollm2), "leave" if end == "leave" else "wait"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    first, folder = parent.stdout.readline().split()
    pid = int(first)
    if end != "leave":
        assert alive(pid)
        parent.send_signal(signal.SIGKILL if end == "kill" else signal.SIGTERM)
    parent.wait(10)
    parent.stdout.close()
    assert gone(pid) and not Path(folder).exists()


def test_a_server_outlives_the_thread_that_started_it(smollm2: Path) -> None:
    server = LocalServer(smollm2, threads=1, n_ctx=256)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    time.sleep(1.5)
    assert server.running
    pid = server.pid
    server.stop()
    server.stop()
    assert pid is not None and gone(pid)
    with pytest.raises(PrerequisiteError, match="not running"):
        _ = server.url


def test_files_that_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        LocalServer(tmp_path / "no.gguf").start()
    text = tmp_path / "text.gguf"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="not a GGUF file"):
        LocalServer(text).start()
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(b"GGUF\x03\0\0\0" + b"\0" * 40)
    begun = time.monotonic()
    with pytest.raises(PrerequisiteError, match=r"did not start.*torn\.gguf") as raised:
        LocalServer(torn, timeout=60).start()
    assert time.monotonic() - begun < 30
    assert "the process ended" in str(raised.value) and "failed to load model" in str(raised.value)  # from its log


def test_an_adapter_that_cannot_be_used(smollm2: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(smollm2.read_bytes()[:1000])
    with pytest.raises(PrerequisiteError, match="did not start"):
        LocalServer(smollm2, torn, timeout=60).start()


@pytest.mark.parametrize(("slots", "kept"), [(1, False), (2, True)])
def test_a_prompt_is_kept_only_where_seeds_are_not_exact_anyway(smollm2: Path, slots: int, kept: bool) -> None:
    body = {"messages": [{"role": "user", "content": "Name the colours of a flag."}], "max_tokens": 1, "seed": 1}
    with LocalServer(smollm2, threads=1, n_ctx=256, slots=slots) as server:
        for _ in range(2):
            answer = web.ask(f"{server.url}/chat/completions", key=server.api_key, body=body)
            assert answer.ok
        assert (answer.value["timings"]["cache_n"] > 0) is kept


def test_options() -> None:
    for bad in ({"slots": 0}, {"threads": 0}, {"n_ctx": 1}):
        with pytest.raises(BadInput, match=next(iter(bad))):
            LocalServer(Path("x.gguf"), **bad)  # type: ignore[arg-type]
    assert 1 <= default_threads() <= (os.cpu_count() or 1)
    assert default_threads(1) == 1
