"""Where a store is: its database and its blobs, each by a folder or a URL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ..errors import BadInput
from ..storage import PostgresDatabase, is_postgres
from .blobs import BlobStore
from .remote import RemoteBlobs, blob_place
from .votes import TABLES, Votes

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["StoreLocation"]

_CACHE = Path(platformdirs.user_cache_dir("inloop", appauthor=False))


@dataclass(frozen=True, kw_only=True)
class StoreLocation:
    """Where a store is; make one with `of` or `named_by`.

    Args:
        database: the folder of the SQLite files, or the URL of a PostgreSQL.
        blobs: the folder of the blobs, or the URL of a bucket.
        cache: where copies of what is in a bucket are kept on this machine, at most about `cache_bytes`.
        local: a folder of this machine, for what is made anew elsewhere: trained students, the questions that were typed.
    """

    database: Path | str
    blobs: Path | str
    local: Path
    cache: Path = _CACHE / "blobs"
    cache_bytes: int = 10_000_000_000

    @classmethod
    def of(cls, database: Path | str, blobs: Path | str | None = None, *, local: Path | None = None) -> StoreLocation:
        """The store whose database is at `database`, a folder or `postgresql://user@host/db`.

        `blobs`: default: `blobs` in the folder of the database. `local`: default: that folder, for a server one in the user's cache.

        Raises:
            BadInput: a database in a server and nothing that says where the blobs are, or no place for blobs.
        """
        if blobs is not None:
            try:
                blobs = blob_place(blobs)
            except ValueError as error:
                raise BadInput(f"{error}.") from None
            blobs = blobs.absolute() if isinstance(blobs, Path) else blobs
        if not is_postgres(database):
            folder = Path(database).absolute()
            return cls(
                database=folder,
                blobs=folder / "blobs" if blobs is None else blobs,
                local=folder if local is None else local.absolute(),
            )
        if blobs is None:
            raise BadInput(
                f"the store {database} has a database and no place for blobs (pictures, arrays): name one that all machines see,"
                " a folder or s3://bucket/folder, in INLOOP_BLOBS or --blobs."
            )
        if local is None:
            local = _CACHE / "store"
        return cls(database=str(database), blobs=blobs, local=local.absolute())

    @classmethod
    def named_by(cls, settings: Settings) -> StoreLocation:
        """The store of the settings: `runs_dir/.store` unless `store` or `blobs` are set.

        Raises:
            BadInput: as `of`.
        """
        beside = settings.runs_dir / ".store"
        local = beside if is_postgres(settings.store or "") else None
        return cls.of(beside if settings.store is None else settings.store, settings.blobs, local=local).cached(
            settings
        )

    def cached(self, settings: Settings) -> StoreLocation:
        """The same store, with copies of what is in a bucket where the settings keep them."""
        return replace(self, cache=settings.cache_dir / "blobs", cache_bytes=int(settings.blob_cache * 1e9))

    def __str__(self) -> str:
        """The folder; or both places."""
        if isinstance(self.database, Path) and self.blobs == self.database / "blobs":
            return str(self.database)
        return f"{self.database} with blobs in {self.blobs}"

    def tables(self, name: str) -> Path | str:
        """The place of the tables of that name: an SQLite file, or the URL."""
        return self.database / f"{name}.sqlite" if isinstance(self.database, Path) else self.database

    def server(self) -> str:
        """What the database's server calls itself, asked of it; "" where there is none.

        Raises:
            PrerequisiteError: it cannot be reached, or does not let us in.
        """
        if isinstance(self.database, Path):
            return ""
        return PostgresDatabase(self.database, TABLES).server()

    def open_blobs(self) -> BlobStore:
        """The blobs."""
        if isinstance(self.blobs, Path):
            return BlobStore(self.blobs)
        return RemoteBlobs(self.blobs, cache=self.cache, limit=self.cache_bytes)

    def votes(self) -> Votes:
        """The votes."""
        return Votes(self.tables("votes"))
