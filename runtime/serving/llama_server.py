"""An OpenAI-compatible server of our own: llama.cpp (xllamacpp) with one GGUF file, in a child process on loopback.

The model: `LocalServer.start()` starts `python -m inloop.runtime.serving.llama_server`, hands it its configuration on standard
input and waits for one line with the address. From then on the open pipe is the child's lease: it ends when the pipe
ends or its parent changes, so that it cannot outlive us, not even after a SIGKILL.

Invariants:
- bound to 127.0.0.1, on a port chosen by the operating system, behind a random key;
- by default one slot and no prompt cache, so that a request with a seed gives the same text whatever else is in
  flight and after a restart (llama.cpp's arithmetic depends on what is batched together; more slots are faster,
  give this up, and so keep what they have read of a prompt as well);
- what llama.cpp prints goes to the log file, whose end is quoted when the server cannot start.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ..errors import BadInput, PrerequisiteError
from ..http import ask

__all__ = ["NO_PAGES", "LocalServer", "cpu_cores", "default_threads"]

NO_PAGES = "http://127.0.0.1"
"""The origin whose pages may read a server's answers: none is served there, so no page in a browser may."""

_POLL_SECONDS = 0.5


class LocalServer:
    """One GGUF model, with at most one LoRA adapter, behind an OpenAI-compatible HTTP address.

    `n_ctx` is the number of tokens of one slot. `log` is llama.cpp's; without it, it is kept while the server runs.
    `start` and `stop` may be called from any thread, any number of times.
    """

    def __init__(
        self,
        model: Path,
        adapter: Path | None = None,
        *,
        threads: int | None = None,
        n_ctx: int = 4096,
        slots: int = 1,
        log: Path | None = None,
        timeout: float = 120.0,
    ) -> None:
        if slots < 1 or n_ctx < 64 or (threads is not None and threads < 1):
            raise BadInput(
                f"slots={slots!r}, n_ctx={n_ctx!r}, threads={threads!r}: slots and threads must be >= 1, n_ctx >= 64"
            )
        self.model = Path(model)
        self.adapter = None if adapter is None else Path(adapter)
        self.threads = threads or default_threads()
        self.n_ctx = n_ctx
        self.slots = slots
        self.api_key = secrets.token_urlsafe(24)
        self._timeout = timeout
        self._log = log
        self._own_folder: Path | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the child process is there."""
        return self._child is not None and self._child.poll() is None

    @property
    def url(self) -> str:
        """The base URL for an OpenAI client (ends in /v1), known once started."""
        if not self._url:
            raise PrerequisiteError("the local language model server is not running", remedy="call start() first")
        return self._url

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None and self.running else None

    def start(self) -> str:
        """Start the server unless it runs, wait until it answers, and return its URL (about a second).

        Raises `PrerequisiteError` when a file or xllamacpp is missing, or when the server ends before it answers.
        """
        with self._lock:
            if self.running:
                return self._url
            _check_files(self.model, self.adapter)
            log = self._log_path()
            log.parent.mkdir(parents=True, exist_ok=True)
            config = {
                "model": str(self.model.resolve()),
                "adapter": str(self.adapter.resolve()) if self.adapter else None,
                "threads": self.threads,
                "n_ctx": self.n_ctx,
                "slots": self.slots,
                "api_key": self.api_key,
                "log": str(log.resolve()),
                "parent": os.getpid(),
                "folder": str(self._own_folder) if self._own_folder else None,
            }
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to us; we stop the server when we are done with it
            )
            atexit.register(self.stop)
            assert self._child.stdin is not None and self._child.stdout is not None
            try:
                self._child.stdin.write(json.dumps(config).encode() + b"\n")
                self._child.stdin.flush()
                address = _read_line(self._child.stdout, self._timeout)
                self._wait_healthy(address)
            except (OSError, TimeoutError) as error:
                tail = self._log_tail()
                self._end()
                raise PrerequisiteError(
                    f"the local language model server did not start with {str(self.model)!r} ({error}){tail}",
                    remedy="check the file with `inloop models --verify`, or choose another model with --llm",
                ) from error
            self._url = f"{address}/v1"
            return self._url

    def stop(self) -> None:
        """End the server; does nothing when it does not run."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        child, self._child, self._url = self._child, None, ""
        atexit.unregister(self.stop)
        folder, self._own_folder = self._own_folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if child is None:
            return
        child.kill()  # it has no state worth a goodbye
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _wait_healthy(self, address: str) -> None:
        end = time.monotonic() + self._timeout
        while True:
            try:
                if ask(f"{address}/health", timeout=5).ok:
                    return
            except OSError:  # it does not listen yet
                pass
            if not self.running:
                raise OSError("the process ended")
            if time.monotonic() > end:
                raise TimeoutError(f"no answer within {self._timeout:.0f} s")
            time.sleep(0.02)

    def _log_tail(self) -> str:
        """llama.cpp's own words for what went wrong, else the last lines of the log."""
        try:
            lines = self._log_path().read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        lines = [line.strip()[:300] for line in lines if line.strip()]
        errors = [line for line in lines if " E " in line[:20]]
        return "".join(f"\n  {line}" for line in errors[:3] or lines[-3:])

    def _log_path(self) -> Path:
        if self._log is not None:
            return self._log
        if self._own_folder is None:
            self._own_folder = Path(tempfile.mkdtemp(prefix="inloop-llm-"))
        return self._own_folder / "server.log"

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def cpu_cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads(wanted: int | None = None) -> int:
    """Half of the cores, or `wanted` if that is less: for a server beside the other models of a loop.

    llama.cpp's threads wait for each other without sleeping: as many threads as cores beside a busy painter slow it
    down more than tenfold (measured on 2 cores: 4 instead of 72 tokens a second).
    """
    half = max(1, cpu_cores() // 2)
    return half if wanted is None else min(wanted, half)


def _check_files(model: Path, adapter: Path | None) -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise PrerequisiteError(
            "the package xllamacpp, which serves the local language model, is not installed",
            remedy="pip install xllamacpp, or use a server that runs already: --llm http://HOST:PORT/v1",
        )
    for path, what in ((model, "model"), (adapter, "LoRA adapter")):
        if path is None:
            continue
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise PrerequisiteError(
                f"the {what} {str(path)!r} cannot be read ({error.strerror})",
                remedy="check the path; `inloop models` lists and fetches the known ones",
            ) from error
        if magic != b"GGUF":
            raise PrerequisiteError(
                f"the {what} {str(path)!r} is not a GGUF file (it begins with {magic!r})",
                remedy="give a .gguf file; a Hugging Face folder needs a server such as vLLM and --llm http://...",
            )


def _read_line(pipe: IO[bytes], timeout: float) -> str:
    """The first line that the child writes: its address. Read in a thread, since pipes have no timeout everywhere."""
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(timeout)
    if not got:
        raise TimeoutError(f"no address within {timeout:.0f} s")
    if not got[0].strip():
        raise OSError("the process ended while loading the model")
    return got[0].decode().strip()


# ---- the child ------------------------------------------------------------------------------------------------------


def _end_with_parent(parent: int, folder: str | None) -> None:
    """End this process when the pipe from the parent ends, or when the parent is another one; `folder` goes with it.

    Not PR_SET_PDEATHSIG: it fires when the *thread* that started us ends, and we may be started from a worker thread.
    """

    def end() -> None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    def watch_pipe() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        end()

    def watch_parent() -> None:
        while os.name != "posix" or os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        end()

    for watch in (watch_pipe, watch_parent):
        threading.Thread(target=watch, daemon=True).start()


def _serve(config: dict[str, Any]) -> None:
    address_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    log = os.open(config["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    _end_with_parent(config["parent"], config["folder"])
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.hostnames = [config.get("host", "127.0.0.1")]
    params.port = config.get("port", 0)
    params.api_keys = [config["api_key"]] if config["api_key"] else []
    # llama.cpp would let every page that the user has open read its answers
    params.cors_origins, params.cors_origins_explicit, params.cors_credentials = NO_PAGES, True, False
    if config.get("alias"):
        params.model_alias = {config["alias"]}
    params.n_ctx = config["n_ctx"] * config["slots"]
    params.n_parallel = config["slots"]
    params.cpuparams.n_threads = config["threads"]
    params.cpuparams_batch.n_threads = config["threads"]
    params.cache_prompt = config["slots"] > 1  # how much of a prompt is read anew changes the last bits too
    params.cache_ram_mib = 0
    if config["adapter"]:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path = config["adapter"]
        adapter.scale = 1.0
        params.lora_adapters = [adapter]
    server = xllamacpp.Server(params)
    address_out.write(f"{server.listening_address}\n")
    address_out.flush()
    threading.Event().wait()


if __name__ == "__main__":
    _serve(json.loads(sys.stdin.buffer.readline()))
