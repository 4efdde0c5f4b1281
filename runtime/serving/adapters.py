"""LoRA adapters: what a folder holds, whether it fits a base model, and loading it into a server that runs.

An adapter is peft's folder (`adapter_config.json`, `adapter_model.safetensors`); one with a `.gguf` file beside them also
fits llama.cpp. `revision` is the sha256 of what is served, so that a changed adapter is another model to the call ledger.

vLLM keeps prefixes that were computed with an adapter under the adapter's path: what is loaded at run time is therefore
always loaded from a path that is named after its revision.
"""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from ..errors import BadInput, PrerequisiteError
from ..http import ask, connection_remedy
from ..models import MODELS, adapter_model, bundled
from ..records import Record
from ..storage import draft_of
from ..store import file_sha256

__all__ = [
    "Adapter",
    "check_base",
    "find_adapter",
    "gguf_of",
    "listed",
    "load_adapter",
    "settled_path",
    "unload_adapter",
]

_WEIGHTS = "adapter_model.safetensors"


class Adapter(Record):
    """One LoRA adapter. `base` is the base model that its maker named, "" where none is named."""

    name: str
    folder: Path
    revision: str
    rank: int
    alpha: float
    base: str = ""


def find_adapter(spec: str, cache_dir: Path) -> Adapter:
    """The adapter behind `NAME=FOLDER`, `FOLDER` (its name becomes the adapter's), `mini-writer` or `mini-answerer`.

    Raises:
        BadInput: no such folder, or no LoRA of the kind that servers can load.
        PrerequisiteError: the bundled one is damaged.
    """
    name, sign, place = spec.partition("=")
    if not sign:
        name, place = ("", spec)
    own = adapter_model(place)
    if own is not None:
        folder, name = bundled(own.name), name or own.chat
    else:
        folder = Path(place).expanduser().resolve()
        name = name or folder.name
    if not name or any(sign in name for sign in "/#? "):
        raise BadInput(f"--lora {spec!r}: {name!r} cannot be the name of an adapter; give NAME=FOLDER")
    if name in MODELS and MODELS[name].kind != "llm adapter":
        raise BadInput(f"--lora {spec!r}: {name!r} is the name of a model; give the adapter another one")
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"--lora {spec!r}: {str(folder)!r} holds no LoRA adapter ({type(error).__name__}: {error});"
            " give the folder with adapter_config.json and adapter_model.safetensors"
        ) from None
    for option, what in (("use_dora", "DoRA"), ("modules_to_save", "whole modules beside the LoRA")):
        if config.get(option):
            raise BadInput(f"--lora {spec!r}: it holds {what} ({option}), which servers cannot load")
    if not (folder / _WEIGHTS).is_file():
        raise BadInput(f"--lora {spec!r}: there is no {_WEIGHTS} in {str(folder)!r}")
    revision = file_sha256(folder / _WEIGHTS, cache_dir)
    base = str(config.get("base_model_name_or_path") or "")
    return Adapter(name=name, folder=folder, revision=revision, rank=rank, alpha=alpha, base=base)


