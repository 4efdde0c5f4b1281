"""Files that a user names by URL: fetched once into the cache, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.parse
from pathlib import Path

from ...runtime.errors import PrerequisiteError
from ...runtime.http import open_url
from ...runtime.storage import draft_of

__all__ = ["fetched", "is_url"]

_TIMEOUT = 30  # seconds without a byte


def is_url(source: str) -> bool:
    """Whether a source is a URL that can be fetched, and no path."""
    return source.startswith(("http://", "https://"))


def fetched(source: str, cache_dir: Path) -> Path:
    """The file behind a URL, as it was when it was first fetched; a path as it is.

    Raises:
        PrerequisiteError: it cannot be fetched, or ended early.
    """
    if not is_url(source):
        return Path(source)
    name = Path(urllib.parse.urlsplit(source).path).name or "file"
    path = cache_dir / "downloads" / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}-{name}"
    if path.is_file():
        return path
    part = draft_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_url(source, timeout=_TIMEOUT) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
            wanted, got = answer.headers.get("Content-Length"), file.tell()
        if wanted is not None and int(wanted) != got:
            raise OSError(f"it ended after {got} of {wanted} bytes")
        part.replace(path)
    except (OSError, ValueError, urllib.error.URLError) as error:
        part.unlink(missing_ok=True)
        raise PrerequisiteError(
            f"{source!r} cannot be fetched ({error})", remedy="look whether the address is right, or give a local file."
        ) from error
    return path
