"""No proxy is ever asked for this machine, by any client."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Proxy, logging_proxy
from servers import Body, Endpoint, Handler, serving, well

from inloop.app.cli.doctor import examine
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.http import ask, goes_direct, is_loopback
from inloop.runtime.llm import capabilities, measure, open_chat
from inloop.runtime.models import hub
from inloop.runtime.records import Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.data.downloads import fetched
from inloop.tools.encoders import open_text_embedder
from inloop.tools.index import open_index
from inloop.tools.vision import open_captioner, open_vqa

LOOPBACK = [
    "localhost",
    "LOCALHOST.",
    "model.localhost",
    "127.0.0.1",
    "127.8.9.10",
    "127.1",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
]
LOOPBACK += ["::ffff:127.0.0.1", "ip6-localhost", "2130706433"]
OUTSIDE = [
    "example.com",
    "10.0.0.7",
    "192.168.1.5",
    "localhost.example.com",
    "notlocalhost",
    "127.example.com",
    "2001:db8::1",
    "",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_what_is_this_machine(host: str) -> None:
    assert is_loopback(host)
    bare = host.strip("[]")
    assert goes_direct(f"https://{f'[{bare}]' if ':' in bare else bare}:8000/v1")


@pytest.mark.parametrize("host", OUTSIDE)
def test_what_is_not(host: str) -> None:
    assert not is_loopback(host)
    assert not goes_direct(f"http://{f'[{host}]' if ':' in host else host}:8000/v1")


def test_every_interface_is_this_machine_to_a_client_and_not_to_a_server() -> None:
    assert goes_direct("http://0.0.0.0:8000/v1") and goes_direct("http://[::]:8000/v1")
    assert not is_loopback("0.0.0.0") and not is_loopback("::")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with logging_proxy() as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield running


def _answers(handler: Handler, body: Body) -> None:
    if handler.path.endswith("/embeddings"):
        rows = [{"object": "embedding", "index": place, "embedding": [1.0, 0.0]} for place in range(len(body["input"]))]
        return handler.json({"object": "list", "data": rows, "model": "m"})
    return well(handler, body)


@pytest.fixture(params=["127.0.0.1", "localhost", "127.0.0.2"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A server that has every name of loopback."""
    if request.param == "127.0.0.2" and sys.platform != "linux":
        pytest.skip("127.0.0.2 is up: Linux")
    monkeypatch.setattr(Endpoint, "host", request.param)
    with serving() as endpoint:
        endpoint.behaviours = [_answers]
        yield endpoint


async def test_no_client_asks_a_proxy_for_this_machine(
    server: Endpoint, proxy: Proxy, tmp_path: Path, settings: Settings
) -> None:
    pytest.importorskip("qdrant_client", reason="qdrant-client: pip install 'inloop[qdrant]'")
    spec = f"{server.url}#served"
    with Store(tmp_path / "store") as store:
        async with open_chat(server.url, store, settings) as chat:  # asks for the models, probes, asks
            assert (await chat.complete([Message(role="user", content="Is it red?")])).text.startswith("Is it red?")
        await measure(server.url, "served", levels=[1], tokens=4, rounds=1)
        capabilities(server.url, "other", tmp_path / "cache")
        assert await open_text_embedder(spec, store, settings).texts(["a"]) == [[1.0, 0.0]]
        picture = store.blobs.put(b"no picture", media_type="image/png")
        judge, captioner = open_vqa(spec, store, settings), open_captioner(spec, store, settings)
        with pytest.raises(PrerequisiteError, match="does not see pictures"):
            await judge.answer([(picture, "Is it red?")])
        with pytest.raises(PrerequisiteError, match="does not see pictures"):
            await captioner.caption([(picture, None)])
        with pytest.raises(PrerequisiteError, match="Qdrant"):  # this server is none
            await open_index(server.url.replace("http://", "qdrant://").replace("/v1", "/passages"))
    assert fetched(f"{server.url}/file.json", tmp_path / "cache").is_file()
    assert hub._answers(server.url)
    findings = examine(Settings(llm=server.url, vqa=spec, cache_dir=tmp_path / "cache"))
    assert all(finding.state == "ok" for finding in findings if finding.name in ("llm", "vqa"))
    assert proxy.asked == []
    assert {seen.get("path", "") for seen in server.seen} >= {"/v1/models", "/v1/file.json"}


async def test_the_proxy_is_asked_for_others(proxy: Proxy, tmp_path: Path, settings: Settings) -> None:
    """Else the test above would see nothing."""
    with pytest.raises(PrerequisiteError):
        fetched("http://models.invalid/file", tmp_path)
    with pytest.raises(PrerequisiteError, match="502"), Store(tmp_path / "store") as store:
        open_chat("http://models.invalid/v1", store, settings)
    with pytest.raises(PrerequisiteError, match="502"):
        await measure("http://models.invalid/v1", "m", levels=[1], tokens=4, rounds=1)
    assert len(proxy.asked) >= 3 and all("models.invalid" in line for line in proxy.asked)


def test_a_redirect_to_this_machine_is_followed_past_the_proxy(server: Endpoint, proxy: Proxy) -> None:
    with serving() as first:
        target = f"{server.url}/models"
        first.redirect = target
        assert ask(f"{first.url}/models").value["data"][0]["id"] == "served"
    assert proxy.asked == []


def test_clients_are_made_in_one_way() -> None:
    """Whoever adds a client has to say its routes: no module opens a URL by itself, or makes a client without them."""
    root = Path(__file__).parents[2]
    makers = re.compile(
        r"urlopen\(|build_opener\(|http\.client|import (?:requests|aiohttp)|(?:OpenAI|HttpxClient|QdrantClient|httpx2?\.\w*Client)\("
    )
    for folder in ("inloop", "app", "graphs", "evaluators", "agents", "tools", "runtime", "mini"):
        for path in (root / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if makers.search(text) and path != root / "runtime" / "http.py":
                assert "direct_routes(" in text, path
