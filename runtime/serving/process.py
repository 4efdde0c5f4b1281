"""A language model server as a process that is looked after: started, waited for, restarted once, stopped.

The model: a `Plan` says what to run; `Serving` runs it, with its output in a log file, and is the *keeper* of its entry in
`served`. The child's standard input is its lease (see `lease` and `runtime.serving.llama_server`): it ends with us, however we end.

Invariants:
- ready means that `/health` answers 200 and `/v1/models` lists every model that was promised;
- a server that ends by itself after it was ready is started again, once; one that then ran for ten minutes has earned
  another time; adapters that were loaded at run time are loaded again;
- who cannot be reached from other machines needs no key, and who can be must have one.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ..errors import BadInput, PrerequisiteError
from ..http import ask, is_loopback
from . import adapters
from .registry import Keeper, Served, State, update
from .watchdog import cpu_seconds, sweep

__all__ = ["Plan", "Serving", "free_port"]

_RENEWED_SECONDS = 600.0
_SILENT_SECONDS = 300.0
_IDLE_SHARE = 0.002  # of the time, in CPU time, below which a server does not work
_TAIL_LINES = 12

Engine = Literal["vllm", "embedded"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run: `command` gets `first_line` as JSON on its standard input, which then stays open as its lease.

    `models`: ids with revisions, the one to use first; `flag`: what takes them. `explain` turns the end of a log into what went wrong and what to
    do, where it knows. `silence`: seconds without a word in the log, and without any CPU time used, after which a start is given up.
    """

    engine: Engine
    version: str
    command: tuple[str, ...]
    first_line: Mapping[str, Any]
    port: int
    log: Path
    models: Mapping[str, str]
    adapters: Mapping[str, str] = field(default_factory=dict)
    flag: str = "--llm"
    host: str = "127.0.0.1"
    key: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    explain: Callable[[str], tuple[str, str] | None] = lambda log: None
    silence: float = _SILENT_SECONDS

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.key:
            raise BadInput(
                f"--host {self.host!r} lets other machines in: set a key in INLOOP_API_KEY, or leave --host out"
                " to serve this machine alone"
            )

    @property
    def url(self) -> str:
        """The base URL for clients on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/v1"


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """A free port: `port` if it is one, any for 0.

    Raises `PrerequisiteError` where the port is taken or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise PrerequisiteError(
                f"the server cannot listen at {host}:{port} ({error.strerror or error})",
                remedy="leave --port out for a free one; `inloop serve --status` lists the servers of inloop",
            ) from error
        return int(tried.getsockname()[1])


