"""`inloop doctor`: every check says what is there, and what to do where it is not."""

import http.server
import json
import threading
from typing import ClassVar

import pytest
from packages import install
from servers import completion, serving, thinks, well

from inloop.app.cli import main as cli
from inloop.app.cli.doctor import examine
from inloop.runtime import registry
from inloop.runtime.settings import Settings


def found(settings):
    return {f.name: f for f in examine(settings)}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(place, **more):
    return Settings(runs_dir=place / "runs", cache_dir=place / "cache", **more)


class Answers(http.server.BaseHTTPRequestHandler):
    code = 200
    body = b'{"data": [{"id": "tiny-llm"}]}'
    keys: ClassVar[list] = []

    def do_GET(self):
        self.keys.append(self.headers.get("Authorization"))
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.body = json.dumps(completion(["The sea is wide."])).encode()
        self.do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Answers,), {"keys": []})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{served.server_address[1]}/v1"
    served.shutdown()
    served.server_close()


def test_everything_that_is_not_right_has_a_remedy(place):
    findings = examine(settings(place))
    assert {"python", "packages", "devices", "painter", "vqa", "clip", "writer", "smollm2", "disk"} <= {
        f.name for f in findings
    }
    assert all(f.remedy for f in findings if f.state == "missing")
    assert found(settings(place))["packages"].state == "ok"


def test_a_model_that_is_not_chosen_is_no_reason_to_stop(place):
    plain = found(settings(place, llm="openai:gpt", api_key="k", images="org/painter", vqa="org/vqa", clip="org/clip"))
    assert {plain[name].state for name in ("painter", "vqa", "clip", "writer", "smollm2")} <= {"ok", "note"}
    assert plain["images"].state == "note" and "hf download org/painter" in plain["images"].remedy


def test_a_server_that_answers_and_gets_its_key(place, server):
    handler, url = server
    finding = found(settings(place, llm=f"{url}#tiny-llm", api_key="sk-1"))["llm"]
    assert finding.state == "ok" and "tiny-llm" in finding.text and "sk-1" not in finding.text
    assert handler.keys == ["Bearer sk-1"]


@pytest.mark.parametrize(
    ("code", "body", "word"),
    [
        (401, b"", "INLOOP_API_KEY"),
        (404, b"", "/v1"),
        (200, b"<html>", "check the address"),
        (200, b"[]", "check the address"),
    ],
)
def test_a_server_that_answers_wrongly(place, server, code, body, word):
    handler, url = server
    handler.code, handler.body = code, body
    finding = found(settings(place, llm=url))["llm"]
    assert finding.state == "missing" and word in finding.remedy


def test_a_server_that_is_down(place):
    finding = found(settings(place, llm="http://127.0.0.1:9/v1"))["llm"]
    assert finding.state == "missing" and "Connection refused" in finding.text


def test_a_missing_gguf_file_and_a_missing_key(place):
    assert found(settings(place, llm="gguf:nowhere.gguf"))["llm"].state == "missing"
    assert "OPENAI_API_KEY" in found(settings(place, llm="openai:gpt"))["llm"].remedy
    (place / "here.gguf").write_bytes(b"GGUF")
    assert found(settings(place, llm="gguf:here.gguf"))["llm"].state == "ok"


def test_a_folder_that_cannot_be_made(place):
    (place / "file").write_text("x", encoding="utf-8")
    finding = found(Settings(runs_dir=place / "file" / "runs", cache_dir=place / "cache"))["runs folder"]
    assert finding.state == "missing" and "is not a folder" in finding.text and "--out" in finding.remedy


def test_a_device_that_is_not_there(place):
    assert "use auto or cpu" in found(settings(place, device="tpu"))["devices"].remedy


def test_the_command(place, monkeypatch, capsys):
    monkeypatch.setenv("INLOOP_LLM", "gguf:nowhere.gguf")
    assert cli.main(["doctor"]) == cli.PREREQUISITE
    out = capsys.readouterr().out
    assert "MISSING  llm" in out and "-> check the path" in out
    assert cli.main(["doctor", "--json"]) == cli.PREREQUISITE
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False and any(f["name"] == "llm" and f["state"] == "missing" for f in told["findings"])


