"""`postgresql://HOST/DB?name=NAME`: PostgreSQL with the extension pgvector.

A write is one transaction under an advisory lock, so any number of processes may write. Vectors are compared one by one
(exact); BM25 (k1 = 1.2, b = 0.75) is computed in SQL from a table of postings, over the words of `tools.documents.terms`.
"""

from __future__ import annotations

import asyncio
import json
import re
import urllib.parse
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.passages import And, Compare, Filter, In, Manifest, Not, Or, Passage, SpaceName, Value
from ..documents import terms
from .base import BaseIndex, Row, Vector
from .filter import kind_of
from .fusion import Ranking

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, TextEmbedder

__all__ = ["PostgresIndex"]

_TEXTS = ("id", "document", "version", "title", "source", "media")
_PAGE = 500
_SIGNS = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}

_TABLES = """
CREATE TABLE IF NOT EXISTS {name}_manifest (one bool PRIMARY KEY DEFAULT true CHECK (one), manifest text NOT NULL);
CREATE TABLE IF NOT EXISTS {name} (
    id text COLLATE "C" PRIMARY KEY, document text COLLATE "C" NOT NULL, version text COLLATE "C" NOT NULL,
    title text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, media text COLLATE "C" NOT NULL,
    page bigint, part bigint NOT NULL, meta jsonb NOT NULL, passage text NOT NULL, length int NOT NULL);
CREATE INDEX IF NOT EXISTS {name}_document ON {name} (document);
CREATE TABLE IF NOT EXISTS {name}_postings (
    term text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL REFERENCES {name} ON DELETE CASCADE, tf int NOT NULL,
    PRIMARY KEY (term, id));
CREATE INDEX IF NOT EXISTS {name}_postings_id ON {name}_postings (id);
"""

_BM25 = """
WITH q AS (SELECT * FROM unnest(%s::text[], %s::int[]) AS q (term, n)),
     s AS (SELECT count(*)::float8 AS docs, greatest(avg(length), 1)::float8 AS mean FROM {name} WHERE length > 0),
     d AS (SELECT p.term, count(*)::float8 AS df FROM {name}_postings p JOIN q USING (term) GROUP BY p.term),
     r AS (SELECT x.id, sum(q.n * ln(1 + (s.docs - d.df + 0.5) / (d.df + 0.5)) * 2.2 * p.tf
                           / (p.tf + 1.2 * (0.25 + 0.75 * x.length / s.mean))) AS score
           FROM {name}_postings p JOIN q USING (term) JOIN d USING (term) JOIN {name} x ON x.id = p.id CROSS JOIN s
           WHERE {where} GROUP BY x.id ORDER BY score DESC, x.id LIMIT %s)
SELECT x.passage, r.score FROM r JOIN {name} x ON x.id = r.id
"""