class Serving:
    """A running server; use it as a context manager, or `start`, `wait` and `stop` (from any thread).

    `say` gets the lines of the log while the server starts, and what happens to it later.
    """

    def __init__(self, plan: Plan, cache_dir: Path, *, say: Callable[[str], None] = lambda line: None) -> None:
        self.plan = plan
        self._cache_dir = cache_dir
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None
        self._keeper: Keeper | None = None
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._problem: PrerequisiteError | None = None
        self._watcher: threading.Thread | None = None
        self._guard = threading.Lock()
        self.served = Served(
            url=plan.url, engine=plan.engine, version=plan.version, state="starting", pid=os.getpid(), log=plan.log,
            since=round(time.time(), 3), models=dict(plan.models), adapters=dict(plan.adapters), flag=plan.flag,
        )  # fmt: skip

    def start(self) -> Served:
        """Start the server and wait until it is ready.

        Raises `PrerequisiteError` where the port is taken or the server ends, or hangs, before it is ready; the
        end of its log is part of the message.
        """
        keeper = self._keeper = Keeper(self._cache_dir, self.plan.port)
        try:
            sweep(self.plan.log)  # of a keeper and a guard that were both killed
            free_port(self.plan.host, self.plan.port)
            self.plan.log.parent.mkdir(parents=True, exist_ok=True)
            self.plan.log.unlink(missing_ok=True)
            keeper.write(self.served)
            self._spawn()
            self._wait_ready()
        except BaseException:
            self._end_child()
            if not self._stopping.is_set():  # else `stop` says how it ended
                self._put("failed")
            keeper.release()
            raise
        self._put("ready")
        self._watcher = threading.Thread(target=self._watch, name="serving", daemon=True)
        self._watcher.start()
        return self.served

    def wait(self) -> None:
        """Block until the server is stopped; raises `PrerequisiteError` where it ended and could not be kept up."""
        while not self._over.wait(0.5):  # with a timeout, so that signals are seen
            pass
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """End the server; does nothing when it does not run."""
        self._stopping.set()
        self._end_child()
        if self._watcher is not None:
            self._watcher.join(30)
        with self._guard:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            if self._problem is None:
                self._put("stopped")
            keeper.release()
        self._over.set()

    @property
    def pid(self) -> int | None:
        """The process id of the child while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def __enter__(self) -> Self:
        if self._keeper is None:  # what `serve` returns runs already
            self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _put(self, state: State, **changes: Any) -> None:
        changes["state"] = state
        self.served = update(self.served, self._cache_dir, lambda now: now.model_copy(update=changes))

    def _spawn(self) -> None:
        child = subprocess.Popen(
            self.plan.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.plan.environment},
            start_new_session=True,  # Ctrl-C goes to us, and we stop the server
        )
        assert child.stdin is not None
        self._child = child
        try:
            child.stdin.write(json.dumps(self.plan.first_line).encode() + b"\n")
            child.stdin.flush()
        except OSError:
            return  # it has ended; whoever waits for it will say so

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.close()  # the lease ends
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        sweep(self.plan.log)

    def _wait_ready(self) -> None:
        seen, heard, used = 0, time.monotonic(), 0.0
        health = self.plan.url.removesuffix("/v1") + "/health"
        while True:
            child = self._child
            if child is None or self._stopping.is_set():
                raise PrerequisiteError("the server was stopped while it started", remedy="start it again")
            ended = child.poll()
            lines, now_seen = _lines(self.plan.log, seen, whole=ended is None)
            for line in lines:
                self._say(line)
            if now_seen != seen:
                seen, heard = now_seen, time.monotonic()
            if ended is not None:
                raise self._failed(f"the server ended with exit code {ended} before it was ready")
            if time.monotonic() - heard > self.plan.silence:
                before, used = used, cpu_seconds(self.plan.log)
                if used - before < _IDLE_SHARE * self.plan.silence:
                    raise self._failed(
                        f"the server did and said nothing for {self.plan.silence:.0f} s and is not ready"
                    )
                heard = time.monotonic()  # on a busy machine it works without a word
                self._say(f"no word for {self.plan.silence:.0f} s; it is at work, {used:.0f} s of CPU time so far")
            try:
                if ask(health, timeout=2).ok and set(self.plan.models) <= set(
                    adapters.listed(self.plan.url, key=self.plan.key)
                ):
                    return
            except (OSError, PrerequisiteError):
                pass
            time.sleep(0.1)

    def _failed(self, what: str) -> PrerequisiteError:
        text = _text(self.plan.log)
        known = self.plan.explain(text)
        tail = "".join(f"\n    {line[:200]}" for line in _last(text))
        if known is not None:
            return PrerequisiteError(f"{known[0]} ({what}; log: {self.plan.log}){tail}", remedy=known[1])
        return PrerequisiteError(
            f"{what}; the end of its log, {self.plan.log}:{tail}",
            remedy="mend what the log names"
            + (", or serve without vLLM: --engine embedded" if self.plan.engine == "vllm" else ""),
        )

    def _watch(self) -> None:
        """In a thread: notice the end of the child, and start it again once."""
        ready_at, spare = time.monotonic(), 1
        while True:
            child = self._child
            if child is not None:
                child.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - ready_at > _RENEWED_SECONDS:
                spare = 1
            code = child.returncode if child is not None else None
            if not spare:
                self._give_up(self._failed(f"the server ended with exit code {code}, for the second time"))
                return
            spare -= 1
            self._say(f"the server ended with exit code {code}: starting it again")
            self._put("restarting", restarts=self.served.restarts + 1, note=f"ended with exit code {code}")
            sweep(self.plan.log)
            later = {name: path for name, path in self.served.adapters.items() if name not in self.plan.adapters}
            try:
                self._spawn()
                self._wait_ready()
                for name, path in later.items():
                    again = adapters.find_adapter(f"{name}={path}", self._cache_dir)
                    adapters.load_adapter(self.plan.url, again, self._cache_dir, key=self.plan.key)
            except (PrerequisiteError, BadInput) as error:
                if not self._stopping.is_set():
                    self._give_up(error)
                return
            self._put("ready")
            self._say("the server is ready again")
            ready_at = time.monotonic()

    def _give_up(self, error: PrerequisiteError | BadInput) -> None:
        self._problem = (
            error
            if isinstance(error, PrerequisiteError)
            else PrerequisiteError(str(error), remedy="mend the adapter, then start the server again")
        )
        self._put("failed", note=str(error)[:500])
        self._end_child()
        self._over.set()


def _text(path: Path, most: int = 200_000) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _lines(path: Path, start: int, *, whole: bool) -> tuple[list[str], int]:
    """The lines of a log from byte `start`, and where they end; `whole`: leave one that is still being written."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
    except OSError:
        return [], start
    if whole:
        data = data[: data.rfind(b"\n") + 1]
    lines = data.decode("utf-8", "replace").replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip()], start + len(data)


def _last(text: str) -> list[str]:
    """The lines that name an error (the first ones, which are the cause, and the last), else the last lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line or "ERROR" in line or " E " in line[:20]]
    if not errors:
        return lines[-_TAIL_LINES:]
    return errors if len(errors) <= 6 else [*errors[:3], *errors[-3:]]
