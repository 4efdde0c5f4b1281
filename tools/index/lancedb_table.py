"""The table of a LanceDB index: its columns, and what is kept beside them so that they are found fast.

Vectors are kept in partitions from 10,000 on: each search then reads the partitions near its query and not every vector.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import timedelta
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

from ...runtime.errors import PrerequisiteError
from ...runtime.passages import Manifest, Passage
from ..documents import RAG_REMEDY, terms
from .filter import kind_of
from .lancedb_memory import give_back, take_little
from .lancedb_sql import NUMBERS, TEXTS

if TYPE_CHECKING:
    from .base import Row

__all__ = ["PROBES", "columns_of", "furnish", "lancedb_package", "passage_of", "pyarrow_package", "schema_of", "tidy"]

PROBES = 50
"""Partitions that a search looks through: below about 200,000 vectors all of them, so that it is exact."""
_ANN_ROWS = 10_000  # vectors from which on they are kept in partitions of about 4,096
_OLD = timedelta(minutes=10)
_REST_CLIENT = "lance_namespace_urllib3_client"


def lancedb_package() -> Any:
    """LanceDB, imported; `PrerequisiteError` where it is not installed."""
    if "lancedb" not in sys.modules:
        take_little()
        _postpone_rest_client()
    try:
        import lancedb
    except ImportError as error:
        raise PrerequisiteError(f"a lancedb index needs the package lancedb: {error}", remedy=RAG_REMEDY) from None
    return lancedb


def _postpone_rest_client() -> None:
    """LanceDB imports a client of REST catalogues, whose package builds all its interfaces: half a second that no folder of files needs.

    It is imported whole when somebody asks for one of them; who asks meanwhile waits. If that fails, it is as if it had never been imported.
    """
    spec = find_spec(_REST_CLIENT) if _REST_CLIENT not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader
    lock, running = threading.RLock(), False  # its own modules ask it for names while it is imported

    def whole(name: str) -> Any:
        nonlocal running
        with lock:
            if not running and "__getattr__" in vars(package):
                running = True
                try:
                    loader.exec_module(package)
                    del vars(package)["__getattr__"]
                except BaseException:
                    sys.modules.pop(_REST_CLIENT, None)
                    raise
                finally:
                    running = False
        if name not in vars(package):
            raise AttributeError(f"module {_REST_CLIENT!r} has no attribute {name!r}", name=name, obj=package)
        return vars(package)[name]

    vars(package)["__getattr__"] = whole
    sys.modules[_REST_CLIENT] = package


def pyarrow_package() -> Any:
    """PyArrow, which LanceDB brings along."""
    lancedb_package()
    import pyarrow

    return pyarrow


def schema_of(manifest: Manifest) -> Any:
    """The columns as Arrow names them: texts and numbers to filter by, `words` to search, a vector column a space."""
    pa = pyarrow_package()
    fields = [pa.field(name, pa.string()) for name in TEXTS]
    fields += [pa.field(name, pa.int64()) for name in NUMBERS]
    fields += [pa.field("meta", pa.json_()), pa.field("words", pa.string()), pa.field("passage", pa.string())]
    for name in ("text", "image"):
        space = getattr(manifest, name)
        if space is not None:
            fields.append(pa.field(f"{name}_vector", pa.list_(pa.float32(), space.dimension)))
    return pa.schema(fields)


def columns_of(row: Row, manifest: Manifest) -> dict[str, Any]:
    """A passage and its vectors as a row of the table."""
    passage = row.passage
    columns: dict[str, Any] = {name: getattr(passage, name) for name in (*TEXTS, *NUMBERS)}
    # a name says the type of its value, for the JSON functions take "1" for 1
    columns["meta"] = json.dumps({f"{kind_of(value)} {name}": value for name, value in passage.meta.items()})
    columns |= {"words": " ".join(terms(passage.indexed, manifest.terms)), "passage": passage.model_dump_json()}
    for name in ("text", "image"):
        if getattr(manifest, name) is not None:
            columns[f"{name}_vector"] = getattr(row, name)
    return columns


def passage_of(row: dict[str, Any]) -> Passage:
    """The passage of a row of the table."""
    return Passage.model_validate_json(row["passage"])


async def furnish(table: Any, manifest: Manifest) -> None:
    """Add the columns and indexes that are missing: the table is new, or was left half made by a kill."""
    from lancedb.index import FTS, BTree

    known = set((await table.schema()).names)
    missing = [field for field in schema_of(manifest) if field.name not in known]
    if missing:
        await table.add_columns(pyarrow_package().schema(missing))
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


async def tidy(table: Any) -> int:
    """Join small files, index what was added, drop what was deleted more than ten minutes ago; gives the number of rows."""
    from lancedb.index import IvfFlat

    await table.optimize(cleanup_older_than=_OLD)
    indexed = {column for index in await table.list_indices() for column in index.columns}
    rows = int(await table.count_rows())
    vectors = {f"{space}_vector" for space in ("text", "image")} & set((await table.schema()).names)
    for column in sorted(vectors - indexed) if rows >= _ANN_ROWS else ():
        if await table.count_rows(f"{column} IS NOT NULL") >= _ANN_ROWS:
            await table.create_index(column, config=IvfFlat(distance_type="cosine"))
    give_back()
    return rows
