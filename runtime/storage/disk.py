"""Files that are there whole or not at all, and what the operating system says of a disk, told with its remedy."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

from ..errors import PrerequisiteError

__all__ = ["disk_problem", "draft_of", "write_whole"]

_NUMBER = itertools.count()
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_whole(path: Path, data: bytes, *, temporary: Path | None = None, synced: bool = True) -> None:
    """Write `path` so that it is there whole or not at all, also after a power cut unless `synced` is False.

    `temporary`: the folder of the temporary name, on the same file system; default: beside `path`.
    """
    folder = temporary if temporary is not None else path.parent
    draft = draft_of(folder / path.name)
    made = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
        made = True
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
        made = False
        if synced:
            _sync_folder(path.parent)
    except OSError as error:
        raise disk_problem(error, path) from error
    finally:
        if made:
            draft.unlink(missing_ok=True)


def draft_of(path: Path) -> Path:
    """Where what will be `path` is made: a name beside it that no other thread and no other process uses."""
    return path.with_name(f".{path.name[:40]}.{os.getpid()}.{next(_NUMBER)}.tmp")


def disk_problem(error: OSError, path: Path) -> PrerequisiteError:
    """The `PrerequisiteError` for what the operating system said about `path`."""
    if error.errno in _FULL:
        return PrerequisiteError(
            f"the disk is full: {path} cannot be written",
            remedy=f"free some space on the disk of {path.parent}, or choose a folder on another disk"
            " (--out, INLOOP_RUNS_DIR, INLOOP_STORE). Finished work is kept; resume the run afterwards.",
        )
    if error.errno in _REFUSED:
        return PrerequisiteError(
            f"{path} cannot be read or written: {error.strerror}",
            remedy=f"give yourself the rights on {path.parent}, or choose another folder"
            " (--out, INLOOP_RUNS_DIR, INLOOP_STORE).",
        )
    return PrerequisiteError(
        f"{path} cannot be read or written: {error.strerror or error}",
        remedy="check that the path is a folder on a disk that works, or choose another one.",
    )


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no fsync of folders
            raise
    finally:
        os.close(descriptor)
