"""`lancedb:///PATH`: files on this machine, found by LanceDB. The default for what must outlive its process.

Invariants:

- One writer at a time, over all processes: a lock on `.writer.lock` is held for each write. LanceDB's own concurrent
  upserts may double a key (lancedb issue 2463). A second writer waits, then gets an error that says who writes.
- A write is one commit of a version: after a kill it is there whole or not at all.
- BM25 over the words of `tools.terms` (LanceDB's full-text index, k1 = 1.2, b = 0.75), so that every store counts alike.
- `manifest.json` is written before the first row that needs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.blobs import disk_problem, write_whole
from ..runtime.errors import BadInput, InloopError, PrerequisiteError
from ..runtime.locks import take
from ..runtime.passages import And, Compare, Filter, In, Manifest, Not, Or, Passage, SpaceName, Value
from .fusion import Ranking
from .index_base import BaseIndex, Row, Vector
from .index_filter import kind_of
from .terms import RAG_REMEDY, terms

if TYPE_CHECKING:
    from ..runtime.protocols import Embedder, TextEmbedder

__all__ = ["LanceIndex"]

_TABLE = "passages"
_TEXTS = ("id", "document", "version", "title", "source", "media")
_NUMBERS = ("page", "part")
_PAGE = 500  # passages read at once
_UNTIDY = 4096  # rows written since the last tidying, after which a write tidies up by itself; more for a large index
_OLD = timedelta(minutes=10)
_ANN_ROWS = 10_000  # vectors from which on they are kept in partitions of about 4,096
_PROBES = 50  # partitions that a search looks through: below about 200,000 vectors all of them, so that it is exact


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
        pa = _pyarrow()
        if manifest != await self._stored():
            write_whole(self.path / "manifest.json", manifest.model_dump_json(indent=1).encode("utf-8"))
        try:
            table = await self._table(manifest)
            data = pa.Table.from_pylist([_columns(row, manifest) for row in rows], schema=_schema(manifest))
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            await merge.execute(data, on_bad_vectors="null")
        except (RuntimeError, OSError, ValueError) as error:
            raise self._broken(error) from error
        self._untidy += len(rows)
        if self._untidy >= self._most:
            await self._tidy()

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        table = await self._table(None)
        if table is None:
            return 0
        gone = 0
        conditions = [_among("id", ids[start : start + 5000]) for start in range(0, len(ids), 5000)]
        conditions += [] if where is None else [_sql(where)]
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
                query = query.where(_sql(where))
            # a row without a vector is never near: no condition, which would read every vector
            found = await query.nprobes(_PROBES).select(["passage", "_distance"]).limit(k).to_list()
            return [(_passage(row), 1.0 - row["_distance"]) for row in found]

        return await self._gathered([one(vector) for vector in vectors])

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        table = await self._table(None)
        if table is None:
            return [[] for _ in texts]
        from lancedb.query import MatchQuery

        async def one(text: str) -> Ranking:
            words = " ".join(terms(text)[:1000])
            if not words:
                return []
            query = table.query().nearest_to_text(MatchQuery(words, "words"))
            if where is not None:
                query = query.where(_sql(where))
            found = await query.select(["passage", "_score"]).limit(k).to_list()
            return [(_passage(row), row["_score"]) for row in found if row["_score"] > 0]

        return await self._gathered([one(text) for text in texts])

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        table = await self._table(None)
        found: dict[str, Passage] = {}
        for start in range(0, len(ids) if table is not None else 0, _PAGE):
            query = table.query().where(_among("id", ids[start : start + _PAGE])).select(["passage"])
            [rows] = await self._gathered([query.to_list()])
            found |= {passage.id: passage for passage in map(_passage, rows)}
        return [found.get(key) for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds."""
        table = await self._table(None)
        if table is None:
            return 0
        [number] = await self._gathered([table.count_rows(None if where is None else _sql(where))])
        return int(number)

    async def iterate(self, where: Filter | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id; the ids of all are held, the passages a page at a time."""
        table = await self._table(None)
        if table is None:
            return
        query = table.query().select(["id"])
        [rows] = await self._gathered([(query if where is None else query.where(_sql(where))).to_arrow()])
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

    async def close(self) -> None:
        """Let go of the files."""
        self._opened = None
        if self._database is not None:
            self._database.close()
            self._database = None

    async def _tidy(self) -> None:
        from lancedb.index import IvfFlat

        table = await self._table(None)
        try:
            await table.optimize(cleanup_older_than=_OLD)
            indexed = {column for index in await table.list_indices() for column in index.columns}
            rows = await table.count_rows()
            vectors = {f"{space}_vector" for space in ("text", "image")} & set((await table.schema()).names)
            for column in sorted(vectors - indexed) if rows >= _ANN_ROWS else ():
                if await table.count_rows(f"{column} IS NOT NULL") >= _ANN_ROWS:
                    await table.create_index(column, config=IvfFlat(distance_type="cosine"))
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
        lancedb = _lancedb()
        if self._database is None:
            # every read looks for the newest version: another process may have written
            self._database = await lancedb.connect_async(str(self.path), read_consistency_interval=timedelta(0))
        if self._opened is None:
            if _TABLE in (await self._database.list_tables()).tables:
                self._opened = await self._database.open_table(_TABLE)
            elif manifest is None:
                return None
            else:
                self._opened = await self._database.create_table(_TABLE, schema=_schema(manifest))
        if manifest is not None:
            await self._furnish(self._opened, manifest)
        return self._opened

    async def _furnish(self, table: Any, manifest: Manifest) -> None:
        """Add the columns and indexes that are missing: the table is new, or was left half made by a kill."""
        from lancedb.index import FTS, BTree

        known = set((await table.schema()).names)
        missing = [field for field in _schema(manifest) if field.name not in known]
        if missing:
            await table.add_columns(_pyarrow().schema(missing))
        indexed = {column for index in await table.list_indices() for column in index.columns}
        if "words" not in indexed:
            plain = FTS(
                base_tokenizer="whitespace",
                lower_case=False,
                stem=False,
                remove_stop_words=False,
                ascii_folding=False,
                max_token_length=None,
                with_position=False,
            )
            await table.create_index("words", config=plain)
        if "id" not in indexed:
            await table.create_index("id", config=BTree())

    async def _gathered(self, pending: Sequence[Any]) -> list[Any]:
        """All results in order, four at a time; what LanceDB raises becomes ours."""
        gate = asyncio.Semaphore(4)

        async def one(waited: Any) -> Any:
            async with gate:
                return await waited

        try:
            return await asyncio.gather(*(one(waited) for waited in pending))
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


def _lancedb() -> Any:
    try:
        import lancedb
    except ImportError as error:
        raise PrerequisiteError(f"a lancedb index needs the package lancedb: {error}", remedy=RAG_REMEDY) from None
    return lancedb


def _pyarrow() -> Any:
    _lancedb()
    import pyarrow

    return pyarrow


def _schema(manifest: Manifest) -> Any:
    pa = _pyarrow()
    fields = [pa.field(name, pa.string()) for name in _TEXTS]
    fields += [pa.field(name, pa.int64()) for name in _NUMBERS]
    fields += [pa.field("meta", pa.json_()), pa.field("words", pa.string()), pa.field("passage", pa.string())]
    for name in ("text", "image"):
        space = getattr(manifest, name)
        if space is not None:
            fields.append(pa.field(f"{name}_vector", pa.list_(pa.float32(), space.dimension)))
    return pa.schema(fields)


def _columns(row: Row, manifest: Manifest) -> dict[str, Any]:
    passage = row.passage
    columns: dict[str, Any] = {name: getattr(passage, name) for name in (*_TEXTS, *_NUMBERS)}
    # a name says the type of its value, for the JSON functions take "1" for 1
    columns["meta"] = json.dumps({f"{kind_of(value)} {name}": value for name, value in passage.meta.items()})
    columns |= {"words": " ".join(terms(passage.indexed)), "passage": passage.model_dump_json()}
    for name in ("text", "image"):
        if getattr(manifest, name) is not None:
            columns[f"{name}_vector"] = getattr(row, name)
    return columns


def _passage(row: dict[str, Any]) -> Passage:
    return Passage.model_validate_json(row["passage"])


_SIGNS = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _sql(where: Filter) -> str:
    """A filter as a condition of DataFusion's SQL that is true or false, never unknown."""
    match where:
        case And(of=of):
            return "(" + (" AND ".join(map(_sql, of)) or "true") + ")"
        case Or(of=of):
            return "(" + (" OR ".join(map(_sql, of)) or "false") + ")"
        case Not(of=inner):
            return f"(NOT {_sql(inner)})"
        case In(field=field, values=values):
            return "(" + (" OR ".join(_compared(field, "eq", value) for value in values) or "false") + ")"
        case Compare(field=field, op="ne", value=value):
            return f"(NOT {_compared(field, 'eq', value)})"
        case Compare(field=field, op=op, value=value):
            return _compared(field, op, value)


def _compared(field: str, op: str, value: Value) -> str:
    kind = kind_of(value)
    if field.startswith("meta."):
        reader = {"bool": "json_get_bool", "number": "json_get_float", "text": "json_get_string"}[kind]
        side = f"{reader}(meta, {_literal(f'{kind} {field[5:]}')})"
    elif kind != ("text" if field in _TEXTS else "number"):
        return "false"
    else:
        side = field
    return f"coalesce({side} {_SIGNS[op]} {_literal(value)}, false)"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def _among(field: str, values: Sequence[str]) -> str:
    return f"{field} IN ({', '.join(map(_literal, values))})" if values else "false"
