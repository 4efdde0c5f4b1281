"""Addresses of servers as people write them: what was meant is said before anything is sent."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Endpoint, fails, serving

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm import capabilities, open_chat
from inloop.runtime.records import Message
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.runtime.transport import address
from inloop.tools.encoders import open_text_embedder

ASKED = [Message(role="user", content="Is it red?")]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("http://", "names no server"),
        ("https:///v1", "names no server"),
        ("http://#m", "names no server"),
        ("http://host:port/v1", "is no address of a server"),
        ("http://host:99999/v1", "is no address of a server"),
        ("http://[::1/v1", "is no address of a server"),
        ("http://my host/v1", "names no server"),
        ("http://me:secret@host/v1", "a URL with a password"),
        ("http://host/v1?key=1#m", "give 'http://host/v1'"),
        ("http://host/v1/chat/completions#m", "give its base, 'http://host/v1#m'"),
        ("http://host/v1/models", "give its base, 'http://host/v1'"),
    ],
)
def test_what_is_no_base_url(spec: str, words: str, tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(BadInput) as error:
        address(spec)
    assert words in str(error.value) and "secret" not in str(error.value)
    with Store(tmp_path / "store") as store, pytest.raises(BadInput):
        open_chat(spec, store, settings)


@pytest.mark.parametrize("spec", ["localhost:8000/v1", "127.0.0.1:8000", "[::1]:8000/v1"])
def test_an_address_without_its_scheme(spec: str, tmp_path: Path, settings: Settings) -> None:
    with Store(tmp_path / "store") as store, pytest.raises(BadInput, match="a server needs its scheme: http://"):
        open_chat(spec, store, settings)


@pytest.mark.parametrize("spec", [" http://host:8/v1/#m ", "http://host:8/v1#m", "http://host:8/v1/# m"])
def test_a_base_url(spec: str) -> None:
    assert address(spec) == (("http://host:8/v1",), "m")


def test_an_address_without_v1_is_told_with_it() -> None:
    with serving() as server:
        server.missing = ("/models",)
        base = server.url.removesuffix("/v1")
        with pytest.raises(PrerequisiteError) as error:
            address(base)
        assert "answered 404" in error.value.problem
        assert error.value.remedy == f"the address ends in /v1 here: {base}/v1 (it serves served)"


def test_a_server_without_models_and_a_page_in_the_place_of_a_server() -> None:
    with serving() as server:
        for listing, words in (
            ({"data": None}, "does not list its models"),
            ({"data": []}, "does not list its models"),
            ("<h1>It works!</h1>", "It works!"),
        ):
            server.listing = listing
            with pytest.raises(PrerequisiteError, match=words):
                address(server.url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes a certificate: apt install openssl")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return tmp_path / "cert.pem"


@pytest.fixture
def secure(certificate: Path) -> Iterator[tuple[Endpoint, str]]:
    with serving() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server, server.url.replace("http://", "https://")


async def test_a_self_signed_certificate(
    secure: tuple[Endpoint, str], certificate: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, url = secure
    with Store(tmp_path / "store") as store:
        with pytest.raises(PrerequisiteError, match="SSL_CERT_FILE"):
            open_chat(url, store, settings)
        with pytest.raises(PrerequisiteError, match="SSL_CERT_FILE"):
            capabilities(url, "served", tmp_path / "cache")
        async with open_chat(f"{url}#served", store, settings) as chat:
            with pytest.raises(PrerequisiteError, match="SSL_CERT_FILE"):
                await chat.complete(ASKED)
        with pytest.raises(PrerequisiteError, match="SSL_CERT_FILE"):
            await open_text_embedder(f"{url}#served", store, settings).texts(["a"])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # as the message says
        async with open_chat(url, store, settings) as chat:
            assert (await chat.complete(ASKED)).text.startswith("Is it red?")


async def test_https_where_http_is_spoken(tmp_path: Path, settings: Settings) -> None:
    with serving() as server, Store(tmp_path / "store") as store:
        url = server.url.replace("http://", "https://")
        with pytest.raises(PrerequisiteError, match="write http:// in its address"):
            open_chat(url, store, settings)
        async with open_chat(f"{url}#served", store, settings) as chat:
            with pytest.raises(PrerequisiteError, match="write http:// in its address"):
                await chat.complete(ASKED)


async def test_an_embedding_servers_own_words(tmp_path: Path, settings: Settings) -> None:
    with serving() as server, Store(tmp_path / "store") as store:
        server.behaviours = [fails(404, "model 'm' is no embedding model")]
        with pytest.raises(PrerequisiteError, match="404: model 'm' is no embedding model"):
            await open_text_embedder(f"{server.url}#m", store, settings).texts(["a"])
