"""What is kept between runs: the blobs, the call ledger and the votes of one store."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .claims import Claims
from .ledger import Ledger
from .location import StoreLocation

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["Store"]


class Store:
    """An open store; `run_id` names the run that calls are booked on.

    `at`: a folder (`blobs`, `ledger.sqlite` and `votes.sqlite` in it), `postgresql://user@host/db` with `blobs` beside it, or a `StoreLocation`;
    `claims`: as in `Ledger`.

    Raises:
        BadInput: a URL that cannot be used.
        PrerequisiteError: the database or the bucket cannot be opened.
    """

    def __init__(
        self,
        at: Path | str | StoreLocation,
        run_id: str = "",
        *,
        blobs: Path | str | None = None,
        claims: Claims | None = None,
    ) -> None:
        self.location = at if isinstance(at, StoreLocation) else StoreLocation.of(at, blobs)
        self.run_id = run_id
        self.blobs = self.location.open_blobs()
        self.blobs.prepare()
        self.ledger = Ledger(self.location.tables("ledger"), run_id=run_id, claims=claims)
        self.votes = self.location.votes()

    @classmethod
    def open(cls, settings: Settings, run_id: str = "", *, claims: Claims | None = None) -> Store:
        """The store that the settings name (`runs_dir/.store` unless `store` is set)."""
        return cls(StoreLocation.named_by(settings), run_id, claims=claims)

    def close(self) -> None:
        """Write what is waiting and close the ledger; may be called twice."""
        self.ledger.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
