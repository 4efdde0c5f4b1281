"""Servers that are looked after: real processes with the real embedded server, killed and stopped in every way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inloop.app.cli import main as cli
from inloop.runtime import models
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.http import ask
from inloop.runtime.serving.engines import _cores, embedded_plan, explain_vllm, vllm_plan
from inloop.runtime.serving.llama_server import cpu_cores
from inloop.runtime.serving.process import Plan, Serving, free_port
from inloop.runtime.serving.registry import all_served, coming_back, find_served
from inloop.runtime.serving.servable import find_servable
from inloop.runtime.serving.vllm_env import Environment
from inloop.runtime.serving.watchdog import cpu_seconds
from inloop.runtime.settings import Settings

COMMAND = [sys.executable, "-m", "inloop.app.cli.main", "serve"]


@pytest.fixture(scope="module")
def gguf() -> Path:
    found = models.find("smollm2", Settings().cache_dir)
    if found is None:
        pytest.skip("SmolLM2 is not fetched: inloop models --fetch smollm2")
    return found


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path))
    return tmp_path


def plan(gguf: Path, cache: Path, **more: Any) -> Plan:
    model = find_servable(f"gguf:{gguf}", [], cache)
    return embedded_plan(model, port=free_port(), cache_dir=cache, context=256, threads=1, **more)


def within(seconds: float, true: Any) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def down(url: str) -> bool:
    try:
        return not ask(f"{url}/models", timeout=1)
    except OSError:
        return True


def test_a_server_that_dies_is_started_again_once(gguf: Path, cache: Path) -> None:
    said: list[str] = []
    serving = Serving(plan(gguf, cache), cache, say=said.append)
    with serving:
        url, first = serving.served.url, serving.pid
        assert said and serving.served.state == "ready"  # its log was shown while it started
        assert first is not None and not coming_back("http://127.0.0.1:1/v1", cache)
        os.kill(first, signal.SIGKILL)
        assert within(10, lambda: serving.served.state == "restarting") and coming_back(url, cache)
        assert within(60, lambda: serving.served.state == "ready")
        second = serving.pid
        assert second not in (None, first) and ask(f"{url}/models").ok
        assert find_served(url, cache).restarts == 1  # type: ignore[union-attr]
        os.kill(second, signal.SIGKILL)  # type: ignore[arg-type]
        with pytest.raises(PrerequisiteError, match="second time"):
            serving.wait()
        assert serving.served.state == "failed" and not coming_back(url, cache)
    assert all_served(cache) == []


def test_a_start_that_fails_shows_the_end_of_the_log(cache: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(b"GGUF\x03\0\0\0" + b"\0" * 40)
    with pytest.raises(PrerequisiteError, match=r"before it was ready.*\.log") as raised:
        Serving(plan(torn, cache), cache).start()
    assert "torn.gguf" in str(raised.value)
    assert all_served(cache) == []


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time is read from /proc")
def test_a_start_that_hangs_is_given_up_and_one_that_works_is_waited_for(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    log = cache / "serve" / f"{port}.log"
    code = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\ntime.sleep(600)"
    first_line = {"command": [sys.executable, "-c", code], "env": {}, "without": [], "log": str(log)}
    command = (sys.executable, "-P", "-m", "inloop.runtime.serving.watchdog")
    silent = Plan(
        engine="vllm", version="0", command=command, first_line=first_line, port=port, log=log, models={"m": ""}, silence=1.0,
    )  # fmt: skip
    said: list[str] = []
    real: list[float] = []

    def used(path: Path) -> float:
        """It works for the first five looks, whatever else this machine does."""
        real.append(cpu_seconds(path))
        return float(min(len(real), 5))

    monkeypatch.setattr("inloop.runtime.serving.process.cpu_seconds", used)
    serving = Serving(silent, cache, say=said.append)
    with pytest.raises(PrerequisiteError, match="did and said nothing"):
        serving.start()
    assert len(said) == 5 and "at work, 5 s of CPU" in said[-1]
    assert 0.0 < real[-1] < 6.0 and real == sorted(real)
    assert cpu_seconds(log) == 0.0  # it is gone
    assert all_served(cache) == []


def test_a_taken_port_and_a_public_host(cache: Path, gguf: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PrerequisiteError, match="--port"):
            free_port(port=other.getsockname()[1])
    with pytest.raises(BadInput, match="INLOOP_API_KEY"):
        plan(gguf, cache, host="0.0.0.0")
    with pytest.raises(PrerequisiteError, match="cannot listen"):
        free_port("203.0.113.7")


def test_a_key_is_asked_for(gguf: Path, cache: Path) -> None:
    with Serving(plan(gguf, cache, key="k-1"), cache) as serving:
        assert ask(f"{serving.served.url}/models", key="k-1").ok
        body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        assert ask(f"{serving.served.url}/chat/completions", key="guess", body=body).status == 401
        assert "k-1" not in serving._keeper.path.read_text(encoding="utf-8")  # type: ignore[union-attr]


@pytest.mark.skipif(os.name != "posix", reason="uses signals")
def test_the_command_in_the_background(gguf: Path, cache: Path) -> None:
    spec = [f"gguf:{gguf}", "--engine", "embedded", "--context", "256", "--threads", "1"]
    done = subprocess.run([*COMMAND, *spec, "--detach", "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    try:
        assert ask(f"{told['url']}/models").ok and told["llm"] == f"{told['url']}#{gguf.stem}"
        listed = subprocess.run([*COMMAND, "--status"], capture_output=True, text=True)
        assert told["llm"] in listed.stdout and str(told["pid"]) in listed.stdout
        taken = subprocess.run([*COMMAND, *spec, "--port", str(told["port"])], capture_output=True, text=True)
        assert taken.returncode == cli.PREREQUISITE and "--port" in taken.stderr
    finally:
        stopped = subprocess.run([*COMMAND, "--stop"], capture_output=True, text=True)
    assert stopped.returncode == 0 and str(told["port"]) in stopped.stdout
    assert down(told["url"])
    again = subprocess.run([*COMMAND, "--stop"], capture_output=True, text=True)
    assert again.returncode == cli.BAD_INPUT and "no server" in again.stderr


@pytest.mark.skipif(os.name != "posix", reason="uses SIGKILL")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_server_ends_with_the_command(gguf: Path, cache: Path, how: int) -> None:
    command = [*COMMAND, f"gguf:{gguf}", "--engine", "embedded", "--context", "256", "--threads", "1", "--json"]

    def heeded() -> None:  # a shell's background job ignores some signals, and hands that down
        if how != signal.SIGKILL:
            signal.signal(how, signal.SIG_DFL)

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=heeded
    ) as keeper:
        assert keeper.stdout is not None
        told = json.loads(keeper.stdout.readline())
        try:
            assert ask(f"{told['url']}/models").ok
            keeper.send_signal(how)
            keeper.wait(30)
        finally:
            keeper.kill()
    assert within(10, lambda: down(told["url"]))
    assert all_served(cache) == []


LEASED = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']); "


@pytest.mark.skipif(os.name != "posix", reason="uses process groups")
@pytest.mark.parametrize("end", ["lease", "itself"])
def test_the_lease_ends_a_command_with_all_that_it_started(tmp_path: Path, end: str) -> None:
    code = LEASED + ("print('up', flush=True); time.sleep(99)" if end == "lease" else "print('up'); sys.exit(7)")
    log = tmp_path / "log"
    asked = {"command": [sys.executable, "-c", code], "env": {"MARK": "1"}, "without": [], "log": str(log)}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "inloop.runtime.serving.watchdog"], stdin=subprocess.PIPE
    ) as guard:
        assert guard.stdin is not None
        guard.stdin.write(json.dumps(asked).encode() + b"\n")
        guard.stdin.flush()
        assert within(20, lambda: log.exists() and "up" in log.read_text(encoding="utf-8"))
        if end == "lease":
            guard.stdin.close()
        assert guard.wait(20) == (0 if end == "lease" else 7)
    mark = b"time.sleep(99)"

    def left() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark in path.read_bytes() and str(tmp_path).encode() not in path.read_bytes():
                    found.append(path.parent.name)
            except OSError:
                continue
        return found

    if Path("/proc").is_dir():
        assert within(10, lambda: not left())


LITTLE = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"data": [{"id": "m"}]}).encode()
        self.send_response(200); self.send_header("content-length", str(len(data))); self.end_headers()
        self.wfile.write(data)
print("up", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""


@pytest.mark.skipif(os.name != "posix", reason="uses process groups")
def test_a_guard_that_is_killed_leaves_nobody_on_the_port(cache: Path) -> None:
    port, log = free_port(), cache / "serve" / "x.log"
    leased = {"command": [sys.executable, "-c", LITTLE, str(port)], "env": {}, "without": [], "log": str(log)}
    made = Plan(
        engine="vllm", version="0", command=(sys.executable, "-P", "-m", "inloop.runtime.serving.watchdog"), first_line=leased,
        port=port, log=log, models={"m": "r"},
    )  # fmt: skip
    with Serving(made, cache) as serving:
        assert serving.pid is not None
        os.kill(serving.pid, signal.SIGKILL)
        assert within(10, lambda: serving.served.restarts == 1)
        assert within(30, lambda: serving.served.state == "ready") and ask(f"{serving.served.url}/models").ok
    assert within(5, lambda: down(made.url)) and not log.with_suffix(".pid").exists()


def test_what_cannot_be_served(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def folder_of(architecture: str) -> Path:
        folder = tmp_path / architecture
        folder.mkdir()
        config = {"architectures": [architecture], "model_type": "x"}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "model.safetensors").write_bytes(b"x")
        return folder

    sam, clip = folder_of("SamModel"), folder_of("CLIPModel")
    assert [find_servable(str(folder), [], cache).flag for folder in (clip, folder_of("BertModel"))] == [
        "--clip",
        "--embedder",
    ]
    assert find_servable(str(folder_of("LlavaForConditionalGeneration")), [], cache).flag == "--llm"
    with pytest.raises(BadInput, match="embeds, and is served without adapters"):
        find_servable(str(clip), ["mini-writer"], cache)
    with pytest.raises(BadInput, match="reads GGUF files of models that chat"):
        embedded_plan(find_servable(str(clip), [], cache), port=0, cache_dir=cache)
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "text.gguf").write_text("hello", encoding="utf-8")
    for spec, words in (
        ("nonsense", "names no model"),
        (str(sam), "no model that can be served.*SamModel"),
        (str(empty), "config.json"),
        (f"gguf:{tmp_path / 'no.gguf'}", "there is no file"),
        (str(tmp_path / "text.gguf"), "not a GGUF"),
        ("clip", "no language model"),
    ):
        with pytest.raises(BadInput, match=words):
            find_servable(spec, [], cache)
    assert cli.main(["serve"]) == cli.BAD_INPUT and "no model" in capsys.readouterr().err
    assert cli.main(["serve", "nonsense", "--engine", "embedded"]) == cli.BAD_INPUT


def test_without_vllm_the_message_is_about_the_model(
    cache: Path, gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("inloop.runtime.serving.choose.find_vllm", lambda settings: None)
    monkeypatch.setattr("inloop.runtime.serving.choose.no_place", lambda: None)
    for spec in (f"gguf:{gguf}", "mini-writer"):
        assert cli.main(["serve", spec]) == cli.PREREQUISITE
        assert f"inloop serve {spec} --engine embedded" in capsys.readouterr().err
    assert cli.main(["serve", str(config_folder(tmp_path / "tiny-llm"))]) == cli.PREREQUISITE
    told = capsys.readouterr().err
    assert "--install" in told and "--engine embedded" not in told
    for spec in ("nonsense", "gguf:/nowhere.gguf", str(tmp_path)):  # nobody installs gigabytes for a typing error
        assert cli.main(["serve", spec]) == cli.BAD_INPUT
        assert "vLLM" not in capsys.readouterr().err


def test_threads_that_were_asked_for(cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = cpu_cores()
    model = find_servable(f"gguf:{gguf}", [], cache)

    def asked(threads: int | None) -> Any:
        return embedded_plan(model, port=8123, cache_dir=cache, threads=threads).first_line["threads"]

    assert (asked(cores), asked(1), asked(None)) == (cores, 1, max(1, cores // 2))
    spec = ["serve", f"gguf:{gguf}", "--engine", "embedded", "--threads", str(cores + 1)]
    for how in ([], ["--detach"]):
        assert cli.main([*spec, *how]) == cli.BAD_INPUT


@pytest.mark.parametrize(
    "given", [("--slots", "0"), ("--context", "0"), ("--context", "-5"), ("--port", "-1"), ("--port", "65536")]
)
def test_numbers_that_no_server_works_with(given: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "smollm2", "--engine", "embedded", *given]) == cli.BAD_INPUT
    assert f"{' '.join(given)} cannot be used" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux")
@pytest.mark.parametrize(("threads", "bound"), [(None, "0,2,4"), (2, "0,2"), (5, "0,2,4,1,3")])
def test_vllm_takes_the_second_threads_of_cores_last(
    threads: int | None, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)))
    monkeypatch.setattr(Path, "read_text", lambda path, **_: str(int(path.parts[5][3:]) // 2))
    assert _cores(threads) == bound


def config_folder(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    known = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048}
    (folder / "config.json").write_text(json.dumps(known | config), encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"\0" * 1000)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux")
def test_the_command_line_of_vllm(cache: Path, tmp_path: Path) -> None:
    folder = config_folder(tmp_path / "tiny-llm")
    here = Environment(python=Path("/env/bin/python"), version="9.9", build="cpu")
    model = find_servable(str(folder), [], cache)
    made = vllm_plan(model, here, port=8123, cache_dir=cache, key="k-1", threads=1)
    command, env = made.first_line["command"], made.first_line["env"]
    assert command[:3] == ["/env/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    assert "--enable-prefix-caching" in command and "--enable-lora" in command
    assert command[command.index("--allowed-origins") + 1] == '["http://127.0.0.1"]'
    assert command[command.index("--max-model-len") + 1] == "2048"
    assert "k-1" not in " ".join(command) and env["VLLM_API_KEY"] == "k-1"
    assert env["HF_HUB_OFFLINE"] == "1" and len(env["VLLM_CPU_OMP_THREADS_BIND"].split(",")) == 1
    assert list(made.models) == ["tiny-llm"] and "9.9" in made.models["tiny-llm"]
    gpu = Environment(python=Path("/env/bin/python"), version="9.9", build="cuda")
    many = vllm_plan(model, gpu, port=8123, cache_dir=cache, data_parallel=4, gpu_share=0.4).first_line["command"]
    assert (
        many[many.index("--data-parallel-size") + 1] == "4"
        and many[many.index("--gpu-memory-utilization") + 1] == "0.40"
    )
    with pytest.raises(BadInput, match="are for GPUs"):
        vllm_plan(model, here, port=8123, cache_dir=cache, data_parallel=2)
    clip = find_servable(str(config_folder(tmp_path / "clip", architectures=["CLIPModel"])), [], cache)
    made = vllm_plan(clip, here, port=8123, cache_dir=cache)
    command = made.first_line["command"]
    assert command[command.index("--runner") + 1] == "pooling" and command[command.index("--dtype") + 1] == "float32"
    assert "--enable-lora" not in command and "--max-model-len" not in command and made.flag == "--clip"
    with pytest.raises(BadInput, match="2048"):
        vllm_plan(model, here, port=8123, cache_dir=cache, context=4096)
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(10**12)  # a hole: takes no disk
    with pytest.raises(PrerequisiteError, match="does not fit"):
        vllm_plan(model, here, port=8123, cache_dir=cache)


@pytest.mark.parametrize(
    ("log", "word"),
    [
        ("ValueError: No available memory for the cache blocks.", "--context"),
        (
            "RuntimeError: Available memory on node 0 (8.4/11.84 GiB) on kv cache allocation is less than requested",
            "fit",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", "memory"),
        ("OSError: [Errno 98] error while attempting to bind: Address already in use", "--port"),
        ("OSError: [Errno 28] No space left on device", "disk"),
    ],
)
def test_the_ends_of_vllm_that_are_explained(log: str, word: str) -> None:
    known = explain_vllm(f"INFO starting\n{log}\n")
    assert known is not None and word in " ".join(known)
    assert explain_vllm("INFO all is well") is None


def test_stopping_while_it_starts(gguf: Path, cache: Path) -> None:
    serving = Serving(plan(gguf, cache), cache)
    seen: list[BaseException] = []

    def start() -> None:
        try:
            serving.start()
        except PrerequisiteError as error:
            seen.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    assert within(10, lambda: serving.pid is not None)
    serving.stop()
    thread.join(30)
    assert not thread.is_alive() and all_served(cache) == []
    assert [type(error) for error in seen] == [PrerequisiteError]


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert all_served(tmp_path) == []
