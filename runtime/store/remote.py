"""Blobs in a bucket, by fsspec: `s3://bucket/prefix`, `gs://...`, `az://container/...`; `memory://` for trying.

Laid out as the folder of a `BlobStore` is, so that either can be copied into the other by any tool. An object is there whole or not at all, as
these services promise of a PUT; its name is the sha256 of its bytes, which `get` checks. Keys come from where the provider's own tools
look for them (AWS_ACCESS_KEY_ID or ~/.aws, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME, ...), never from the URL; AWS_ENDPOINT_URL
names another server that speaks S3.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InloopError, PrerequisiteError
from ..records import BlobRef
from ..urls import check_no_secret, is_url, without_secret
from .blobs import ASIDE, BlobStore, sha_of
from .cache import BlobCache

__all__ = ["RemoteBlobs", "blob_place"]


class _Provider(NamedTuple):
    extra: str
    keys: str


_S3 = _Provider("s3", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or see `aws configure`")
_GS = _Provider("gs", "see `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS")
_AZ = _Provider("az", "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or see `az login`")
_PROVIDERS = {
    "s3": _S3, "gs": _GS, "gcs": _GS, "az": _AZ, "abfs": _AZ, "abfss": _AZ, "memory": _Provider("", "none are needed"),
}  # fmt: skip
_MARK = "inloop.json"
_AT_ONCE = 16  # listings


def blob_place(given: Path | str) -> Path | str:
    """A place for blobs as it is given: a folder, or the URL of a bucket. `file:///folder` is that folder.

    Raises:
        ValueError: a URL of another kind, or one that holds a key.
    """
    if not is_url(given):
        return Path(given).expanduser()
    url = str(given)
    scheme, _, rest = url.partition("://")
    if scheme == "file":
        return Path(rest).expanduser()
    if scheme not in _PROVIDERS:
        kinds = ", ".join(f"{name}://" for name in _PROVIDERS)
        raise ValueError(f"{without_secret(url)!r} is no place for blobs: give a folder, or a bucket by {kinds}")
    check_no_secret(url, _PROVIDERS[scheme].keys)
    if not rest.strip("/") and scheme != "memory":
        raise ValueError(f"{url!r} names no bucket: give one, as in {scheme}://bucket/folder")
    if "?" in url or "#" in url:
        raise ValueError(f"{url!r} has options, which are not read: they belong into the provider's own settings")
    return url.rstrip("/") if rest.strip("/") else url


class RemoteBlobs(BlobStore):
    """The blobs at a URL that `blob_place` has let pass; `cache`: their copies on this machine, at most about `limit` bytes."""

    def __init__(self, url: str, *, cache: Path, limit: int) -> None:
        super().__init__(cache / hashlib.sha256(url.encode()).hexdigest()[:16])
        self.url = url
        self._provider = _PROVIDERS[url.partition("://")[0]]
        self._copies = BlobCache(self.root, limit)

    @property
    def place(self) -> str:
        """The URL."""
        return self.url

    def prepare(self) -> None:
        """See that the bucket is there and lets us read and write: a mark is left in it.

        Raises:
            PrerequisiteError: no bucket, no key, no rights, or a package is missing.
        """
        with self._explained():
            files, root = self._files
            mark = f"{root}/{_MARK}"
            if _size(files, mark) is None:
                files.pipe_file(mark, b'{"inloop_blobs": 1}\n')

    def put(self, data: bytes, media_type: str) -> BlobRef:
        """Store `data`; the same bytes are stored once."""
        ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, bytes=len(data))
        with self._explained():
            files, name = self._files[0], self._name(ref.sha256)
            if _size(files, name) != ref.bytes:
                files.pipe_file(name, data)
        with contextlib.suppress(PrerequisiteError):  # what cannot be kept here is fetched again
            self._copies.keep(ref.sha256, data)
        return ref

    def get(self, ref: BlobRef | str) -> bytes:
        """The bytes of `ref` (or of a sha256), from the copy on this machine where there is one."""
        sha = sha_of(ref)
        data = self._copies.get(sha)
        if data is None:
            data = self._fetched(sha)
            with contextlib.suppress(PrerequisiteError):
                self._copies.keep(sha, data)
        return data

    def path(self, ref: BlobRef | str) -> Path:
        """Where a copy of the bytes of `ref` is on this machine, fetched for that; or would be, where the bucket has none."""
        sha = sha_of(ref)
        if self._copies.get(sha) is None:
            with self._explained():
                there = _size(self._files[0], self._name(sha)) is not None
            if there:
                self._copies.keep(sha, self._fetched(sha))
        return self._copies.path(sha)

    def passing(self, path: Path) -> str | None:
        """The sha256 of the blob whose copy lies there: it may be removed for others."""
        return path.parent.name + path.name if path.is_relative_to(self.root) else None

    def has(self, ref: BlobRef | str) -> bool:
        """Whether the blob is there: on this machine, or in the bucket; with a `BlobRef` its length is compared too."""
        sha = sha_of(ref)
        size = self._copies.size(sha)
        if size is None:
            with self._explained():
                size = _size(self._files[0], self._name(sha))
        return size is not None and (isinstance(ref, str) or size == ref.bytes)

    def listed(self) -> Iterator[tuple[str, int]]:
        """The sha256 and the bytes of every blob in the bucket."""
        yield from self._listed("")

    def set_aside(self, sha: str) -> None:
        """Move a blob to where it is not found; this machine's copy goes."""
        self._renamed(self._name(sha), self._name(sha, f"/{ASIDE}"))
        with contextlib.suppress(OSError):
            self._copies.path(sha).unlink()

    def aside(self) -> Iterator[tuple[str, int]]:
        """As `listed`, of those that are set aside."""
        yield from self._listed(f"/{ASIDE}")

    def bring_back(self, sha: str) -> None:
        """Move a blob back from aside."""
        self._renamed(self._name(sha, f"/{ASIDE}"), self._name(sha))

    def drop_aside(self, sha: str) -> None:
        """Delete a blob that is set aside."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            self._files[0].rm_file(self._name(sha, f"/{ASIDE}"))

    def _listed(self, below: str) -> Iterator[tuple[str, int]]:
        with self._explained():
            files, root = self._files

        def folder(number: int) -> list[tuple[str, int]]:
            with self._explained(), contextlib.suppress(FileNotFoundError):
                found = files.find(f"{root}{below}/{number:02x}", detail=True)
                names = ((name.rpartition("/")[2], int(about["size"])) for name, about in found.items())
                return [(f"{number:02x}{name}", size) for name, size in names if len(name) == 62]
            return []

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for page in pool.map(folder, range(256)):
                yield from page

    def _renamed(self, here: str, there: str) -> None:
        """A copy and a deletion: killed between them both are there, and the same again ends it."""
        with self._explained():
            if _size(self._files[0], here) is not None:
                self._files[0].copy(here, there)
                self._files[0].rm_file(here)

    def _fetched(self, sha: str) -> bytes:
        with self._explained():
            try:
                data: bytes = self._files[0].cat_file(self._name(sha))
            except FileNotFoundError:
                raise PrerequisiteError(
                    f"the blob {sha} is not in the store ({self.url}/{sha[:2]}/{sha[2:]} does not exist)",
                    remedy="restore the object, or run the command again: what is missing is made anew.",
                ) from None
        if hashlib.sha256(data).hexdigest() != sha:
            raise PrerequisiteError(
                f"the blob {self.url}/{sha[:2]}/{sha[2:]} was altered: its sha256 is not its name",
                remedy="delete that object and run the command again: what is missing is made anew.",
            )
        return data

    @cached_property
    def _files(self) -> tuple[Any, str]:
        """The file system of the provider, and the name of our root in it."""
        scheme, _, root = self.url.partition("://")
        keys = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))}
        files = _opened(scheme, hashlib.sha256(repr(sorted(keys.items())).encode()).hexdigest())
        return files, files._strip_protocol(self.url).rstrip("/") if root else ""

    def _name(self, sha: str, below: str = "") -> str:
        return f"{self._files[1]}{below}/{sha[:2]}/{sha[2:]}"

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Whatever the provider's package raises, told with its remedy."""
        try:
            yield
        except InloopError:
            raise
        except ImportError as error:
            raise PrerequisiteError(
                f"blobs in {self.url} need a package that is not installed ({error.name or error})",
                remedy=f"pip install 'inloop[{self._provider.extra}]'",
            ) from None
        except Exception as error:  # each provider has errors of its own, which have no base in common
            text = " ".join(str(error).split())[:300]
            if "redential" in text or "AccessKeyId" in text or "SignatureDoesNotMatch" in text:
                problem, remedy = "do not take our key", f"{self._provider.keys}."
            elif isinstance(error, PermissionError):
                problem, remedy = "are closed to us", "ask for the rights to list, read and write there."
            elif isinstance(error, FileNotFoundError):
                problem, remedy = (
                    "have no bucket to be in",
                    "make the bucket with the provider's own tool, or mend the URL.",
                )
            elif isinstance(error, OSError) or "onnect" in text or "imeout" in text:
                problem, remedy = "cannot be reached", "check the network and the address, then resume the run."
            else:
                problem, remedy = "cannot be used", "check the URL and the provider's settings."
            raise PrerequisiteError(
                f"blobs in {self.url} {problem} ({type(error).__name__}: {text})", remedy=remedy
            ) from error


@lru_cache(maxsize=8)
def _opened(scheme: str, keys: str) -> Any:
    """The file system of a provider; one of its own for other keys, which fsspec's cache of them would not look at."""
    import fsspec  # type: ignore[import-untyped,unused-ignore]

    return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)


def _size(files: Any, name: str) -> int | None:
    """The bytes of an object; None where there is none, though not where there is no bucket."""
    try:
        return int(files.info(name)["size"])
    except FileNotFoundError as error:
        if "bucket" in str(error):
            raise
        return None
