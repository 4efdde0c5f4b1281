"""What identifies bytes on the disk: the sha256 of a file, remembered with its size and time of change, and of a folder.

Invariant: a remembered sha256 holds only while the file's size and time of change are the same, so that a revision is known
without reading gigabytes; a cache that cannot be read or written costs time, no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ..errors import PrerequisiteError
from ..storage import draft_of
from ..text import lines_of

__all__ = ["SUMS", "copy_hashed", "file_sha256", "folder_revision", "read_sums", "remember", "sha256"]

SUMS = "SHA256SUMS"
"""The file in a model's folder that holds the sha256 of the others."""

_CHUNK = 1 << 20


def folder_revision(folder: Path, cache_dir: Path | None = None) -> str:
    """The sha256 that identifies a model folder: of its SHA256SUMS, else of the names and hashes of all its files.

    Hidden files are left out. Raises `PrerequisiteError` when the folder is not there or empty.
    """
    if (folder / SUMS).is_file():
        return sha256(folder / SUMS)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise PrerequisiteError(f"there is no model in the folder {str(folder)!r}", remedy="check the path")
    total = hashlib.sha256()
    for path in files:
        total.update(f"{file_sha256(path, cache_dir)}  {path.relative_to(folder).as_posix()}\n".encode())
    return total.hexdigest()


def file_sha256(path: Path, cache_dir: Path | None = None) -> str:
    """The sha256 of a file; with `cache_dir` it is remembered until the file's size or time of change differs."""
    try:
        if cache_dir is not None and (known := _remembered(cache_dir).get(str(path.resolve()))):
            stat = path.stat()
            if known[:2] == [stat.st_size, stat.st_mtime_ns]:
                return str(known[2])
        value = sha256(path)
    except OSError as error:
        raise PrerequisiteError(
            f"the file {str(path)!r} cannot be read ({error.strerror})", remedy="check the path and its permissions"
        ) from error
    if cache_dir is not None:
        remember(path, value, cache_dir)
    return value


def copy_hashed(source: IO[bytes], out: IO[bytes] | None, tell: Callable[[int], None] | None = None) -> str:
    """Read `source` to its end, write it to `out`, and return the sha256; `tell` gets the bytes done."""
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        done += len(chunk)
        if out is not None:
            out.write(chunk)
        if tell is not None:
            tell(done)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """The sha256 of a file, from reading every byte."""
    with path.open("rb") as file:
        return copy_hashed(file, None)


def read_sums(folder: Path) -> Iterator[tuple[str, Path]]:
    """The sha256 and the path of every file that the folder's SHA256SUMS names."""
    for line in lines_of((folder / SUMS).read_text(encoding="utf-8")):
        if line.strip():
            digest, _, name = line.partition(" ")
            yield digest, folder / name.strip().lstrip("*")


def _remembered(cache_dir: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads((cache_dir / "sha256.json").read_text(encoding="utf-8"))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}


def remember(path: Path, value: str, cache_dir: Path) -> None:
    """Keep the sha256 of a file for `file_sha256`."""
    try:
        stat = path.stat()
        known = _remembered(cache_dir) | {str(path.resolve()): [stat.st_size, stat.st_mtime_ns, value]}
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = draft_of(cache_dir / "sha256.json")
        part.write_text(json.dumps(known), encoding="utf-8")
        part.replace(cache_dir / "sha256.json")
    except OSError:
        return  # an unwritable cache costs time, no more
