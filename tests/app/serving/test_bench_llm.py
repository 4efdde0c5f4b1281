"""`inloop bench-llm` against a server whose speed is known, and its words."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Body, Endpoint, Handler, fails, hangs_up, serving, stream, well

from inloop.app.cli import main as cli
from inloop.runtime.errors import BadInput
from inloop.runtime.llm.load_test import measure


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path))
    with serving() as endpoint:
        yield endpoint


class Slow:
    """A fifth of a second an answer, however many there are at once; it counts how many there are."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._guard = threading.Lock()

    def __call__(self, handler: Handler, body: Body) -> None:
        with self._guard:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.2)
        with self._guard:
            self.now -= 1
        stream("word " * 20)(handler, body)


async def test_figures_of_a_server_whose_speed_is_known(server: Endpoint) -> None:
    slow = Slow()
    server.behaviours = [slow]
    one, eight = await measure(server.url, "m", levels=(1, 8), tokens=20, rounds=2)
    assert (one.requests, eight.requests, one.failed) == (2, 16, 0)
    assert 0.2 <= one.first <= one.median <= one.p95
    assert one.tokens_per_second <= 25 / 0.2  # 100 bytes are estimated as 25 tokens
    assert slow.most > 4 and eight.tokens_per_second > one.tokens_per_second and not one.counted
    prompts = [body["messages"][0]["content"] for body in server.seen]
    assert len(set(prompts)) == len(prompts) and all(body["max_tokens"] == 20 for body in server.seen)


async def test_failures_are_counted_and_are_no_figures(server: Endpoint) -> None:
    slow = Slow()
    server.behaviours = [slow, slow, fails(503, "busy"), slow]
    (level,) = await measure(server.url, "m", levels=(2,), tokens=5, rounds=2)
    assert (level.requests, level.failed) == (4, 1) and "503" in level.reason and level.first >= 0.2
    server.behaviours = [hangs_up]
    with pytest.raises(Exception, match="none of"):
        await measure(server.url, "m", levels=(1,))
    with pytest.raises(BadInput, match="levels"):
        await measure(server.url, "m", levels=(0,))


def test_the_command(server: Endpoint, capsys: pytest.CaptureFixture[str]) -> None:
    server.behaviours = [lambda h, b: well(h, b) if "messages" in b else fails(404)(h, b)]
    assert cli.main(["bench-llm", server.url, "--levels", "1,2", "--rounds", "1"]) == cli.OK
    out = capsys.readouterr().out
    assert "served at" in out and "json_schema  ignored" in out and "n            yes" in out and "tokens/s" in out
    assert cli.main(["bench-llm", server.url, "--levels", "1", "--rounds", "1", "--json"]) == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert told["capabilities"]["lora"]["state"] == "refused" and told["levels"][0]["requests"] == 1
    assert cli.main(["bench-llm", "smollm2"]) == cli.BAD_INPUT and "no URL" in capsys.readouterr().err
    assert cli.main(["bench-llm", server.url, "--levels", "x"]) == cli.BAD_INPUT
    assert cli.main(["bench-llm", "http://127.0.0.1:9/v1"]) == cli.PREREQUISITE
