"""Files by URL, from a server on loopback: fetched once, whole or not at all; and the zips that VQA files are published as."""

from __future__ import annotations

import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from inloop.evaluators.vqa.sets import read_items
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.tools.data.downloads import fetched

ROWS = [{"question_id": 1, "question": "what is it?", "answers": ["cow"]}]


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name.replace("_json", ".json"), json.dumps(content))
    return path


@pytest.fixture
def site(tmp_path):
    """A server of one zip at /q.zip, of half of it at /half.zip, and of nothing else."""
    data = zipped(tmp_path / "q.zip", q_json=ROWS).read_bytes()
    asked = []

    class Files(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Nothing on the screen."""

        def do_GET(self):
            asked.append(self.path)
            if self.path not in ("/q.zip", "/half.zip"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data if self.path == "/q.zip" else data[: len(data) // 2])

    server = HTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_published_zip_is_fetched_once_and_read(site, tmp_path):
    url, asked = site
    path = fetched(f"{url}/q.zip", tmp_path / "cache")
    assert path == fetched(f"{url}/q.zip", tmp_path / "cache") and asked == ["/q.zip"]
    [item] = read_items("okvqa", path)
    assert item.question == "what is it?"
    assert fetched("local.json", tmp_path).name == "local.json"


@pytest.mark.parametrize("name", ["half.zip", "nothing.zip"])
def test_what_cannot_be_fetched_whole_leaves_nothing(site, tmp_path, name):
    url, _ = site
    with pytest.raises(PrerequisiteError, match="cannot be fetched"):
        fetched(f"{url}/{name}", tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_a_zip_of_several_files_or_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"holds 2 JSON files \(a.json, b.json\)"):
        read_items("okvqa", zipped(tmp_path / "two.zip", a_json=ROWS, b_json=ROWS))
    damaged = zipped(tmp_path / "d.zip", a_json=ROWS * 50)
    data = bytearray(damaged.read_bytes())
    data[60:80] = bytes(20)
    damaged.write_bytes(bytes(data))
    with pytest.raises(BadInput, match="is damaged"):
        read_items("okvqa", damaged)