def test_packages_that_add_parts_are_named_and_broken_ones_too(place, monkeypatch):
    parts = {
        "inloop.tools": {"turbo": "paint_box:TURBO", "lost": "paint_box:LOST"},
        "inloop.calls": {"depth": "paint_box:TURBO"},
    }
    install(place / "site", monkeypatch, "paint-box", parts, paint_box="TURBO = 7")
    said = {
        f.text: f for f in examine(settings(place, images="turbo?steps=1", vqa="mine:answer")) if f.name != "packages"
    }
    registry.plugins.cache_clear()
    assert said["paint-box 1.0: calls depth, tools turbo"].state == "ok"
    [broken] = [text for text in said if "tools lost of paint-box 1.0 cannot be imported" in text]
    assert "AttributeError" in broken and said[broken].remedy
    assert {"your own: turbo?steps=1", "your own: mine:answer"} <= set(said)


def test_a_server_that_thinks_is_told_of(place):
    with serving() as endpoint:
        endpoint.behaviours = [thinks("The sea is wide.")]
        finding = found(settings(place, llm=endpoint.url))["llm"]
        assert finding.state == "note" and "thinks before it answers (in reasoning_content)" in finding.text
        assert "INLOOP_THINKING_TOKENS (8192)" in finding.remedy
        endpoint.behaviours = [well]
        assert found(settings(place, llm=endpoint.url))["llm"].state == "ok"
        assert len([body for body in endpoint.seen if "messages" in body]) == 2  # one plain question each


def test_an_address_without_v1_is_told_with_it(place):
    with serving() as endpoint:
        endpoint.missing = ("/models",)
        finding = found(settings(place, llm=endpoint.url.removesuffix("/v1")))["llm"]
    assert finding.state == "missing" and f"ends in /v1 here: {endpoint.url}" in finding.remedy
    assert found(settings(place, llm="http://"))["llm"].state == "missing"


def test_a_proxy_that_would_be_asked_for_a_server_is_told_of_before(place, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@proxy.invalid:3128")
    with serving() as endpoint:
        mine = found(settings(place, llm=endpoint.url))["proxy"]
    assert mine.state == "ok" and "is reached without proxy.invalid:3128" in mine.text
    other = found(settings(place, vqa="http://gpu-box.invalid:8000/v1#m"))["proxy"]
    assert other.state == "note" and "proxy.invalid:3128 is asked for gpu-box.invalid:8000" in other.text
    assert other.remedy.endswith("NO_PROXY=gpu-box.invalid") and "secret" not in other.text
    monkeypatch.setenv("NO_PROXY", "gpu-box.invalid")
    assert found(settings(place, vqa="http://gpu-box.invalid:8000/v1#m"))["proxy"].state == "ok"


def test_libraries_with_usage_statistics_are_named_and_off(place, monkeypatch):
    for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.delenv(name, raising=False)
    findings = found(settings(place))
    assert (
        findings["telemetry"].state == "ok"
        and "huggingface_hub" in findings["telemetry"].text
        and "tracing" not in findings
    )
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    findings = found(settings(place))
    assert findings["telemetry"].state == "note" and "not off: huggingface_hub" in findings["telemetry"].text
    assert findings["tracing"].state == "note" and "LangSmith" in findings["tracing"].text


def test_a_server_that_paints_is_asked_for_its_models_alone(place, server):
    _, url = server
    by_name = found(settings(place, images=f"{url}?size=512x512#painter"))
    assert by_name["images"].state == "ok" and "painter is asked for" in by_name["images"].text
    down = found(settings(place, images="http://127.0.0.1:9/v1"))
    assert down["images"].state == "missing" and down["images"].remedy


def test_every_judge_of_several_is_looked_at(place):
    (place / "folder").mkdir()
    (place / "judges.json").write_text("{}", encoding="utf-8")
    told = list(examine(settings(place, vqa="mini + folder?batch=2 + own:judge", images="pictures:folder")))
    assert [(f.state, f.text) for f in told if f.name == "vqa"][1:] == [
        ("ok", "folder folder"),
        ("ok", "your own: own:judge"),
    ]
    assert [(f.state, f.text) for f in told if f.name == "images"] == [("ok", "folder folder")]
    certified = [f for f in examine(settings(place, vqa="judges.json")) if f.name == "vqa"]
    assert certified[-1].text == "certificate judges.json"
