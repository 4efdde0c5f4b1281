"""The store that a run was begun with, as its `config.json` says: folders below that of the runs from there, so that all can be moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..store import StoreLocation
from ..urls import is_url

__all__ = ["kept_at", "named_from"]


def named_from(runs_dir: Path, store: StoreLocation | None) -> dict[str, str]:
    """Where a store is, in words for `config.json`."""
    if store is None:
        return {}
    root = runs_dir.absolute()

    def named(place: Path | str) -> str:
        inside = isinstance(place, Path) and place.is_relative_to(root)
        return Path(place).relative_to(root).as_posix() if inside else str(place)

    return {"database": named(store.database), "blobs": named(store.blobs)}


def kept_at(runs_dir: Path, named: Mapping[str, str]) -> dict[str, Path | str] | None:
    """The settings `store` and `blobs` of such words; None where there are none, or a folder is not there."""
    places = {
        setting: _placed(runs_dir, named.get(word, "")) for setting, word in (("store", "database"), ("blobs", "blobs"))
    }
    return None if None in places.values() else {name: place for name, place in places.items() if place is not None}


def _placed(runs_dir: Path, named: str) -> Path | str | None:
    if not named or is_url(named):
        return named or None
    folder = runs_dir / named
    return folder if folder.is_dir() else None
