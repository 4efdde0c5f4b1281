"""Checkpoints in PostgreSQL by LangGraph's saver, in the schema of the store; a lost connection is made anew."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from ..storage import PostgresDatabase, Tables

__all__ = ["postgres_saver"]

T = TypeVar("T")
_PATIENCE = 60.0  # seconds
_TABLES = Tables(name="checkpoints", what="the checkpoints", version=1, statements="", lost="runs begin anew")


class _Saver(AsyncPostgresSaver):  # type: ignore[misc,unused-ignore]
    """LangGraph's, which tries again where a connection was lost: whatever it writes may be written twice."""

    database: PostgresDatabase

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._patiently(partial(super().aget_tuple, config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await self._patiently(partial(super().aput, config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._patiently(partial(super().aput_writes, config, writes, task_id, task_path))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        deadline, pause = time.monotonic() + _PATIENCE, 0.05
        with self.database.explained():
            while True:
                try:
                    return await work()
                except psycopg.OperationalError:
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, 2.0)


@asynccontextmanager
async def postgres_saver(url: str, serde: SerializerProtocol) -> AsyncIterator[AsyncPostgresSaver]:
    """The saver at `postgresql://user@host/db?schema=NAME`, its tables made where they are not there.

    Raises:
        BadInput: a URL that cannot be used, or that holds a password.
        PrerequisiteError: the server cannot be used.
    """
    database = PostgresDatabase(url, _TABLES)
    address = database.address

    async def begin(connection: Any) -> None:
        for statement in address.settings(durable=True):
            await connection.execute(statement)

    # before the pool, which would try for long where there is no server
    alone = await asyncio.to_thread(database.opened)
    try:
        pool: Any = AsyncConnectionPool(
            address.dsn,
            kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row, "application_name": "inloop"},
            configure=begin, check=AsyncConnectionPool.check_connection, min_size=1, max_size=4, open=False,
        )  # fmt: skip
        async with pool:
            saver = _Saver(pool, serde=serde)
            saver.database = database
            with database.explained():
                # tried and not waited for: LangGraph makes its indexes concurrently, which waits for whoever waits for a lock
                number = zlib.crc32(f"{address.schema}.{_TABLES.name}".encode())
                while not alone.execute("SELECT pg_try_advisory_lock(?)", (number,)).fetchone()[0]:
                    await asyncio.sleep(0.05)
                await saver.setup()
            alone.close()
            yield saver
    finally:
        alone.close()
