"""`qdrant://HOST[:PORT]/NAME` (a Qdrant server) and `qdrant+file:///PATH` (its local mode, for small collections).

BM25 as sparse vectors: the server weighs terms by how rare they are (its IDF modifier), the saturation by term frequency
and length is put in here with a fixed mean length, since a collection's own is not known when a passage is written.
Texts have no order in Qdrant's filters: lt, le, gt and ge of a text are refused. In local mode one process at a time
has the folder. The key of a server comes from QDRANT_API_KEY.
"""

from __future__ import annotations

import asyncio
import os
import urllib.parse
import uuid
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.http import direct_routes
from ...runtime.passages import SPACES, And, Compare, Filter, In, Manifest, Not, Or, Passage, SpaceName, Value
from ..documents import terms
from .base import BaseIndex, Row, Vector
from .contents import folder_size
from .filter import kind_of
from .fusion import Ranking

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, TextEmbedder

__all__ = ["QdrantIndex"]

_TEXTS = ("id", "document", "version", "title", "source", "media")
_K1, _B, _MEAN_LENGTH = 1.2, 0.75, 100.0
_PAGE = 500
_MANIFEST_ID = 0


class QdrantIndex(BaseIndex):
    """See `tools.index.open_index`."""

    def __init__(
        self,
        url: str,
        *,
        path: Path | None = None,
        text: TextEmbedder | None = None,
        image: Embedder | None = None,
        chunker: str = "",
    ) -> None:
        super().__init__(url, text=text, image=image, chunker=chunker)
        parts = urllib.parse.urlsplit(url)
        self._name = "passages" if path is not None else parts.path.strip("/") or "inloop"
        self._path, self._server = path, parts
        self._connected: Any = None
        self._writers = asyncio.Lock()

    async def close(self) -> None:
        """Close the connection, or let go of the folder."""
        if self._connected is not None:
            await self._connected.close()
            self._connected = None

    def _writing(self) -> AbstractAsyncContextManager[None]:
        return self._writers  # ids are keys: two processes that write one passage leave one of the two

    async def _stored(self) -> Manifest | None:
        if self._path is not None and self._connected is None and not self._path.is_dir():
            return None
        if not await self._call("collection_exists", f"{self._name}.manifest"):
            return None
        found = await self._call("retrieve", f"{self._name}.manifest", ids=[_MANIFEST_ID], with_payload=True)
        return Manifest.model_validate(found[0].payload) if found else None

    async def _write(self, rows: Sequence[Row], manifest: Manifest) -> None:
        models = _models()
        await self._furnish(manifest)
        if manifest != await self._stored():
            await self._keep(manifest)
        points = [
            models.PointStruct(id=_key(r.passage.id), vector=_vectors(r, manifest.terms), payload=_payload(r))
            for r in rows
        ]
        await self._call("upsert", self._name, points=points, wait=True)

    async def _keep(self, manifest: Manifest) -> None:
        point = _models().PointStruct(id=_MANIFEST_ID, vector={}, payload=manifest.model_dump(mode="json"))
        await self._call("upsert", f"{self._name}.manifest", points=[point], wait=True)

    async def embeds(self) -> frozenset[SpaceName]:
        """The kinds of vectors that a passage gets when it is put in now.

        Raises:
            BadInput: a passage would not get vectors of a kind that are held, or the collection cannot take those that it would.
        """
        kinds = await super().embeds()
        if self._manifest is not None:
            self._refuse_new(kinds, await self._kinds())
        return kinds

    async def _kinds(self) -> set[str]:
        """The kinds of vectors that the collection was made for."""
        return set((await self._call("get_collection", self._name)).config.params.vectors or {})

    def _refuse_new(self, wanted: Collection[str], held: Collection[str]) -> None:
        for name in wanted:
            if name not in held:
                raise BadInput(
                    f"the index {self.url!r} was begun without {name} vectors, and Qdrant cannot add them to a collection:"
                    " index anew under another name, with both embedders from the start."
                )

    async def _furnish(self, manifest: Manifest) -> None:
        """Make the collections. The kinds of vectors cannot be added to later, so all that may come are asked for."""
        models = _models()
        if not await self._call("collection_exists", self._name):
            sizes = {name: space.dimension for name in ("text", "image") if (space := getattr(manifest, name))}
            if self._text is not None and "text" not in sizes:
                sizes["text"] = len((await self._text.texts(["a"]))[0])
            if self._image is not None and "image" not in sizes:
                sizes["image"] = len((await self._image.texts(["a"]))[0])
            await self._call(
                "create_collection",
                self._name,
                vectors_config={
                    name: models.VectorParams(size=size, distance=models.Distance.COSINE)
                    for name, size in sizes.items()
                },
                sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
        self._refuse_new([name for name in SPACES if getattr(manifest, name) is not None], await self._kinds())
        if not await self._call("collection_exists", f"{self._name}.manifest"):
            await self._call("create_collection", f"{self._name}.manifest", vectors_config={})

    async def _remove(self, ids: Sequence[str], where: Filter | None) -> int:
        models = _models()
        gone = 0
        for start in range(0, len(ids), _PAGE):
            some = [_key(key) for key in ids[start : start + _PAGE]]
            there = [point.id for point in await self._call("retrieve", self._name, ids=some, with_payload=False)]
            if there:
                selector = models.PointIdsList(points=there)
                await self._call("delete", self._name, points_selector=selector, wait=True)
            gone += len(there)
        if where is not None:
            number = await self.count(where)
            if number:
                selector = models.FilterSelector(filter=_filter(where))
                await self._call("delete", self._name, points_selector=selector, wait=True)
            gone += number
        return gone

    async def _near(self, space: SpaceName, vectors: Sequence[Vector], k: int, where: Filter | None) -> list[Ranking]:
        return [await self._found(list(vector), space, k, where) for vector in vectors]

    async def _worded(self, texts: Sequence[str], k: int, where: Filter | None) -> list[Ranking]:
        found: list[Ranking] = []
        for text in texts:
            counts = Counter(_term(word) for word in self._terms(text))
            sparse = _models().SparseVector(indices=list(counts), values=[float(n) for n in counts.values()])
            found.append(await self._found(sparse, "words", k, where) if counts else [])
        return found

    async def _found(self, query: Any, using: str, k: int, where: Filter | None) -> Ranking:
        condition = None if where is None else _filter(where)
        answer = await self._call(
            "query_points",
            self._name,
            query=query,
            using=using,
            query_filter=condition,
            limit=k,
            with_payload=["passage"],
        )
        found = [(_passage(point), float(point.score)) for point in answer.points]
        return [one for one in found if using != "words" or one[1] > 0]

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        await self._refresh()
        found: dict[str, Passage] = {}
        for start in range(0, len(ids) if self._manifest else 0, _PAGE):
            some = [_key(key) for key in ids[start : start + _PAGE]]
            points = await self._call("retrieve", self._name, ids=some, with_payload=["passage"])
            found |= {passage.id: passage for passage in map(_passage, points)}
        return [found.get(key) for key in ids]

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds."""
        await self._refresh()
        if self._manifest is None:
            return 0
        condition = None if where is None else _filter(where)
        return int((await self._call("count", self._name, count_filter=condition, exact=True)).count)

    async def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id; the ids of all are held, the passages a page at a time."""
        await self._refresh()
        condition = None if where is None else _filter(where)
        if without is not None and self._manifest is not None and without in await self._kinds():
            models = _models()
            bare = models.Filter(must_not=[models.HasVectorCondition(has_vector=without)])
            condition = bare if condition is None else models.Filter(must=[condition, bare])
        ids: list[str] = []
        offset: Any = None
        while self._manifest is not None:
            points, offset = await self._call(
                "scroll", self._name, scroll_filter=condition, limit=2000, offset=offset, with_payload=["id"]
            )
            ids += [point.payload["id"] for point in points]
            if offset is None:
                break
        ids.sort()
        for start in range(0, len(ids), _PAGE):
            for passage in await self.get(ids[start : start + _PAGE]):
                if passage is not None:
                    yield passage

    async def size(self) -> int | None:
        """Bytes of the folder's files in local mode; a server does not say."""
        return folder_size(self._path) if self._path is not None else None

    async def _call(self, name: str, *args: Any, **given: Any) -> Any:
        """A method of the client; what it raises becomes ours."""
        try:
            return await getattr(self._client(), name)(*args, **given)
        except (BadInput, PrerequisiteError):
            raise
        except Exception as error:  # the client raises transport errors of several libraries
            raise PrerequisiteError(
                f"Qdrant at {self.url!r} cannot do {name!r} ({type(error).__name__}: {str(error)[:300]})",
                remedy="start the server, or check the address and QDRANT_API_KEY; a folder must be whole.",
            ) from error

    def _client(self) -> Any:
        if self._connected is None:
            _models()
            from qdrant_client import AsyncQdrantClient

            try:
                if self._path is not None:
                    self._connected = AsyncQdrantClient(path=str(self._path))
                else:
                    secure = self._server.scheme.endswith("s")
                    host = self._server.netloc.rpartition("@")[2].removesuffix(f":{self._server.port}")
                    url = f"http{'s' * secure}://{host}:{self._server.port or 6333}"
                    self._connected = AsyncQdrantClient(
                        url=url, api_key=os.environ.get("QDRANT_API_KEY") or None, mounts=direct_routes(url),
                        check_compatibility=False,  # asks by a client of its own, which the routes do not reach
                    )  # fmt: skip
            except RuntimeError as error:
                raise PrerequisiteError(
                    f"{str(self._path)!r} is open in another process: {error}",
                    remedy="wait until that one has ended, or use a Qdrant server (qdrant://HOST/NAME).",
                ) from None
        return self._connected


def _models() -> Any:
    try:
        from qdrant_client import models
    except ImportError as error:
        raise PrerequisiteError(
            f"a Qdrant index needs the package qdrant-client: {error}",
            remedy="install the extra: pip install 'inloop[qdrant]'",
        ) from None
    return models


def _key(passage: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"inloop:{passage}"))


