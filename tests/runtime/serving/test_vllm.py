"""The real vLLM on a CPU, as `inloop serve --install` makes it: half a minute to ten minutes, so all of it is marked slow.

It is installed into the user's cache folder if it is not there (0.9 GB to download, 3.1 GB on disk), once. INLOOP_VLLM=FOLDER
names an environment that has vLLM instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inloop.graphs.opt2i import IterationDone, Opt2iConfig, opt2i
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.folder import RunFolder
from inloop.runtime.llm.capabilities import capabilities
from inloop.runtime.llm.open import open_chat
from inloop.runtime.records import Message
from inloop.runtime.run import carry
from inloop.runtime.serving.engines import vllm_plan
from inloop.runtime.serving.process import Serving, adapters, free_port
from inloop.runtime.serving.servable import find_servable
from inloop.runtime.serving.vllm_env import find_vllm, install, no_place
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    """`inloop serve mini-writer`."""
    reason = no_place()
    if reason is not None:
        pytest.skip(reason)
    settings = Settings.load()
    environment = find_vllm(settings)
    if environment is None:
        try:
            environment = install(settings, say=lambda text: print(text, file=sys.stderr))
        except PrerequisiteError as error:
            if "could not install" not in str(error):
                raise
            pytest.skip(f"vLLM is not installed and cannot be fetched: {error}")
    model = find_servable("mini-writer", [], settings.cache_dir)
    plan = vllm_plan(model, environment, port=free_port(), cache_dir=settings.cache_dir, context=2048)
    with Serving(plan, settings.cache_dir) as serving:
        yield serving


def test_the_probe(server: Serving, tmp_path: Path) -> None:
    found = capabilities(server.served.url, "mini-writer", tmp_path)
    got = {name: found.finding(name).state for name in ("n", "seed", "logprobs", "json_schema", "choice", "lora")}
    assert set(got.values()) == {"yes"}, found
    assert found.choice.how == "structured_outputs" and found.context == 2048
    assert found.images.state == found.tools.state == "refused"


def test_an_adapter_comes_and_goes(server: Serving, tmp_path: Path) -> None:
    url = server.served.url
    again = adapters.find_adapter("mini-writer", tmp_path).model_copy(update={"name": "again"})
    adapters.load_adapter(url, again, tmp_path)
    assert adapters.listed(url)["again"]["parent"] == "smollm2"
    adapters.unload_adapter(url, "again")
    assert set(adapters.listed(url)) == {"smollm2", "mini-writer"}


async def test_the_adapter_is_what_answers(server: Serving, tmp_path: Path) -> None:
    """The same question with the same seed: the base and the adapter differ, and each agrees with itself."""
    settings = Settings(cache_dir=Settings.load().cache_dir, timeout=600)
    question = [Message(role="user", content="Say something about a crimson disc.")]
    texts = {}
    for name in ("smollm2", "mini-writer"):
        with Store(tmp_path / name) as store:
            async with open_chat(f"{server.served.url}#{name}", store, settings) as chat:
                reply = await chat.complete(question, n=3, seed=4, max_tokens=24)
                assert len(reply.texts) == 3 and reply.cost.calls == 1 and not chat.notes
                texts[name] = reply.texts
    assert texts["smollm2"] != texts["mini-writer"]


async def test_a_run_over_a_server_that_dies_in_the_middle(server: Serving, tmp_path: Path) -> None:
    """`inloop opt2i --llm URL#mini-writer` on the mini world; the server is killed while it runs."""
    settings = Settings(runs_dir=tmp_path / "runs", cache_dir=Settings.load().cache_dir, timeout=600)
    config = Opt2iConfig(
        prompts=("a crimson disc to the left of an azure box", "a trio of golden pentagrams"),
        llm=server.served.llm, iterations=2, candidates=2, images_per_prompt=1, heldout_seeds=1, baselines=False,
    )  # fmt: skip
    folder = RunFolder.create(settings.runs_dir, "opt2i", config)
    killed = asyncio.Event()

    def see(event: dict[str, object]) -> None:
        if isinstance(event, IterationDone) and not killed.is_set():
            killed.set()
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)

    before = server.served.restarts
    outcome = await carry(opt2i, config, settings=settings, folder=folder, on_event=see)
    folder.close()
    assert killed.is_set() and server.served.restarts == before + 1
    assert outcome.models["llm"]["id"] == "mini-writer" and outcome.calls["llm"]["paid"] > 0
    assert all(task.stop in ("perfect", "iterations") for task in outcome.tasks)
    with Store.open(settings) as store:
        assert store.ledger.paid_twice() == []
    assert json.loads((folder.path / "result.json").read_text(encoding="utf-8"))["run_id"] == folder.id