class PostgresIndex(BaseIndex):
    """See `tools.index.open_index`. `patience`: seconds to wait for another writer."""

    def __init__(
        self,
        url: str,
        *,
        text: TextEmbedder | None = None,
        image: Embedder | None = None,
        chunker: str = "",
        patience: float = 60.0,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        options = dict(urllib.parse.parse_qsl(parts.query))
        self._name = options.pop("name", "inloop_passages")
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", self._name):
            raise BadInput(f"name={self._name!r} must be lower-case letters, digits and _, such as name=docs.")
        self._dsn = parts._replace(query=urllib.parse.urlencode(options)).geturl()
        bare = parts.netloc.rpartition("@")
        user = f"{bare[0].partition(':')[0]}@" if bare[0] else ""
        super().__init__(parts._replace(netloc=user + bare[2]).geturl(), text=text, image=image, chunker=chunker)
        self._patience = patience
        self._reader: Any = None
        self._writer: Any = None
        self._writers, self._readers = asyncio.Lock(), asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                await connection.close()
        self._reader = self._writer = None

    async def _stored(self) -> Manifest | None:
        [(there,)] = await self._rows("SELECT to_regclass(%s)", (f"{self._name}_manifest",))
        if there is None:
            return None
        found = await self._rows(f"SELECT manifest FROM {self._name}_manifest", ())
        return Manifest.model_validate_json(found[0][0]) if found else None

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        async with self._writers:
            with self._ours():
                if self._writer is None:
                    self._writer = await _connect(self._dsn, self.url)
                async with self._writer.transaction():
                    await self._writer.execute(f"SET LOCAL lock_timeout = {int(self._patience * 1000)}")
                    await self._writer.execute("SELECT pg_advisory_xact_lock(%s)", (zlib.crc32(self._name.encode()),))
                    yield

    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        do = self._writer.execute
        if manifest != await self._stored():
            await self._furnish(manifest)
        vectors = [name for name in ("text", "image") if getattr(manifest, name)]
        columns = [*_TEXTS, "page", "part", "meta", "passage", "length", *(f"{name}_vector" for name in vectors)]
        values = []
        postings: list[tuple[str, str, int]] = []
        for row in rows:
            passage = row.passage
            counts = Counter(terms(passage.indexed, manifest.terms))
            postings += [(word, passage.id, number) for word, number in counts.items()]
            # a name says the type of its value, as in the filters
            meta = json.dumps({f"{kind_of(value)} {name}": value for name, value in passage.meta.items()})
            own = [getattr(passage, name) for name in (*_TEXTS, "page", "part")]
            packed = [None if (v := getattr(row, name)) is None else str(list(v)) for name in vectors]
            values.append((*own, meta, passage.model_dump_json(), counts.total(), *packed))
        set_ = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
        places = ", ".join(["%s"] * len(columns))
        await do(f"DELETE FROM {self._name}_postings WHERE id = ANY(%s)", ([row.passage.id for row in rows],))
        async with self._writer.cursor() as cursor:
            await cursor.executemany(
                f"INSERT INTO {self._name} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT (id) DO UPDATE SET {set_}",
                values,
            )
            async with cursor.copy(f"COPY {self._name}_postings (term, id, tf) FROM STDIN") as copy:
                for posting in postings:
                    await copy.write_row(posting)

    async def _furnish(self, manifest: Manifest) -> None:
        """Make the tables, or add the columns of a new kind of vectors, and keep the manifest; all in one transaction."""
        do = self._writer.execute
        await do("CREATE EXTENSION IF NOT EXISTS vector")
        for statement in _TABLES.format(name=self._name).split(";\n"):
            if statement.strip():
                await do(statement)
        for name in ("text", "image"):
            if space := getattr(manifest, name):
                await do(f"ALTER TABLE {self._name} ADD COLUMN IF NOT EXISTS {name}_vector vector({space.dimension})")
        await self._keep(manifest)

    async def _keep(self, manifest: Manifest) -> None:
        await self._writer.execute(
            f"INSERT INTO {self._name}_manifest (manifest) VALUES (%s) ON CONFLICT (one) DO UPDATE SET"
            " manifest = excluded.manifest",
            (manifest.model_dump_json(),),
        )

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        condition, given = ("false", []) if where is None else _sql(where)
        done = await self._writer.execute(
            f"DELETE FROM {self._name} x WHERE x.id = ANY(%s) OR {condition}", (list(ids), *given)
        )
        return int(done.rowcount)

    async def _near(self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None) -> list[Ranking]:
        column = f"{space}_vector"
        condition, given = ("true", []) if where is None else _sql(where)
        found = []
        for vector in vectors:
            rows = await self._rows(
                f"SELECT passage, 1 - ({column} <=> %s::vector) AS cosine FROM {self._name} x"
                f" WHERE {column} IS NOT NULL AND {condition} ORDER BY cosine DESC, id LIMIT %s",
                (str(list(vector)), *given, k),
            )
            found.append([(Passage.model_validate_json(text), float(score)) for text, score in rows])
        return found

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        condition, given = ("true", []) if where is None else _sql(where)
        found = []
        for text in texts:
            counts = Counter(self._terms(text))
            query = _BM25.format(name=self._name, where=condition)
            rows = await self._rows(query, (list(counts), list(counts.values()), *given, k)) if counts else []
            found.append([(Passage.model_validate_json(text), float(score)) for text, score in rows])
        return found

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        await self._refresh()
        if self._manifest is None:
            return [None for _ in ids]
        rows = await self._rows(f"SELECT passage FROM {self._name} WHERE id = ANY(%s)", (list(ids),))
        found = {passage.id: passage for (text,) in rows for passage in [Passage.model_validate_json(text)]}
        return [found.get(key) for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds."""
        await self._refresh()
        if self._manifest is None:
            return 0
        condition, given = ("true", []) if where is None else _sql(where)
        [(number,)] = await self._rows(f"SELECT count(*) FROM {self._name} x WHERE {condition}", given)
        return int(number)

    async def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id, a page at a time; with `without` only those that hold no vector of that kind."""
        await self._refresh()
        condition, given = ("true", []) if where is None else _sql(where)
        if without is not None and getattr(self._manifest, without, None) is not None:
            condition = f"{condition} AND x.{without}_vector IS NULL"
        last = ""
        while self._manifest is not None:
            rows = await self._rows(
                f"SELECT passage FROM {self._name} x WHERE x.id > %s AND {condition} ORDER BY x.id LIMIT {_PAGE}",
                (last, *given),
            )
            for (text,) in rows:
                passage = Passage.model_validate_json(text)
                last = passage.id
                yield passage
            if len(rows) < _PAGE:
                return

    async def optimise(self) -> None:
        """Let PostgreSQL count anew, for better plans."""
        await self._refresh()
        if self._manifest is not None:
            async with self._writing():
                await self._writer.execute(f"ANALYZE {self._name}, {self._name}_postings")

    async def size(self) -> int | None:
        """Bytes of the tables with what is kept beside them."""
        await self._refresh()
        if self._manifest is None:
            return None
        tables = [self._name, f"{self._name}_postings", f"{self._name}_manifest"]
        [(number,)] = await self._rows(
            "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest(%s::text[]) t", (tables,)
        )
        return int(number)

    async def _rows(self, query: str, given: Sequence[Any]) -> list[Any]:
        async with self._readers:
            with self._ours():
                if self._reader is None:
                    self._reader = await _connect(self._dsn, self.url)
                return list(await (await self._reader.execute(query, given)).fetchall())

    def _ours(self) -> Any:
        return _Ours(self)


class _Ours:
    """What psycopg raises inside becomes our error."""

    def __init__(self, index: PostgresIndex) -> None:
        self._index = index

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        import psycopg

        if isinstance(error, psycopg.errors.LockNotAvailable):
            raise PrerequisiteError(
                f"another process is writing to the index {self._index.url!r}", remedy="wait until it has ended."
            ) from error
        if isinstance(error, psycopg.errors.DataError):
            raise BadInput(f"PostgreSQL cannot hold that: {error}.") from error
        if isinstance(error, psycopg.Error):
            remedy = "start the server, or check the address, the rights and that the extension pgvector is installed."
            raise PrerequisiteError(
                f"PostgreSQL at {self._index.url!r}: {str(error).strip()[:400]}", remedy=remedy
            ) from error


async def _connect(dsn: str, url: str) -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise PrerequisiteError(
            f"an index in PostgreSQL needs the package psycopg: {error}",
            remedy="install the extra: pip install 'inloop[pgvector]'",
        ) from None
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=15)


def _sql(where: Filter) -> tuple[str, list[Any]]:
    """A filter as a condition that is true or false, never unknown, and its parameters."""
    match where:
        case And(of=of):
            return _joined(" AND ", "true", [_sql(one) for one in of])
        case Or(of=of):
            return _joined(" OR ", "false", [_sql(one) for one in of])
        case Not(of=inner):
            condition, given = _sql(inner)
            return f"(NOT {condition})", given
        case In(field=field, values=values):
            return _joined(" OR ", "false", [_compared(field, "eq", value) for value in values])
        case Compare(field=field, op="ne", value=value):
            condition, given = _compared(field, "eq", value)
            return f"(NOT {condition})", given
        case Compare(field=field, op=op, value=value):
            return _compared(field, op, value)


def _joined(word: str, empty: str, parts: list[tuple[str, list[Any]]]) -> tuple[str, list[Any]]:
    return f"({word.join(text for text, _ in parts) or empty})", [value for _, given in parts for value in given]


def _compared(field: str, op: str, value: Value) -> tuple[str, list[Any]]:
    kind = kind_of(value)
    type_ = {"bool": "bool", "number": "float8", "text": "text"}[kind]
    shown: Any = float(value) if kind == "number" else value
    if field.startswith("meta."):
        collate = ' COLLATE "C"' if kind == "text" else ""
        return f"coalesce((x.meta ->> %s)::{type_}{collate} {_SIGNS[op]} %s, false)", [f"{kind} {field[5:]}", shown]
    if kind != ("text" if field in _TEXTS else "number"):
        return "false", []
    return f"coalesce(x.{field}{'::float8' if kind == 'number' else ''} {_SIGNS[op]} %s, false)", [shown]