def _term(word: str) -> int:
    return zlib.crc32(word.encode("utf-8"))


def _vectors(row: Row, rules: str) -> dict[str, Any]:
    counts = Counter(_term(word) for word in terms(row.passage.indexed, rules))
    norm = _K1 * (1 - _B + _B * counts.total() / _MEAN_LENGTH)
    vectors: dict[str, Any] = {
        name: list(vector) for name, vector in (("text", row.text), ("image", row.image)) if vector
    }
    if counts:
        vectors["words"] = _models().SparseVector(
            indices=list(counts), values=[n * (_K1 + 1) / (n + norm) for n in counts.values()]
        )
    return vectors


def _payload(row: Row) -> dict[str, Any]:
    passage = row.passage
    payload: dict[str, Any] = {name: getattr(passage, name) for name in _TEXTS}
    payload |= {"part": passage.part, "passage": passage.model_dump_json()}
    payload |= {} if passage.page is None else {"page": passage.page}
    # a name says the type of its value: a range would take True for 1
    payload["meta"] = {f"{kind_of(value)}_{name}": value for name, value in passage.meta.items()}
    return payload


def _passage(point: Any) -> Passage:
    return Passage.model_validate_json(point.payload["passage"])


def _filter(where: Filter) -> Any:
    models = _models()
    match where:
        case And(of=of):
            return models.Filter(must=[_filter(one) for one in of])
        case Or(of=()) | In(values=()):
            return models.Filter(must=[models.HasIdCondition(has_id=[])])
        case Or(of=of):
            return models.Filter(should=[_filter(one) for one in of])
        case Not(of=inner):
            return models.Filter(must_not=[_filter(inner)])
        case In(field=field, values=values):
            return models.Filter(should=[_compared(field, "eq", value) for value in values])
        case Compare(field=field, op="ne", value=value):
            return models.Filter(must_not=[_compared(field, "eq", value)])
        case Compare(field=field, op=op, value=value):
            return models.Filter(must=[_compared(field, op, value)])


def _compared(field: str, op: str, value: Value) -> Any:
    models = _models()
    kind = kind_of(value)
    if kind == "text" and op != "eq":
        raise BadInput(f"Qdrant has no order of texts: {field!r} {op} {value!r} cannot be asked of it.")
    if field.startswith("meta."):
        key = f"meta.{kind}_{field[5:]}"
    elif kind == ("text" if field in _TEXTS else "number"):
        key = field
    else:
        return models.Filter(must=[models.HasIdCondition(has_id=[])])
    if kind == "number":
        bounds = (
            {"gte": value, "lte": value}
            if op == "eq"
            else {{"lt": "lt", "le": "lte", "gt": "gt", "ge": "gte"}[op]: value}
        )
        return models.FieldCondition(key=key, range=models.Range(**bounds))
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))
