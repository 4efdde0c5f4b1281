"""The engine `ray`: Ray places workers on the machines of a cluster, each with its share of a GPU, and begins one anew where it died.

    --engine ray            a cluster of this machine alone, as many workers as it has GPUs, else two
    --engine ray:4          four workers
    --engine "ray://head:10001?workers=8&gpus=0.5&cpus=4"     on the cluster at this address; two workers share a GPU

A worker is `inloop work` on one shared run, in a task of Ray's: what it must see beside the code is the store, so on several machines that has a URL.
What Ray adds is where workers run, that dead ones are begun anew on whatever machine is left, and that more machines are asked for: its
autoscaler sees tasks that wait. What workers tell comes to the driver by the store, as from all workers.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..errors import BadInput, InloopError, PrerequisiteError
from ..store import StoreLocation
from .crew import carried_by_workers
from .processes import KEPT, error_in, given_settings

if TYPE_CHECKING:
    from ..folder import RunFolder, RunResult
    from ..session import RunConfig
    from ..settings import Settings
    from .engine import SharedLoop
    from .worker import Listener

__all__ = ["RayTasks"]

_AGAIN = 100  # how often Ray begins a worker anew that died
_WORKERS = 2  # where the cluster has no GPU


class RayTasks:
    """Carries a run by workers that Ray places.

    Args:
        spec: what stands behind `ray:`, see above.

    Raises:
        BadInput: an option that there is not, or that cannot be used.
    """

    def __init__(self, spec: str) -> None:
        place, _, query = spec.partition("?")
        try:
            options = dict(parse_qsl(query, strict_parsing=True)) if query else {}
            self.workers = int(options.pop("workers", place if place.isdecimal() else 0))
            self.gpus, self.cpus = (float(options.pop(name)) if name in options else None for name in ("gpus", "cpus"))
        except ValueError as error:
            raise BadInput(f"engine 'ray:{spec}': {error}; give ray://HOST:PORT?workers=8&gpus=0.5&cpus=2.") from None
        if options or self.workers < 0:
            raise BadInput(
                f"engine 'ray:{spec}': the options are workers, gpus and cpus, as in ray:?workers=8&gpus=0.5."
            )
        self.address = "" if place.isdecimal() else f"ray:{place}" if place.startswith("//") else place

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
        with self._cluster() as ray:
            _check_store(ray, StoreLocation.named_by(settings))
            total = ray.cluster_resources()
            count = self.workers or int(total.get("GPU", 0)) or _WORKERS
            gpus = self.gpus if self.gpus is not None else min(1.0, total.get("GPU", 0.0) / count)
            # left to itself each worker gets its share of the processor cores, so that all of them find room
            cpus = self.cpus if self.cpus is not None else max(0.01, min(1.0, total.get("CPU", 1.0) / count))
            work = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=_AGAIN, retry_exceptions=[ChildProcessError])(
                _task()
            )
            given = given_settings(settings, threads=max(1, int(cpus)))
            given.pop("INLOOP_API_KEY", None)  # Ray would keep it: a key is in the environment of each machine

            def started() -> list[_RayTask]:
                named = [f"ray{place}" for place in range(1, count + 1)]
                return [
                    _RayTask(
                        ray,
                        name,
                        work.options(name=name).remote(given, [folder.id, "--name", name, "--here", "--json"]),
                    )
                    for name in named
                ]

            return await carried_by_workers(
                started, loop, config, folder=folder, settings=settings, on_event=on_event, history=history, parts=parts
            )

    @contextlib.contextmanager
    def _cluster(self) -> Iterator[Any]:
        try:
            import ray
        except ImportError:
            raise PrerequisiteError(
                "the engine 'ray' needs the package ray", remedy="pip install 'inloop[ray]'"
            ) from None
        if ray.is_initialized():  # the program's own
            yield ray
            return
        try:
            ray.init(self.address or None, logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:
            raise PrerequisiteError(
                f"there is no Ray cluster at {self.address or 'this machine'} ({type(error).__name__}: {error})",
                remedy="start one (`ray start --head`) and give its address, as in --engine ray://HOST:10001, with its token in RAY_AUTH_TOKEN; or leave"
                " the address out.",
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


class _RayTask:
    """A worker in a task of Ray's."""

    def __init__(self, ray: Any, name: str, task: Any) -> None:
        self.name, self.log = name, f"Ray's logs of the task {name}"
        self._ray, self._task = ray, task
        self._code: int | None = None
        self._said, self._how = b"", ""

    @property
    def code(self) -> int | None:
        """Its exit code; None while it works, or waits for a place."""
        if self._code is None and self._ray.wait([self._task], timeout=0)[0]:
            try:
                self._code, self._said = self._ray.get(self._task)
            except Exception as error:
                self._code, self._how = 1, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return self._code

    def how(self) -> str:
        """How it ended, in words."""
        return f"was lost ({self._how})" if self._how else f"ended with exit code {self.code}"

    def error(self) -> InloopError | None:
        """What it said of its failure."""
        return error_in(self._said)

    def ask_to_stop(self) -> None:
        """Have it stop after its step."""
        if self.code is None:
            self._ray.cancel(self._task, force=False)

    end = ask_to_stop


def _task() -> Callable[[Mapping[str, str], list[str]], tuple[int, bytes]]:
    """What runs on a machine of the cluster.

    A function inside of another is sent as it is, so that Ray's own process there need not find inloop: the working folder of the driver is
    the first place where it would look.
    """

    def work(given: Mapping[str, str], arguments: list[str]) -> tuple[int, bytes]:
        import os
        import subprocess
        import sys
        import tempfile
        import time

        own = {name: value for name, value in os.environ.items() if not name.startswith("INLOOP_") or name in kept}
        command = [sys.executable, "-P", "-m", "inloop.app.work.led", *arguments]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, env=own | dict(given))
            assert process.stdin is not None
            try:
                while process.poll() is None:
                    time.sleep(0.2)
            except KeyboardInterrupt:  # how Ray cancels a task
                process.terminate()
                process.wait()
            finally:
                process.stdin.close()
            if process.returncode < 0:
                raise ChildProcessError(f"a worker was ended by signal {-process.returncode}")
            said.seek(0)
            return process.returncode, said.read()

    kept = KEPT
    return work


def _check_store(ray: Any, location: StoreLocation) -> None:
    """Refuse a store that other machines of the cluster do not see.

    Raises:
        PrerequisiteError: it is a folder of this machine.
    """
    others = {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]} - {socket.gethostname()}
    if others and isinstance(location.database, Path):
        raise PrerequisiteError(
            f"the cluster has other machines ({', '.join(sorted(others)[:3])}), which do not see the store {location}",
            remedy="name one that all of them see: --store postgresql://USER@HOST/DB --blobs s3://BUCKET/PREFIX",
        )
