"""What is like the examples or the queries: in the folder itself, or in a pool whose pictures then join it (DINOv2's retrieval).

With a pool the examples are those of --like, and the folder's own pictures where neither --like nor --query is given. The pictures of a folder are all
read and embedded; an index is searched by its own vectors, and what it finds is read. Pictures that join go through the same steps as the folder's own:
copies of pictures of the test set and of the folder go again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.passages import Passage, Query
from ...runtime.records import BlobRef, Record
from ...runtime.session import Progressed
from ...tools.curation import Look, by_clusters, by_samples, look_at
from ...tools.index import open_index
from .config import CurateConfig
from .result import Retrieval, Sought

if TYPE_CHECKING:
    from .context import CurateContext, Looked
    from .decisions import Decisions

__all__ = ["Match", "OutOfBudget", "Retrieved", "retrieval", "retrieved", "rows_marked", "unlike"]

_FEW = 12  # of fewer examples, clusters are hit too seldom, and the nearest pictures are taken
_EACH, _EACH_QUERY = 4, 16
_BATCH = 64
_PREFIX = "pool"
Vectors = NDArray[np.float32]


class Match(Record):
    """A picture that was found. `like`: the example or query that it is most like; `file`: where it lies, of one of a pool."""

    like: str
    score: float
    file: str = ""


class Retrieved(Record):
    """By name what was found in `of` pictures of the folder ("") or of the pool. `own`: how many pictures are the folder's.

    `sought`: by name of what was looked for its picture, None for a query; `why`: what is said of a picture that was not found.
    """

    pool: str = ""
    of: int
    own: int
    matches: dict[str, Match]
    sought: dict[str, BlobRef | None]
    why: str = ""
    notes: tuple[str, ...] = Field(default=())


class OutOfBudget(Exception):
    """The budget was spent before the pool was read; the text says which limit."""


@dataclass(frozen=True)
class _Wanted:
    """Unit vectors of what is looked for, and how each is called: of pictures, and of words."""

    examples: Vectors
    names: Sequence[str]
    queries: Vectors
    texts: Sequence[str]


async def retrieved(context: CurateContext, looked: Looked, vectors: Vectors) -> tuple[Retrieved, list[Look], Vectors]:
    """What was found, and of a pool the pictures that join, with their vectors. `vectors`: of the pictures, the tests and the examples.

    Raises:
        BadInput: an index that is not there or of another embedder, or a pool of which nothing can be read.
        OutOfBudget: see there.
    """
    config, own = context.config, len(looked.looks)
    assert context.clip is not None
    texts = config.queries
    queries = np.array(await context.clip.texts(list(texts)), dtype=np.float32).reshape(len(texts), vectors.shape[1])
    likes = looked.likes
    first = own + len(looked.tests)
    if config.pool and not likes and not texts:
        likes, first = looked.looks, 0
    wanted = _Wanted(vectors[first : first + len(likes)], [each.path for each in likes], queries, texts)
    pictures = {each.path: each.blob for each in likes}
    sought: dict[str, BlobRef | None] = {**pictures, **dict.fromkeys(texts)}
    if not config.pool:
        places, why = _places(vectors[:own], wanted, config)
        matches = {looked.looks[place].path: match for place, match in places.items()}
        return Retrieved(of=own, own=own, matches=matches, sought=_those(sought, matches), why=why), [], vectors[:0]
    if config.pool_is_index:
        looks, theirs, of, notes, files = await _of_index(context, wanted)
    else:
        looks, theirs, of, notes, files = await _of_folder(context, wanted)
    if not looks and notes:
        raise BadInput(f"--pool: none of the pictures of {config.pool!r} can be read; the first: {notes[0]}")
    places, _ = _places(theirs, wanted, config)
    chosen = sorted(places)
    taken = {each.path for each in looked.looks}
    joining, matches = [], {}
    for place in chosen:
        name = f"{_PREFIX}/{looks[place].path}"
        while name in taken:
            name = f"{_PREFIX} {name}"
        taken.add(name)
        joining.append(looks[place].model_copy(update={"path": name}))
        matches[name] = places[place].model_copy(update={"file": files[looks[place].path]})
    told = (f"{len(notes)} pictures of the pool cannot be read; the first: {notes[0]}",) if notes else ()
    record = Retrieved(pool=config.pool, of=of, own=own, matches=matches, sought=_those(sought, matches), notes=told)
    return record, joining, theirs[chosen]


def _those(sought: dict[str, BlobRef | None], matches: dict[str, Match]) -> dict[str, BlobRef | None]:
    """What was looked for and found, and every query."""
    found = {match.like for match in matches.values()}
    return {name: picture for name, picture in sought.items() if picture is None or name in found}


def _places(vectors: Vectors, wanted: _Wanted, config: CurateConfig) -> tuple[dict[int, Match], str]:
    """By place what is like something wanted, and what is said of the others; of an index all were found as the nearest ones."""
    found: dict[int, Match] = {}
    why: list[str] = []
    for near, names, each, kind in (
        (wanted.queries, wanted.texts, config.each or _EACH_QUERY, "query"),
        (wanted.examples, wanted.names, config.each or _EACH, "example"),
    ):
        if not len(near) or not len(vectors):
            continue
        many = len(near) >= _FEW and kind == "example"
        each = min(each, len(vectors))
        if not config.pool_is_index and (config.by == "clusters" or (config.by == "auto" and many)):
            starts = near if kind == "example" else vectors[by_samples(vectors, near, each=each)]
            rows = by_clusters(vectors, starts, seed=config.seed)
            why.append(f"it is in no cluster that two {'examples' if kind == 'example' else 'of the nearest to a query'} fall into")  # fmt: skip
        else:
            rows = by_samples(vectors, near, each=each)
            article = "an example" if kind == "example" else "a query"
            why.append(f"it is not among the {_COUNTED.get(each, each)} nearest of {article}")
        cosines = vectors[rows] @ near.T
        for row, most, cosine in zip(rows.tolist(), cosines.argmax(axis=1).tolist(), cosines.max(axis=1).tolist(), strict=True):  # fmt: skip
            found[row] = Match(like=names[most], score=round(float(cosine), 4))
    return found, ", and ".join(why)


_COUNTED = {4: "four"}
_Found = tuple[list[Look], Vectors, int, list[str], dict[str, str]]
"""Pictures with their vectors, of how many, why others could not be read, and by name where they lie."""


async def _of_folder(context: CurateContext, wanted: _Wanted) -> _Found:
    """All pictures of the folder."""
    folder, names = context.config.pool, context.sources.pool
    looks: list[Look] = []
    notes: list[str] = []
    vectors: list[list[float]] = []
    assert context.clip is not None
    for start in range(0, len(names), _BATCH):
        if (spent := context.session.budget.exhausted()) is not None:
            raise OutOfBudget(spent)
        batch = names[start : start + _BATCH]
        read = await asyncio.to_thread(_read, context, [(name, [Path(folder) / name]) for name in batch])
        fresh = [look for look, _ in read if look is not None]
        notes += [why for look, why in read if look is None]
        looks += fresh
        vectors += await context.clip.images([each.blob for each in fresh]) if fresh else []
        context.session.emit(Progressed(text="pictures of the pool read", done=start + len(batch), of=len(names)))
    size = wanted.examples.shape[1]
    files = {each.path: str(Path(folder) / each.path) for each in looks}
    return looks, np.array(vectors, dtype=np.float32).reshape(len(looks), size), len(names), notes, files


async def _of_index(context: CurateContext, wanted: _Wanted) -> _Found:
    """The nearest pictures of an index to each example and query."""
    config = context.config
    assert context.clip is not None
    index = await open_index(config.pool, image=context.clip, create=False)
    try:
        passages: dict[str, Passage] = {}
        for vectors, k in ((wanted.queries, config.each or _EACH_QUERY), (wanted.examples, config.each or _EACH)):
            for start in range(0, len(vectors), _BATCH):
                asked = [Query(vector=tuple(row.tolist()), space="image") for row in vectors[start : start + _BATCH]]
                for hits in await index.search(asked, k=k, mode="dense"):
                    passages |= {hit.passage.id: hit.passage for hit in hits if hit.passage.image is not None}
                done = min(start + _BATCH, len(vectors))
                context.session.emit(Progressed(text="examples looked up in the index", done=done, of=len(vectors)))
        of = await index.count()
    finally:
        await index.close()
    asked_for = [
        (passage.document, _where(passage.source, passage.image))
        for passage in passages.values()
        if passage.image is not None
    ]
    # one document may hold a picture on several pages: the first is taken
    read = await asyncio.to_thread(_read, context, list({name: (name, places) for name, places in reversed(asked_for)}.values())[::-1])  # fmt: skip
    looks = [look for look, _ in read if look is not None]
    files = {look.path: where for look, where in read if look is not None}
    vectors_: list[list[float]] = await context.clip.images([each.blob for each in looks]) if looks else []
    size = wanted.examples.shape[1]
    notes = [why for look, why in read if look is None]
    return looks, np.array(vectors_, dtype=np.float32).reshape(len(looks), size), of, notes, files


def _where(source: str, image: BlobRef) -> list[Path | BlobRef]:
    return [Path(source), image] if source else [image]


def _read(
    context: CurateContext, asked: Sequence[tuple[str, Sequence[Path | BlobRef]]]
) -> list[tuple[Look | None, str]]:
    """Each picture under its name with where it lies, or None and why it cannot be read; the first place that has it counts."""
    found: list[tuple[Look | None, str]] = []
    blobs = context.session.store.blobs
    for name, places in asked:
        # one by one: the path of a blob may have to be fetched
        paths = (place if isinstance(place, Path) else blobs.path(place) for place in places)
        first = next(paths)
        path = first if first.is_file() else next((path for path in paths if path.is_file()), first)
        try:
            look = look_at(path.parent, path.name, blobs)
            found.append((look.model_copy(update={"path": name}), str(path)))
        except BadInput as error:
            found.append((None, str(error)))
    return found


def unlike(decisions: Decisions, record: Retrieved) -> None:
    """Let those of the folder go that are like nothing that was looked for; with a pool all stay."""
    if record.pool:
        return
    for place, each in enumerate(decisions.looks):
        if each.path not in record.matches:
            decisions.goes(place, "unlike", record.why)


def retrieval(decisions: Decisions, record: Retrieved) -> Retrieval:
    """What the report says: by what was looked for, how many were found and how many of these stay."""
    stays = {each.path for place, each in enumerate(decisions.looks) if not decisions.reasons[place]}
    counts: dict[str, list[bool]] = {name: [] for name in record.sought}
    for name, match in record.matches.items():
        counts[match.like].append(name in stays)
    sought = [
        Sought(name=name, image=record.sought[name], found=len(hits), stay=sum(hits)) for name, hits in counts.items()
    ]
    return Retrieval(
        pool=record.pool, of=record.of, found=len(record.matches), stay=sum(each.stay for each in sought),
        sought=tuple(sorted(sought, key=lambda each: (each.image is not None, -each.found, each.name))),
    )  # fmt: skip


def rows_marked(rows: Sequence[Any], record: Retrieved) -> list[Any]:
    """Table rows with what each is like and, of one of a pool, where it lies."""
    return [
        row.model_copy(update={"like": match.like, "likeness": match.score, "file": match.file})
        if (match := record.matches.get(row.id)) is not None
        else row
        for row in rows
    ]
