"""Which database a place names: an SQLite file by its path, PostgreSQL by its URL."""

from __future__ import annotations

from pathlib import Path

from .database import Database, Tables
from .postgres import PostgresDatabase
from .sqlite import SqliteDatabase

__all__ = ["database_at", "is_postgres"]


def is_postgres(place: Path | str) -> bool:
    """Whether a place is the URL of a PostgreSQL, and no path."""
    return isinstance(place, str) and place.startswith(("postgresql://", "postgres://"))


def database_at(place: Path | str, tables: Tables) -> Database:
    """The database at a place: the path of an SQLite file, or `postgresql://user@host/db?schema=NAME`.

    Raises:
        BadInput: a URL that cannot be used, or that holds a password.
    """
    if is_postgres(place):
        return PostgresDatabase(str(place), tables)
    return SqliteDatabase(Path(place), tables)
