"""The rows of a store's database, read a page at a time, and what they refer to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ...runtime.storage import Connection, Database, Tables, database_at
from ...runtime.store import StoreLocation

__all__ = ["PAGE", "addresses", "opened", "pages", "refs", "slices"]

PAGE = 500
_SHA = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


@contextmanager
def opened(at: StoreLocation, tables: Tables) -> Iterator[tuple[Database, Connection]]:
    """The database of some tables and a connection to it; its errors come with their remedy."""
    database = database_at(at.tables(tables.name), tables)
    connection = database.opened()
    try:
        with database.explained():
            yield database, connection
    finally:
        connection.close()


def pages(
    connection: Connection, columns: str, table: str, number: str, first: Any = 0
) -> Iterator[list[tuple[Any, ...]]]:
    """All rows of a table in the order of the column `number`, which comes first in each and is more than `first`."""
    last = first
    while True:
        rows = connection.execute(
            f"SELECT {number}, {columns} FROM {table} WHERE {number} > ? ORDER BY {number} LIMIT {PAGE}", (last,)
        ).fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def slices(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of at most `PAGE` of them."""
    page: list[Any] = []
    for value in values:
        page.append(value)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def refs(value: str) -> dict[str, tuple[int, str]]:
    """What a stored value refers to as a `BlobRef`: bytes and media type by sha256."""
    if '"sha256"' not in value:
        return {}
    found: dict[str, tuple[int, str]] = {}
    waiting: list[Any] = [json.loads(value)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict) and set(each) == {"sha256", "media_type", "bytes"}:
            found[each["sha256"]] = (each["bytes"], each["media_type"])
        elif isinstance(each, dict | list):
            waiting += each.values() if isinstance(each, dict) else each
    return found


def addresses(*texts: bytes) -> set[str]:
    """Every sha256 that stands in some bytes, whatever they are."""
    return {found.decode() for text in texts for found in _SHA.findall(text)}
