"""The engine `local:N`: workers on a shared run in N processes of this machine, one a GPU where there are several."""

from __future__ import annotations

import asyncio
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
from ..store import StoreLocation
from .events import Warned
from .folder import ENGINE, RunFolder
from .following import Following
from .shared import SharedRun
from .signals import drained_by_signals

if TYPE_CHECKING:
    from ..settings import Settings
    from .config import RunConfig
    from .engine import SharedLoop
    from .result import RunResult
    from .worker import Listener

__all__ = ["Processes"]

_POLL = 0.2  # seconds
_PATIENCE = 10.0  # seconds in which workers may end by themselves once there is a result


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
        parts: Mapping[str, Any],
    ) -> RunResult[Any]:
        """Work on the run until there is a result."""
        if parts:
            raise BadInput(
                f"engine local:{self.count}: {sorted(parts)[0]} is an object of this process, which others do not have: name it as module:object, or leave"
                " the engine out."
            )
        loop.begin_shared(config, folder, settings)
        run = SharedRun(StoreLocation.named_by(settings), folder.id, worker=ENGINE)
        workers: list[_Process] = []
        try:
            surroundings = environments(self.count, settings)
            workers = [_Process(f"w{place}", folder, env) for place, env in enumerate(surroundings, start=1)]
            text = await _Crew(workers, Following(run)).result(on_event)
            return loop.read_result(text, settings)
        finally:
            run.close()
            for worker in workers:
                worker.end()


class _Crew:
    """The workers of one run, followed to the result."""

    def __init__(self, workers: list[_Process], following: Following) -> None:
        self._workers, self._following, self._stopped = workers, following, ""

    def request_drain(self, reason: str) -> None:
        """Ask all of them to stop after their step."""
        self._stopped = reason
        for worker in self._workers:
            worker.ask_to_stop()

    async def result(self, listen: Listener) -> str:
        run, told = self._following.run, set[str]()
        with drained_by_signals(self):
            while True:
                working = [worker for worker in self._workers if worker.code is None]
                await self._following.hear(listen)
                if not working or (await self._following.ask(run.result)) is not None:
                    break
                for worker in self._workers:
                    if worker.code not in (None, 0) and worker.name not in told and not self._stopped:
                        told.add(worker.name)
                        run.tell(
                            Warned(
                                text=f"worker {worker.name} {worker.how()}: the others go on with its tasks"
                            ).model_dump(mode="json")
                        )
                await asyncio.sleep(_POLL)
        text = await self._following.ask(run.result)
        if text is None:
            raise self._why()
        for _ in range(int(_PATIENCE / _POLL)):
            if all(worker.code is not None for worker in self._workers):
                break
            await asyncio.sleep(_POLL)
        await self._following.hear(listen)
        return text

    def _why(self) -> InloopError:
        if self._stopped:
            return Interrupted(f"stopped by {self._stopped}; nothing that was finished is lost")
        for worker in self._workers:
            if (error := worker.error()) is not None:
                return error
        last = self._workers[-1]
        return PrerequisiteError(
            f"all {len(self._workers)} workers ended without a result: {last.name} {last.how()}",
            remedy=f"see {last.log}, then go on with the run.",
        )


class _Process:
    """One worker: it ends when its standard input does, so that it does not outlive this process."""

    def __init__(self, name: str, folder: RunFolder, env: Mapping[str, str]) -> None:
        self.name, self.log = name, folder.path / f"worker-{name}.log"
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-m", "inloop.app.work.led", str(folder.path), "--name", name, "--json"]
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
        try:
            told = json.loads(self._said.read())["error"]
        except (ValueError, KeyError, TypeError):
            return None
        if told["kind"] == "prerequisite":
            problem = str(told["message"]).partition("\n  What to do: ")[0]
            return PrerequisiteError(problem, remedy=str(told["remedy"]))
        kinds: dict[str, type[InloopError]] = {"bad input": BadInput, "interrupted": Interrupted}
        return kinds.get(told["kind"], CallFailed)(str(told["message"]))

    def ask_to_stop(self) -> None:
        if self.code is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Let go of it; it leaves by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._said.close()


def environments(count: int, settings: Settings) -> list[dict[str, str]]:
    """What each of `count` workers finds in its environment: these settings, its GPU, and its share of the processor cores."""
    given = {
        f"INLOOP_{name.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name in type(settings).model_fields
        if (value := getattr(settings, name)) is not None and value != ""
    }
    given["INLOOP_ENGINE"] = "local"
    for name in ("INLOOP_RUNS_DIR", "INLOOP_STORE"):
        if name in given and "://" not in given[name]:
            given[name] = str(Path(given[name]).absolute())
    threads = str(settings.threads or max(1, (os.cpu_count() or 1) // count))
    given |= {"INLOOP_THREADS": threads, "OMP_NUM_THREADS": threads}
    base = {
        name: value for name, value in os.environ.items() if not name.startswith("INLOOP_") or name == "INLOOP_DATA"
    }
    gpus = _gpus() if settings.device in ("auto", "cuda") else []
    return [
        {**base, **given, **({"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if len(gpus) > 1 else {})}
        for place in range(count)
    ]


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    listed = subprocess.run([program, "--list-gpus"], capture_output=True, encoding="utf-8", check=False)
    return [str(place) for place, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU ")]
