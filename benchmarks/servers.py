"""One model behind one server and behind two: requests a second, how often a beginning was read already, and what a killed server costs.

The servers are processes of their own on loopback that sleep instead of computing (`slow_server`), so that two of them stand for two machines; the chat
client, its spreading and its ledger are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inloop.runtime.http import ask
from inloop.runtime.llm import OpenAIChat
from inloop.runtime.records import Message
from inloop.runtime.store import Store
from inloop.runtime.transport import sender
from inloop.runtime.transport.sender import Sender

from .figures import Figure, Options

__all__ = ["measure"]

_SLOTS, _READING, _ANSWERING = 8, 0.2, 0.2
_BEGINNINGS, _EACH = 32, 20
_MANY, _FEW = 64, 12
"""Requests in flight: more than two servers have room for, and fewer."""


def measure(options: Options) -> list[Figure]:
    """Each case `repeats` times with fresh servers and a fresh ledger."""
    one = [_run(1) for _ in range(options.repeats)]
    two = [_run(2) for _ in range(options.repeats)]
    killed = [_run(2, kill=True) for _ in range(options.repeats)]
    near = [_run(2, reading=_READING, in_flight=_FEW) for _ in range(options.repeats)]
    blind = [_run(2, reading=_READING, in_flight=_FEW, blind=True) for _ in range(options.repeats)]
    gain = sum(run["rate"] for run in two) / sum(run["rate"] for run in one)
    lost = f"{min(run['texts'] for run in killed)} of {_BEGINNINGS * _EACH} answered, {sum(run['twice'] for run in killed)} paid twice"
    return [
        _rate(f"one server, {_MANY} in flight", one),
        _rate(f"two servers, {_MANY} in flight", two),
        Figure(name="two servers to one", value=gain, unit="x", note="of their means"),
        _rate(f"two servers, {_MANY} in flight, one killed a third of the way", killed, lost),
        _rate(f"two servers with beginnings, {_FEW} in flight", near, _read(near)),
        _rate(f"two servers with beginnings, {_FEW} in flight, spread without regard to these", blind, _read(blind)),
    ]


def _rate(name: str, runs: list[dict[str, Any]], note: str = "") -> Figure:
    return Figure.of(name, [run["rate"] for run in runs], "requests/s", note)


def _read(runs: list[dict[str, Any]]) -> str:
    share = 100 * sum(run["hits"] for run in runs) / sum(run["answered"] for run in runs)
    return f"{share:.0f} % found their beginning read"


@contextlib.contextmanager
def _server(reading: float) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    script = Path(__file__).with_name("slow_server.py")
    command = [sys.executable, str(script), str(_SLOTS), str(reading), str(_ANSWERING)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child.stdout.readline().strip(), child
        finally:
            child.kill()


def _run(
    count: int, *, reading: float = 0.0, in_flight: int = _MANY, blind: bool = False, kill: bool = False
) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(_server(reading)) for _ in range(count)]
        store = stack.enter_context(Store(Path(stack.enter_context(tempfile.TemporaryDirectory())), "bench"))
        if blind:
            whole, sender.prefix_of = sender.prefix_of, lambda body: os.urandom(8)
            stack.callback(setattr, sender, "prefix_of", whole)
        chat = OpenAIChat(Sender([url for url, _ in servers], model="slow", concurrency=64), store=store)
        seconds, texts = asyncio.run(_asked(chat, in_flight, servers[0][1] if kill else None))
        logs = [ask(url.replace("/v1", "/log")).value for url, child in servers if child.poll() is None]
        total = _BEGINNINGS * _EACH
        return {
            "rate": total / seconds, "texts": texts, "twice": len(store.ledger.paid_twice()),
            "answered": sum(log["answered"] for log in logs), "hits": sum(log["hits"] for log in logs),
        }  # fmt: skip


async def _asked(chat: OpenAIChat, in_flight: int, victim: subprocess.Popen[str] | None) -> tuple[float, int]:
    """The seconds for all requests, and how many different answers came."""
    room, done = asyncio.Semaphore(in_flight), 0

    async def one(place: int) -> str:
        nonlocal done
        beginning = f"instructions {place % _BEGINNINGS}: " + "look closely. " * 100
        async with room:
            reply = await chat.complete(
                [Message(role="system", content=beginning), Message(role="user", content=f"case {place}")], seed=1
            )
        done += 1
        if victim is not None and done == _BEGINNINGS * _EACH // 3:
            victim.kill()
        return reply.text

    async with chat:
        began = time.perf_counter()
        places = random.Random(0).sample(range(_BEGINNINGS * _EACH), _BEGINNINGS * _EACH)
        texts = await asyncio.gather(*map(one, places))
        return time.perf_counter() - began, len(set(texts))
