"""Content-addressed files: the bytes of images, arrays and models live here, never in a graph's state.

Invariants: a file under its final name is complete (written to a temporary name, fsynced, renamed, and the folder
fsynced); its name is the sha256 of its bytes, which `get` checks. Any number of threads and processes may write
the same bytes at once. Layout: `root/ab/cdef...`, temporary names in `root/.tmp`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput, PrerequisiteError
from ..records import BlobRef
from ..storage import disk_problem, write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["BlobStore", "MemoryBlobs", "sha_of"]

ASIDE = ".aside"


class BlobStore:
    """The blob store under the folder `root`, which is made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.root)

    def prepare(self) -> None:
        """See that it can be used; a folder shows that when it is first written."""

    def put(self, data: bytes, media_type: str) -> BlobRef:
        """Store `data`; the same bytes are stored once. A full disk or a read-only folder: `PrerequisiteError`."""
        ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, bytes=len(data))
        path = self.path(ref)
        if not self.has(ref):
            write_whole(path, data, temporary=self.root / ".tmp")
        return ref

    def get(self, ref: BlobRef | str) -> bytes:
        """The bytes of `ref` (or of a sha256). Missing or altered bytes: `PrerequisiteError`."""
        path = self.path(ref)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise PrerequisiteError(
                f"the blob {sha_of(ref)} is not in the store ({path} does not exist)",
                remedy="restore the file, or run the command again: what is missing is made anew.",
            ) from None
        except OSError as error:
            raise disk_problem(error, path) from error
        if hashlib.sha256(data).hexdigest() != sha_of(ref):
            raise PrerequisiteError(
                f"the blob file {path} was altered: its sha256 is not its name",
                remedy="delete that file and run the command again: what is missing is made anew.",
            )
        return data

    def path(self, ref: BlobRef | str) -> Path:
        """Where the bytes of `ref` are, or would be."""
        sha = sha_of(ref)
        return self.root / sha[:2] / sha[2:]

    def passing(self, path: Path) -> str | None:
        """The sha256 of the blob that the file `path` is a passing copy of; None for a file that stays, as in a folder all do."""
        return None

    def has(self, ref: BlobRef | str) -> bool:
        """Whether the blob is there; with a `BlobRef` its length is compared too (the hash is checked by `get`)."""
        try:
            size = self.path(ref).stat().st_size
        except OSError:
            return False
        return isinstance(ref, str) or size == ref.bytes

    def listed(self) -> Iterator[tuple[str, int]]:
        """The sha256 and the bytes of every blob."""
        yield from _listed(self.root)

    def set_aside(self, sha: str) -> None:
        """Move a blob to where it is not found, until `bring_back` or `drop_aside`; one that is not there is none."""
        self._moved(self.path(sha), self._aside(sha))

    def aside(self) -> Iterator[tuple[str, int]]:
        """As `listed`, of those that are set aside."""
        yield from _listed(self.root / ASIDE)

    def bring_back(self, sha: str) -> None:
        """Move a blob back from aside."""
        self._moved(self._aside(sha), self.path(sha))

    def drop_aside(self, sha: str) -> None:
        """Delete a blob that is set aside."""
        self._aside(sha).unlink(missing_ok=True)

    def _aside(self, sha: str) -> Path:
        return self.root / ASIDE / sha[:2] / sha[2:]

    def _moved(self, here: Path, there: Path) -> None:
        try:
            there.parent.mkdir(parents=True, exist_ok=True)
            here.replace(there)
        except FileNotFoundError:
            return
        except OSError as error:
            raise disk_problem(error, there) from error

    def put_image(self, image: Image) -> BlobRef:
        """Store a PIL image as PNG; the same pixels give the same bytes for one version of Pillow."""
        return self.put(_png(image), "image/png")

    def get_image(self, ref: BlobRef | str) -> Image:
        """The image of `ref`, decoded. Bytes that are no image: `PrerequisiteError`."""
        from PIL import Image as images
        from PIL import UnidentifiedImageError

        try:
            image = images.open(io.BytesIO(self.get(ref)))
            image.load()
        except (UnidentifiedImageError, OSError) as error:
            raise PrerequisiteError(
                f"the blob {sha_of(ref)} cannot be read as an image: {error}",
                remedy=f"check what was stored there, in {self.place}.",
            ) from error
        return image


class MemoryBlobs:
    """Blobs by content for work that is never resumed: in memory, without a file and two fsyncs for each."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    def put(self, data: bytes, media_type: str) -> BlobRef:
        """Keep `data`."""
        ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, bytes=len(data))
        self._bytes[ref.sha256] = data
        return ref

    def put_image(self, image: Image) -> BlobRef:
        """Keep a PIL image as PNG."""
        return self.put(_png(image), "image/png")

    def get(self, ref: BlobRef | str) -> bytes:
        """The bytes of `ref` (or of a sha256); `KeyError` where they were never put."""
        return self._bytes[sha_of(ref)]


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _listed(root: Path) -> Iterator[tuple[str, int]]:
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if len(entry.name) == 62:
                    yield folder.name + entry.name, entry.stat().st_size


def sha_of(ref: BlobRef | str) -> str:
    """The sha256 that names the bytes of `ref`; `BadInput` for a text that is none."""
    sha = ref if isinstance(ref, str) else ref.sha256
    if len(sha) != 64 or not set(sha) <= set("0123456789abcdef"):
        raise BadInput(f"{sha!r} is not a sha256: give the 64 hexadecimal digits of a blob.")
    return sha
