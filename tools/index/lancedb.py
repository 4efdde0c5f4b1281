"""`lancedb:///PATH`: files on this machine, found by LanceDB. The default for what must outlive its process.

Invariants:

- One writer at a time, over all processes: a lock on `.writer.lock` is held for each write. LanceDB's own concurrent
  upserts may double a key (lancedb issue 2463). A second writer waits, then gets an error that says who writes.
- A write is one commit of a version: after a kill it is there whole or not at all.
- BM25 over the words of `tools.documents.terms` (LanceDB's full-text index, k1 = 1.2, b = 0.75), so that every store counts alike.
- `manifest.json` is written before the first row that needs it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, InloopError, PrerequisiteError
from ...runtime.passages import Filter, Manifest, Passage, SpaceName
from ...runtime.session import settled
from ...runtime.storage import disk_problem, take, write_whole
from .base import BaseIndex, Row, Vector
from .contents import folder_size
from .fusion import Ranking
from .lancedb_sql import among, sql_of
from .lancedb_table import PROBES, columns_of, furnish, lancedb_package, passage_of, pyarrow_package, schema_of, tidy

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, TextEmbedder

__all__ = ["LanceIndex"]

_TABLE = "passages"
_PAGE = 500  # passages read at once
_UNTIDY = 4096  # rows written since the last tidying, after which a write tidies up by itself; more for a large index


class LanceIndex(BaseIndex):
    """See `tools.index.open_index`. `patience`: seconds to wait for another writer."""

    def __init__(
        self,
        url: str,
        path: Path,
        *,
        text: TextEmbedder | None = None,
        image: Embedder | None = None,
        chunker: str = "",
        patience: float = 60.0,
    ) -> None:
        super().__init__(url, text=text, image=image, chunker=chunker)
        self.path = path
        self._patience = patience
        self._database: Any = None
        self._opened: Any = None
        self._untidy, self._most = 0, _UNTIDY

    async def _stored(self) -> Manifest | None:
        try:
            return Manifest.model_validate_json((self.path / "manifest.json").read_bytes())
        except FileNotFoundError:
            if self.path.is_dir() and any(self.path.glob("*.lance")):
                raise BadInput(
                    f"{str(self.path)!r} is a LanceDB folder that inloop did not make (no manifest.json): give another one."
                ) from None
            return None
        except NotADirectoryError:
            raise BadInput(f"{str(self.path)!r} is a file: an index needs a folder of its own.") from None
        except OSError as error:
            raise disk_problem(error, self.path) from error
        except ValueError as error:
            raise PrerequisiteError(
                f"{self.path / 'manifest.json'} cannot be read: {error}",
                remedy="restore the file, or index again into a new folder.",
            ) from None

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        lock = self.path / ".writer.lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise disk_problem(error, lock) from error
        try:
            if not await asyncio.to_thread(take, descriptor, self._patience):
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
                raise PrerequisiteError(
                    f"{holder} is writing to the index {str(self.path)!r}, and has been for {self._patience:g} seconds",
                    remedy="wait until it has ended, or stop it; what is finished is kept.",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        pa = pyarrow_package()
        if manifest != await self._stored():
            await self._keep(manifest)
        try:
            table = await self._table(manifest)
            data = pa.Table.from_pylist([columns_of(row, manifest) for row in rows], schema=schema_of(manifest))
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            await merge.execute(data, on_bad_vectors="null")
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error
        self._untidy += len(rows)
        if self._untidy >= self._most:
            await self._tidy()

    async def _keep(self, manifest: Manifest) -> None:
        write_whole(self.path / "manifest.json", manifest.model_dump_json(indent=1).encode("utf-8"))

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        table = await self._table(None)
        if table is None:
            return 0
        gone = 0
        conditions = [among("id", ids[start : start + 5000]) for start in range(0, len(ids), 5000)]
        conditions += [] if where is None else [sql_of(where)]
        try:
            for condition in conditions:
                count = await table.count_rows(condition)
                if count:
                    await table.delete(condition)
                gone += count
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error
        return gone

    async def _near(self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None) -> list[Ranking]:
        table = await self._table(None)
        if table is None:
            return [[] for _ in vectors]

        async def one(vector: Vector) -> Ranking:
            query = table.query().nearest_to(list(vector)).column(f"{space}_vector").distance_type("cosine")
            if where is not None:
                query = query.where(sql_of(where))
            # a row without a vector is never near: no condition, which would read every vector
            found = await query.nprobes(PROBES).select(["passage", "_distance"]).limit(k).to_list()
            return [(passage_of(row), 1.0 - row["_distance"]) for row in found]

        return await self._gathered([one(vector) for vector in vectors])

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        table = await self._table(None)
        if table is None:
            return [[] for _ in texts]
        from lancedb.query import MatchQuery

        async def one(text: str) -> Ranking:
            words = " ".join(self._terms(text)[:1000])
            if not words:
                return []
            query = table.query().nearest_to_text(MatchQuery(words, "words"))
            if where is not None:
                query = query.where(sql_of(where))
            found = await query.select(["passage", "_score"]).limit(k).to_list()
            return [(passage_of(row), row["_score"]) for row in found if row["_score"] > 0]

        return await self._gathered([one(text) for text in texts])

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        table = await self._table(None)
        found: dict[str, Passage] = {}
        for start in range(0, len(ids) if table is not None else 0, _PAGE):
            query = table.query().where(among("id", ids[start : start + _PAGE])).select(["passage"])
            [rows] = await self._gathered([query.to_list()])
            found |= {passage.id: passage for passage in map(passage_of, rows)}
        return [found.get(key) for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds."""
        table = await self._table(None)
        if table is None:
            return 0
        [number] = await self._gathered([table.count_rows(None if where is None else sql_of(where))])
        return int(number)

    async def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id; the ids of all are held, the passages a page at a time."""
        table = await self._table(None)
        if table is None:
            return
        conditions = [] if where is None else [sql_of(where)]
        if without is not None and (column := f"{without}_vector") in (await table.schema()).names:
            conditions.append(f"{column} IS NULL")
        query = table.query().select(["id"])
        [rows] = await self._gathered([(query.where(" AND ".join(conditions)) if conditions else query).to_arrow()])
        ids = sorted(rows.column("id").to_pylist())
        for start in range(0, len(ids), _PAGE):
            for passage in await self.get(ids[start : start + _PAGE]):
                if passage is not None:
                    yield passage

    async def optimise(self) -> None:
        """Join small files, index what was added, and drop what was deleted more than ten minutes ago."""
        if await self._table(None) is not None:
            async with self._writing():
                await self._tidy()

    async def size(self) -> int | None:
        """Bytes of the folder's files."""
        return folder_size(self.path)

    async def close(self) -> None:
        """Let go of the files."""
        self._opened = None
        if self._database is not None:
            self._database.close()
            self._database = None

    async def _tidy(self) -> None:
        table = await self._table(None)
        try:
            rows = await tidy(table)
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error
        # tidying rewrites the files: done each time the index has grown by half, filling it takes time in proportion
        self._untidy, self._most = 0, max(_UNTIDY, rows // 2)

    async def _table(self, manifest: Manifest | None) -> Any:
        """The table, made or widened to hold what `manifest` says; without one None where there is no table."""
        if self._database is None and manifest is None and not self.path.is_dir():
            return None
        try:
            return await self._made(manifest)
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error

    async def _made(self, manifest: Manifest | None) -> Any:
        lancedb = lancedb_package()
        if self._database is None:
            # every read looks for the newest version: another process may have written
            self._database = await lancedb.connect_async(str(self.path), read_consistency_interval=timedelta(0))
        if self._opened is None:
            if _TABLE in (await self._database.list_tables()).tables:
                self._opened = await self._database.open_table(_TABLE)
            elif manifest is None:
                return None
            else:
                self._opened = await self._database.create_table(_TABLE, schema=schema_of(manifest))
        if manifest is not None:
            await furnish(self._opened, manifest)
        return self._opened

    async def _gathered(self, pending: Sequence[Any]) -> list[Any]:
        """All results in order, four at a time; what LanceDB raises becomes ours."""
        gate = asyncio.Semaphore(4)

        async def one(waited: Any) -> Any:
            async with gate:
                return await waited

        try:
            return await settled([one(waited) for waited in pending])
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> InloopError:
        if isinstance(error, InloopError):
            return error
        if isinstance(error, OSError) and error.errno is not None:
            return disk_problem(error, self.path)
        return PrerequisiteError(
            f"LanceDB cannot work on {str(self.path)!r}: {str(error)[:500]}",
            remedy="check that the folder is whole and that there is space on the disk; else index again into a new one.",
        )
