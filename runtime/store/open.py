"""What is kept between runs: the blob store, the call ledger and the votes of one folder."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .blobs import BlobStore
from .ledger import Ledger
from .votes import Votes

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["Store"]


class Store:
    """`root/blobs`, `root/ledger.sqlite` and `root/votes.sqlite`; `run_id` names the run that calls are booked on."""

    def __init__(self, root: Path, run_id: str = "") -> None:
        self.root = Path(root)
        self.run_id = run_id
        self.blobs = BlobStore(self.root / "blobs")
        self.ledger = Ledger(self.root / "ledger.sqlite", run_id=run_id)
        self.votes = Votes(self.root / "votes.sqlite")

    @classmethod
    def open(cls, settings: Settings, run_id: str = "") -> Store:
        """The store that the settings name (`runs_dir/.store` unless `store` is set)."""
        return cls(settings.store_dir, run_id)

    def close(self) -> None:
        """Write what is waiting and close the ledger; may be called twice."""
        self.ledger.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
