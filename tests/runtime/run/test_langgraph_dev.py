"""A loop through the real `langgraph dev`: started, asked over HTTP, its events streamed."""

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from inloop.runtime.passages import Passage
from inloop.tools.index import open_index

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("langgraph_api") is None,
        reason="langgraph dev: pip install 'langgraph-cli[inmem]' (Elastic License 2.0, so no dependency)",
    ),
]
LOOPS = {"rag": "inloop.graphs.rag.loop:graph", "opt2i": "inloop.graphs.opt2i.loop:graph"}


@pytest.fixture
def server(tmp_path):
    pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
    (tmp_path / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": LOOPS}), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "0"\n', encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--allow-blocking"]
    log = (tmp_path / "log.txt").open("wb")
    started = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=tmp_path,
        stdout=log,
        stderr=log,
        env={**os.environ, "INLOOP_RUNS_DIR": str(tmp_path / "runs")},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert started.poll() is None, (tmp_path / "log.txt").read_text(encoding="utf-8")[-3000:]
            try:
                urllib.request.urlopen(f"{url}/ok").close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        yield url
    finally:
        started.terminate()
        started.wait()
        log.close()


def post(url, **body):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read().decode("utf-8")


def test_a_loop_is_run_over_http_with_a_json_config(server, tmp_path):
    async def fill():
        index = await open_index(f"lancedb:///{tmp_path}/ix")
        await index.upsert([Passage(id="1", document="a.txt", text="Ada Berg painted the altar in 1633.")])
        await index.close()

    asyncio.run(fill())
    asked = {"questions": ["Who painted the altar?"], "index": f"lancedb:///{tmp_path}/ix", "embedder": "none"}
    answer = json.loads(post(f"{server}/runs/wait", assistant_id="rag", input=asked))
    [task] = answer["result"]["tasks"]
    assert task["answer"]["sentences"][0]["text"] == "Ada Berg painted the altar in 1633."
    assert (tmp_path / "runs" / answer["result"]["run_id"] / "result.json").is_file()
    told = post(f"{server}/runs/stream", assistant_id="rag", input=asked, stream_mode=["custom"])
    assert '"event":"run_started"' in told and '"event":"run_done"' in told
    refused = json.loads(post(f"{server}/runs/wait", assistant_id="rag", input={"questions": ["why?"]}))
    assert "index" in refused["__error__"]["message"]
