"""Copies of blobs on this machine, so that what is read again is not fetched again; the oldest go when there are too many."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from pathlib import Path

from ..storage import write_whole

__all__ = ["BlobCache"]

_FRESH = 60.0  # seconds: what was used within them is not removed, for somebody may be about to open it


class BlobCache:
    """The folder `root`, which any number of processes may share; it has at most about `limit` bytes."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self._limit = root, limit
        self._added = limit  # as if it were full: the first copy looks how full it is
        self._guard = threading.Lock()

    def path(self, sha: str) -> Path:
        """Where the copy is, or would be."""
        return self.root / sha[:2] / sha[2:]

    def size(self, sha: str) -> int | None:
        """The bytes of the copy; None where there is none."""
        try:
            return self.path(sha).stat().st_size
        except OSError:
            return None

    def get(self, sha: str) -> bytes | None:
        """The bytes; None where there is no copy, or a damaged one, which goes."""
        path = self.path(sha)
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != sha:
                path.unlink(missing_ok=True)
                return None
            os.utime(path)
        except OSError:
            return None
        return data

    def keep(self, sha: str, data: bytes) -> None:
        """Keep a copy.

        Raises:
            PrerequisiteError: the folder cannot be written.
        """
        write_whole(self.path(sha), data, temporary=self.root / ".tmp", synced=False)
        with self._guard:
            self._added += len(data)
            if self._added >= max(self._limit // 20, 1):
                self._added = 0
                self._prune()

    def _prune(self) -> None:
        copies = []
        for folder in self.root.glob("[0-9a-f][0-9a-f]"):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        found = entry.stat()
                        copies.append((found.st_mtime, found.st_size, entry.path))
        total, oldest_fresh = sum(size for _, size, _ in copies), time.time() - _FRESH
        for used, size, path in sorted(copies):
            if total <= 0.9 * self._limit or used > oldest_fresh:
                return
            with contextlib.suppress(OSError):  # another process was first
                Path(path).unlink()
            total -= size
