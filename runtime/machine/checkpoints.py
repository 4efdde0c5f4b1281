"""Where the checkpoints of graphs are kept: an SQLite file, or Postgres by its URL."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ..errors import PrerequisiteError, RunnerError
from ..storage import disk_problem, is_postgres
from ..urls import without_secret

__all__ = ["Checkpoints"]


class Checkpoints:
    """Where checkpoints are kept: an SQLite file, or Postgres by its URL; one for many `Runner`s of a process.

    Use it as `async with Checkpoints(path) as checkpoints:`. `run`: the run whose threads they are, where several runs share the place.

    Raises:
        BadInput: on entering: a URL with a password.
        PrerequisiteError: on entering: the file or the server cannot be used, or the driver is not installed.
    """

    def __init__(self, target: Path | str, *, run: str = "") -> None:
        self.target, self.run = target, run
        self._saver: BaseCheckpointSaver[Any] | None = None
        self._open = contextlib.AsyncExitStack()

    @property
    def place(self) -> str:
        """The target without a password."""
        return without_secret(str(self.target))

    @property
    def saver(self) -> BaseCheckpointSaver[Any]:
        """LangGraph's checkpointer."""
        if self._saver is None:
            raise RunnerError(f"the checkpoints {self.place} are not open: use `async with Checkpoints(...)`.")
        return self._saver

    def thread(self, id: str) -> str:
        """What LangGraph knows the thread `id` by: with the run's id, where there is one."""
        return f"{self.run}/{id}" if self.run else id

    async def __aenter__(self) -> Checkpoints:
        enter = self._postgres if is_postgres(self.target) else self._sqlite
        self._saver = await self._open.enter_async_context(enter())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._saver = None
        await self._open.aclose()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """SQLite's errors about the disk and the file, told with their remedy."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise PrerequisiteError(
                f"the checkpoints {self.place} cannot be used (SQLite: {error})",
                remedy="check the rights and the space on its folder, then resume; a damaged file can only be removed.",
            ) from error

    @contextlib.asynccontextmanager
    async def _sqlite(self) -> AsyncIterator[BaseCheckpointSaver[Any]]:
        import aiosqlite
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        path = Path(self.target)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, path) from error
        with self.explained():
            connection = await aiosqlite.connect(path)
        try:
            saver = AsyncSqliteSaver(connection, serde=_serializer())
            with self.explained():
                await connection.execute("PRAGMA busy_timeout = 60000")
                await saver.setup()
                await connection.execute("PRAGMA synchronous = FULL")
            yield saver
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def _postgres(self) -> AsyncIterator[BaseCheckpointSaver[Any]]:
        try:
            from .postgres_checkpoints import postgres_saver
        except ImportError as error:
            raise PrerequisiteError(
                f"checkpoints in Postgres ({self.place}) need a package that is not installed ({error.name})",
                remedy="pip install 'inloop[postgres]'",
            ) from None
        async with postgres_saver(str(self.target), _serializer()) as saver:
            yield saver


def _serializer() -> JsonPlusSerializer:
    """Revives no types but LangGraph's own, whatever was imported first."""
    return JsonPlusSerializer(allowed_msgpack_modules=None)