def check_base(adapter: Adapter, config: dict[str, Any]) -> None:
    """Whether the adapter's matrices fit a base model with this `config.json`.

    A server that is given an adapter of another base fails late and darkly, or applies it to part of the layers.

    Raises `BadInput` naming the first matrix that does not fit.
    """
    config = config.get("text_config", config)
    width, layers = config.get("hidden_size"), config.get("num_hidden_layers")
    if not isinstance(width, int) or not isinstance(layers, int):
        return
    for key, shape in _shapes(adapter.folder / _WEIGHTS).items():
        parts = key.split(".")
        block = next((int(b) for a, b in itertools.pairwise(parts) if a == "layers" and b.isdigit()), None)
        reads_width = any(name in key for name in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"))
        wrong = None
        if block is not None and block >= layers:
            wrong = f"is for layer {block}, the model has {layers}"
        elif "lora_A" in key and reads_width and shape[-1] != width:
            wrong = f"reads {shape[-1]} values, the model's layers have {width}"
        if wrong is not None:
            trained = f"; it was trained on {adapter.base}" if adapter.base else ""
            raise BadInput(
                f"the adapter {adapter.name!r} belongs to another base model: {key} {wrong}{trained}."
                " Give the adapter's own base as the model to serve"
            )


def gguf_of(adapter: Adapter, cache_dir: Path, head_dim: int) -> Path:
    """The adapter as a GGUF file for llama.cpp: the one beside it, else converted once (Llama architecture only)."""
    beside = sorted(adapter.folder.glob("*.gguf"))
    if len(beside) == 1:
        return beside[0]
    out = cache_dir / "adapters" / f"{adapter.revision[:16]}-{head_dim}.gguf"
    if not out.is_file():
        from safetensors.torch import load_file

        from .lora_gguf import export_lora

        state = load_file(str(adapter.folder / _WEIGHTS))
        try:
            export_lora(state, alpha=adapter.alpha, rank=adapter.rank, out=out, head_dim=head_dim, name=adapter.name)
        except ImportError as error:
            raise PrerequisiteError(
                "converting an adapter for the embedded server needs the package gguf, which is not installed",
                remedy="pip install 'inloop[serve]'",
            ) from error
    return out


def settled_path(adapter: Adapter, cache_dir: Path) -> Path:
    """A folder that is named after the adapter's revision and holds a copy of it, so that it cannot change while served."""
    folder = cache_dir / "adapters" / adapter.revision[:16]
    if not (folder / _WEIGHTS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("adapter_config.json", _WEIGHTS):
            part = draft_of(folder / name)
            shutil.copyfile(adapter.folder / name, part)
            part.replace(folder / name)
    return folder


def load_adapter(url: str, adapter: Adapter, cache_dir: Path, *, key: str = "") -> None:
    """Load an adapter into the running vLLM server at `url` (…/v1); one of the same name is replaced.

    Raises `PrerequisiteError`: nobody answers, the server cannot do it, or it refuses the adapter.
    """
    path = str(settled_path(adapter, cache_dir))
    body = {"lora_name": adapter.name, "lora_path": path}
    if adapter.name in listed(url, key=key):
        body |= {"load_inplace": True}  # type: ignore[dict-item]
    _post(url, "load_lora_adapter", body, f"load the adapter {adapter.name!r}", key)
    if adapter.name not in listed(url, key=key):
        raise PrerequisiteError(
            f"the server at {url!r} said yes to the adapter {adapter.name!r} and does not list it",
            remedy="serve with: inloop serve MODEL --lora NAME=FOLDER",
        )


def unload_adapter(url: str, name: str, *, key: str = "") -> None:
    """Take an adapter out of the running server. Raises as `load_adapter` does."""
    _post(url, "unload_lora_adapter", {"lora_name": name}, f"unload the adapter {name!r}", key)


def listed(url: str, *, key: str = "") -> dict[str, dict[str, Any]]:
    """What `/v1/models` lists, by id; adapters have a `parent`. Raises `PrerequisiteError` where nobody answers."""
    try:
        answer = ask(f"{url}/models", key=key)
        if not answer.ok:
            raise OSError(f"{answer.status} {answer.said}")
        return {str(entry["id"]): dict(entry) for entry in answer.value["data"]}
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise PrerequisiteError(
            f"the server at {url!r} does not list its models ({error})",
            remedy=connection_remedy(error)
            or "check the address (it ends in /v1) and its key (INLOOP_API_KEY); inloop serve --status lists servers",
        ) from error


def _post(url: str, what: str, body: dict[str, Any], doing: str, key: str) -> None:
    try:
        answer = ask(f"{url}/{what}", key=key, body=body, timeout=120)
    except OSError as error:
        raise PrerequisiteError(
            f"the server at {url!r} does not answer ({error})", remedy="inloop serve --status lists the servers"
        ) from error
    if answer.ok:
        return
    if answer.status == 404 and "cannot be found" not in answer.said:
        raise PrerequisiteError(
            f"the server at {url!r} cannot {doing} while it runs (it answered 404)",
            remedy="start it with `inloop serve` on vLLM; the embedded server takes its adapter at the start: --lora",
        )
    raise PrerequisiteError(
        f"the server at {url!r} did not {doing}: {answer.status} {answer.said}",
        remedy="check that the adapter belongs to the model that is served, and its rank (--max-lora-rank)",
    )


def _shapes(path: Path) -> dict[str, list[int]]:
    """Names and shapes in a safetensors file, from its header alone."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, 100_000_000)))
        return {key: list(value["shape"]) for key, value in header.items() if key != "__metadata__"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{str(path)!r} is no safetensors file ({error})") from None
