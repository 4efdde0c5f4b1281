"""The engine `local:N`: workers on a shared run in N processes of this machine, one a GPU where there are several."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import SecretStr

from ..errors import BadInput, CallFailed, InloopError, Interrupted, PrerequisiteError
from .crew import carried_by_workers

if TYPE_CHECKING:
    from ..folder import RunFolder, RunResult
    from ..session import RunConfig
    from ..settings import Settings
    from .engine import SharedLoop
    from .worker import Listener

__all__ = ["KEPT", "Processes", "error_in", "given_settings"]

KEPT = ("INLOOP_DATA", "INLOOP_API_KEY")


class Processes:
    """Carries a run in `count` processes of this machine; the death of one is told, and the others go on."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def carry(
        self,
        loop: SharedLoop,
        config: RunConfig,
        *,
        folder: RunFolder,
        settings: Settings,
        on_event: Listener,
        history: Listener,
        parts: Mapping[str, Any],
    ) -> RunResult[Any]:
        """Work on the run until there is a result."""

        def started() -> list[_Process]:
            return [
                _Process(f"w{place}", folder, env, self.count)
                for place, env in enumerate(environments(self.count, settings), start=1)
            ]

        return await carried_by_workers(
            started, loop, config, folder=folder, settings=settings, on_event=on_event, history=history, parts=parts
        )


class _Process:
    """One worker: it ends when its standard input does, so that it does not outlive this process."""

    def __init__(self, name: str, folder: RunFolder, env: Mapping[str, str], of: int) -> None:
        self.name, self.log = name, folder.path / f"worker-{name}.log"
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        options = ["--name", name, "--of", str(of), "--here", "--json"]
        command = [sys.executable, "-P", "-m", "inloop.app.work.led", str(folder.path), *options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=self._said, stderr=log, env=dict(env), start_new_session=True
            )

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def how(self) -> str:
        """How it ended, in words."""
        code = self.code
        return (
            f"was ended by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"ended with exit code {code}"
        )

    def error(self) -> InloopError | None:
        """What it said of its failure."""
        self._said.seek(0)
        return error_in(self._said.read())

    def ask_to_stop(self) -> None:
        if self.code is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Let go of it; it leaves by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._said.close()


def error_in(said: bytes) -> InloopError | None:
    """The failure that a command's standard output (`--json`) tells of."""
    try:
        told = json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    if told["kind"] == "prerequisite":
        return PrerequisiteError(str(told["message"]), remedy=str(told["remedy"]))
    kinds: dict[str, type[InloopError]] = {"bad input": BadInput, "interrupted": Interrupted}
    return kinds.get(told["kind"], CallFailed)(str(told["message"]))


def environments(count: int, settings: Settings) -> list[dict[str, str]]:
    """What each of `count` workers finds in its environment: these settings, its GPU, and its share of the processor cores."""
    given = given_settings(settings, threads=max(1, (os.cpu_count() or 1) // count))
    gpus = _gpus() if settings.device in ("auto", "cuda") else []
    return [
        _surroundings(given) | ({"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if len(gpus) > 1 else {})
        for place in range(count)
    ]


def given_settings(settings: Settings, *, threads: int) -> dict[str, str]:
    """The settings of a worker as variables of its environment; `threads`: its share of the processor cores, where they say nothing of it."""
    given = {
        f"INLOOP_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name in type(settings).model_fields
        if (value := getattr(settings, name)) is not None and value != ""
    }
    given["INLOOP_ENGINE"] = "local"
    for name in ("INLOOP_RUNS_DIR", "INLOOP_STORE", "INLOOP_BLOBS"):
        if name in given and "://" not in given[name]:
            given[name] = str(Path(given[name]).absolute())
    cores = str(settings.threads or threads)
    return given | {"INLOOP_THREADS": cores, "OMP_NUM_THREADS": cores}


def _surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker on this machine: that of this process with these settings, and none of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("INLOOP_") or name in KEPT}
    return own | dict(given)


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    listed = subprocess.run([program, "--list-gpus"], capture_output=True, encoding="utf-8", check=False)
    return [str(place) for place, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU ")]
