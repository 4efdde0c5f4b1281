"""`inloop serve --index` as a process of its own, asked by the real OpenAI client and by who should not be let in."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("starlette", reason="the extra serve is not installed: pip install 'inloop[serve]'")
pytest.importorskip("uvicorn", reason="the extra serve is not installed: pip install 'inloop[serve]'")

from inloop.app.cli.main import main

TOLD = "The ferry leaves at noon."
MODEL = "inloop-ask"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "docs").mkdir()
    (folder / "docs" / "ferry.txt").write_text(f"{TOLD} It carries forty cars.", encoding="utf-8")
    (folder / "docs" / "tower.txt").write_text("The lighthouse was built in 1871.", encoding="utf-8")
    with contextlib.chdir(folder):
        assert main(["index", "docs", "--to", "ix", "--embedder", "none", "--clip", "none"]) == 0
    return folder


def started(place, *flags, **settings):
    own = {name: value for name, value in os.environ.items() if not name.startswith("INLOOP_")}
    environment = {**own, "HOME": str(place / "home"), "INLOOP_CACHE_DIR": str(place / "cache"), **settings}
    command = [sys.executable, "-m", "inloop.app.cli.main", "serve", "--index", "ix", "--json", *flags]
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.fixture(scope="module")
def server(place):
    process, told = started(place)
    yield told
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in errors, errors


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server["url"], api_key="none", max_retries=0, timeout=300) as opened:
        yield opened


def said(text, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def test_an_answer_with_its_citations(client, server):
    assert (server["model"], server["index"]) == (MODEL, "ix") and server["url"].startswith("http://127.0.0.1:")
    assert [model.id for model in client.models.list()] == [MODEL] and client.models.retrieve(MODEL).id == MODEL
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How old is the lighthouse?"},
        {"role": "assistant", "content": "Old."},
        {"role": "user", "content": [{"type": "text", "text": "When does the ferry leave?"}]},
    ]
    reply = client.chat.completions.create(model=MODEL, messages=messages, temperature=0.3)
    [choice] = reply.choices
    assert choice.finish_reason == "stop" and choice.message.role == "assistant"
    assert choice.message.content.startswith(f"{TOLD} [1]")
    assert f"[1] {reply.citations[0]['source']}, characters 0-{len(TOLD)}: “{TOLD}”" in choice.message.content
    assert reply.answered and reply.citations[0]["quote"] == TOLD


def test_no_answer_and_a_claim(client):
    reply = client.chat.completions.create(**said("Who painted the ceiling of the opera?"))
    assert not reply.answered and reply.choices[0].message.content.startswith("No answer: ")
    reply = client.chat.completions.create(**said("The lighthouse was built in 1901."))
    assert reply.stance != "supports"


def test_a_stream(client):
    chunks = list(client.chat.completions.create(**said("When does the ferry leave?", stream=True)))
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[-1].choices[0].finish_reason == "stop"
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    whole = client.chat.completions.create(**said("When does the ferry leave?"))
    assert streamed == whole.choices[0].message.content and len(chunks) >= 4
    assert chunks[-1].citations == whole.citations and len({chunk.id for chunk in chunks}) == 1


def test_many_at_once(client):
    asked = ["When does the ferry leave?", "When was the lighthouse built?"] * 4
    with ThreadPoolExecutor(len(asked)) as pool:
        replies = list(pool.map(lambda text: client.chat.completions.create(**said(text)), asked))
    contents = [reply.choices[0].message.content for reply in replies]
    assert all(TOLD in text for text in contents[::2]) and all("1871" in text for text in contents[1::2])
    assert len({reply.id for reply in replies}) == len(asked)


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        ({**said("Why?"), "model": "gpt-5"}, openai.NotFoundError, "inloop-ask"),
        (said("???"), openai.BadRequestError, "no word in it"),
        (said("Why?", n=2), openai.BadRequestError, "n=2"),
        (said("Why?", response_format={"type": "json_object"}), openai.BadRequestError, "response_format"),
        ({"model": MODEL, "messages": [{"role": "system", "content": "x"}]}, openai.BadRequestError, "no message of the user"),
        (said([{"type": "image_url", "image_url": {"url": "x"}}]), openai.BadRequestError, "no text"),
    ],
)  # fmt: skip
def test_what_is_refused_is_an_error_of_the_api(client, request_, kind, words):
    with pytest.raises(kind, match=words) as caught:
        client.chat.completions.create(**request_)
    assert caught.value.body["type"] == "invalid_request_error" and caught.value.body["message"]


def test_a_page_in_a_browser_gets_nothing(server):
    url = f"{server['url']}/chat/completions"
    body = json.dumps(said("When does the ferry leave?"))
    as_text = httpx.post(url, content=body, headers={"content-type": "text/plain"}, trust_env=False)
    assert as_text.status_code == 415 and "JSON" in as_text.json()["error"]["message"]
    rebound = httpx.get(f"{server['url']}/models", headers={"host": "evil.example"}, trust_env=False)
    assert rebound.status_code == 403 and "this machine alone" in rebound.json()["error"]["message"]
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in httpx.options(url, headers=asked, trust_env=False).headers
    for odd in ("{", "[]", '{"model": 1}', " " * 1_100_000):
        reply = httpx.post(url, content=odd, headers={"content-type": "application/json"}, trust_env=False)
        assert reply.status_code in (400, 404, 413) and reply.json()["error"]["message"]


def test_other_machines_need_a_key(place, capsys, monkeypatch):
    for name in [*os.environ]:
        if name.startswith("INLOOP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(place)
    for flags, words in (
        (("--host", "0.0.0.0"), "INLOOP_API_KEY"),
        (("--detach",), "detach"),
        (("--mode", "bm25", "mini-writer"), "model"),
    ):
        assert main(["serve", "--index", "ix", *flags]) == 2 and words in capsys.readouterr().err
    assert main(["serve", "--index", "absent"]) == 2 and "no index at 'absent'" in capsys.readouterr().err
    process, told = started(place, "--host", "0.0.0.0", INLOOP_API_KEY="secret")
    try:
        url = f"http://127.0.0.1:{told['port']}"
        assert told["url"] == f"{url}/v1"
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}):
            reply = httpx.get(f"{url}/v1/models", headers=headers, trust_env=False)
            assert reply.status_code == 401 and reply.json()["error"]["code"] == "invalid_api_key"
        with openai.OpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == [MODEL]
        assert main(["serve", "--index", "ix", "--port", str(told["port"])]) == 2
        assert "another port" in capsys.readouterr().err
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0
