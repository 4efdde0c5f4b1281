"""What can be served: a model by name, a GGUF file, a folder of Hugging Face's format, or a hub id, with its adapters.

A `Servable` knows both forms where there are two: the GGUF file that llama.cpp reads, and the folder that vLLM reads, which
is made from it when it is asked for. `revision` identifies the weights for the call ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from .. import models
from ..errors import BadInput, PrerequisiteError
from ..records import Record
from ..store import file_sha256, folder_revision
from .adapters import Adapter, check_base, find_adapter
from .gguf_folder import model_folder

__all__ = ["Flag", "Servable", "find_servable", "is_known"]

_SPEAKS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel", "ForImageTextToText")
_SEES_AND_READS = ("CLIPModel", "SiglipModel")
_READS = ("BertModel", "RobertaModel")

Flag = Literal["--llm", "--clip", "--embedder"]
"""What takes a model: `--llm` one that chats (and as a judge or captioner one that sees), the others those that embed."""


class Servable(Record):
    """A base model and its adapters. One of `gguf`, `folder` and `hub` is set; `first` is the id to use first, `flag` what takes it."""

    name: str
    revision: str
    first: str
    gguf: Path | None = None
    folder: Path | None = None
    hub: str | None = None
    adapters: tuple[Adapter, ...] = ()
    flag: Flag = "--llm"

    @property
    def revisions(self) -> dict[str, str]:
        """The ids that the server will answer to, the first one first, with their revisions."""
        found = {self.name: self.revision} | {a.name: f"{self.revision}+{a.revision}" for a in self.adapters}
        return {self.first: found.pop(self.first)} | found

    def hugging_face(self, cache_dir: Path, say: Callable[[str], None] = lambda text: None) -> str:
        """What vLLM is given: a folder (converted from the GGUF file if need be), or the hub id."""
        if self.hub is not None:
            return self.hub
        folder = self.folder if self.folder is not None else model_folder(_given(self.gguf), cache_dir, say)
        for adapter in self.adapters:
            check_base(adapter, config_of(folder))
        return str(folder)


def find_servable(
    spec: str,
    loras: Sequence[str],
    cache_dir: Path,
    *,
    progress: models.Progress | None = None,
) -> Servable:
    """The model behind `spec`: `smollm2`, `mini-writer` or `mini-answerer` (smollm2 with that adapter), a GGUF file, a folder, `ORG/NAME`.

    A folder or a hub id may be of a model that chats, with or without pictures, or of one that embeds: CLIP, SigLIP, sentence encoders.
    `loras`: `NAME=FOLDER`, `mini-writer` or `mini-answerer`. A model that is known by name is fetched.

    Raises:
        BadInput: no such model, not a language model, an adapter that is none or is of another base.
        PrerequisiteError: it cannot be fetched.
    """
    spec = spec.strip()
    found = tuple(find_adapter(each, cache_dir) for each in loras)
    names = [adapter.name for adapter in found]
    if len(set(names)) != len(names):
        raise BadInput(f"--lora: the names {names} are not all different; give them as NAME=FOLDER")
    if models.adapter_model(spec) is not None:
        own = find_adapter(spec, cache_dir)
        others = tuple(adapter for adapter in found if adapter.name != own.name)
        return _known("smollm2", own.name, (own, *others), cache_dir, progress)
    if spec in models.MODELS:
        return _known(spec, spec, found, cache_dir, progress)
    path = Path(spec.removeprefix("gguf:")).expanduser()
    if spec.startswith("gguf:") or path.suffix == ".gguf":
        if not path.is_file():
            raise BadInput(f"{spec!r}: there is no file {str(path)!r}")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise BadInput(f"{spec!r}: {str(path)!r} is not a GGUF file")
        sha = file_sha256(path, cache_dir)
        return Servable(name=path.stem, first=path.stem, revision=sha, gguf=path.resolve(), adapters=found)
    if path.is_dir():
        flag = _flag(config_of(path), (path / "modules.json").is_file(), spec, loras)
        revision = folder_revision(path, cache_dir)
        name = path.resolve().name
        return Servable(name=name, first=name, revision=revision, folder=path.resolve(), adapters=found, flag=flag)
    if spec.count("/") == 1 and not spec.startswith((".", "/", "~")) and all(spec.split("/")):
        cached = _cached_config(spec)
        flag = "--llm"
        if cached is not None:
            config = json.loads(cached.read_text(encoding="utf-8"))
            flag = _flag(config, (cached.parent / "modules.json").is_file(), spec, loras)
        revision = f"{spec}@{cached.parent.name}" if cached is not None else spec
        return Servable(name=spec, first=spec, revision=revision, hub=spec, adapters=found, flag=flag)
    raise BadInput(
        f"{spec!r} names no model: it is not {', '.join(_names())}, no folder, no .gguf file and no hub id (ORG/NAME)"
    )


def is_known(spec: str) -> bool:
    """Whether `spec` is a language model that is known by name, and so a GGUF file that can be fetched."""
    return spec.strip() in _names()


def config_of(folder: Path) -> dict[str, Any]:
    """The `config.json` of a model folder; raises `BadInput` where it has none."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
        return config
    except (OSError, ValueError) as error:
        raise BadInput(f"the folder {str(folder)!r} holds no model that can be served: config.json: {error}") from None


def _known(
    name: str, first: str, adapters: tuple[Adapter, ...], cache_dir: Path, progress: models.Progress | None
) -> Servable:
    model = models.MODELS[name]
    if model.kind != "llm":
        raise BadInput(f"{name!r} is no language model ({model.kind}); those known by name: {', '.join(_names())}")
    path = models.fetch(name, cache_dir, progress)
    return Servable(name=name, first=first, revision=str(model.sha256), gguf=path, adapters=adapters)


def _names() -> list[str]:
    return [model.chat for model in models.MODELS.values() if model.chat]


def _flag(config: dict[str, Any], is_encoder: bool, spec: str, loras: Sequence[str]) -> Flag:
    """What takes the model; `is_encoder`: its folder is laid out as sentence-transformers'."""
    kinds = [str(kind) for kind in config.get("architectures") or ()]
    flag: Flag | None = None
    if any(kind in _SEES_AND_READS for kind in kinds):
        flag = "--clip"
    elif is_encoder or any(kind.endswith(_READS) for kind in kinds):
        flag = "--embedder"
    elif any(kind.endswith(_SPEAKS) for kind in kinds) and config.get("model_type") != "blip":
        return "--llm"
    if flag is None:
        said = ", ".join(kinds) or "no architecture"
        raise BadInput(f"{spec!r} is no model that can be served (its config.json names {said})")
    if loras:
        raise BadInput(f"--lora: {spec!r} embeds, and is served without adapters")
    return flag


def _cached_config(hub: str) -> Path | None:
    """The `config.json` of a hub model that is in the local cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(hub, "config.json")
    except HFValidationError as error:
        raise BadInput(f"{hub!r} is not the name of a model: {error}") from None
    return Path(found) if isinstance(found, str) else None


def _given(path: Path | None) -> Path:
    if path is None:
        raise PrerequisiteError("there is no file of this model", remedy="name the model again")
    return path
