"""Where a model's files are, and which ones they are: known without loading them.

A spec is `mini`, a folder, or a hub id `owner/name[@commit]`, with options behind a `?`
(`stabilityai/sd-turbo?steps=2`). A hub id is looked up in the local cache first, so a model stays at the commit that
was fetched; its commit is the revision. A folder's revision is the sha256 of its files.
"""

from __future__ import annotations

import json
import re
import socket
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError

__all__ = ["Weights", "find_weights", "options_of"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_BUNDLED = {"painter": "mini-diffusion", "vqa": "mini-vqa", "clip": "mini-clip", "promptcap": "mini-promptcap"}
_WANTED = {
    "painter": "a diffusers pipeline such as stabilityai/sd-turbo",
    "vqa": "a BLIP question answering model such as Salesforce/blip-vqa-base",
    "clip": "a CLIP model such as openai/clip-vit-base-patch32",
    "promptcap": "a captioner such as Salesforce/instructblip-flan-t5-xl or Qwen/Qwen2.5-VL-3B-Instruct",
    "detector": "'ssd', or an object detector such as google/owlv2-base-patch16-ensemble or hustvl/yolos-tiny",
    "pickscore": "a CLIP model such as yuvalkirstain/PickScore_v1",
    "hpsv2": "xswu/HPSv2, a folder with HPS_v2.1_compressed.pt, or a CLIP model of transformers",
    "imagereward": "THUDM/ImageReward, or a folder with ImageReward.pt and med_config.json",
    "text": "a text model of transformers, such as BAAI/bge-small-en-v1.5 to embed or HuggingFaceTB/SmolLM2-360M to train",
}
_MARKERS = {
    "painter": ("model_index.json",),
    "hpsv2": ("HPS_v2.1_compressed.pt", "HPS_v2_compressed.pt", "config.json"),
    "imagereward": ("med_config.json",),
}
_TYPES = {
    "vqa": ("blip",),
    "clip": ("clip",),
    "pickscore": ("clip",),
    "detector": (
        *("owlvit", "owlv2", "grounding-dino", "mm-grounding-dino"),
        *("detr", "conditional_detr", "deformable_detr", "dab-detr", "rt_detr", "rt_detr_v2", "d_fine", "yolos"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A model that was found. `source` and `commit` are what `from_pretrained` takes; `commit` is None for a folder.

    `root` holds at least `marker` (`config.json` or `model_index.json`); a hub model's other files may be missing.
    """

    spec: str
    model: str
    revision: str
    source: str
    commit: str | None
    root: Path
    marker: str
    options: dict[str, str]

    @property
    def bundled(self) -> bool:
        """Whether it is one of the small models that come with the package."""
        return self.spec.partition("?")[0] == "mini"

    def config(self) -> dict[str, Any]:
        """The content of `marker`."""
        return _read_json(self.root / self.marker)

    def file(self, name: str) -> Path | None:
        """The path of a file of the model, fetched from the hub if need be; None where the model has no such file."""
        path = self.root / name
        if path.is_file():
            return path
        if self.commit is None:
            return None
        return _hub_file(self.source, name, self.commit, self.spec, missing_ok=True)

    def load(self, kind: Any, **options: Any) -> Any:
        """`kind.from_pretrained` of this very model; a hub model that is in the cache is not asked of the network."""
        if self.commit is None:
            return kind.from_pretrained(self.source, **options)
        try:
            return kind.from_pretrained(self.source, revision=self.commit, local_files_only=True, **options)
        except (OSError, ValueError):
            _probe()
            return kind.from_pretrained(self.source, revision=self.commit, **options)

    def json(self, name: str) -> dict[str, Any]:
        """The content of a JSON file of the model; empty where there is no such file."""
        path = self.file(name)
        return {} if path is None else _read_json(path)


def find_weights(spec: str, kind: str, cache_dir: Path) -> Weights:
    """The files behind `spec`; `cache_dir` remembers the hashes of large files.

    `kind` is "painter", "vqa", "clip", "detector", a reward, or "text" (any text model of transformers).

    Raises:
        BadInput: the spec is no folder and no model id, or what it names is a model of another kind.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    name, _, query = spec.strip().partition("?")
    options = options_of(spec, query)
    markers = _MARKERS.get(kind, ("config.json",))
    if name == "mini":
        from ...runtime import models

        if kind not in _BUNDLED:
            raise BadInput(f"there is no bundled model for this: give {_WANTED[kind]}.")
        found = _folder(models.bundled(kind), spec, markers[0], options, kind, _BUNDLED[kind], cache_dir)
        return _checked(found, kind)
    root = Path(name).expanduser()
    if name and root.is_dir():
        marker = next((marker for marker in markers if (root / marker).is_file()), markers[0])
        return _checked(_folder(root, spec, marker, options, kind, root.resolve().name, cache_dir), kind)
    if not _HUB_ID.fullmatch(name) or name.startswith(("./", "../")):
        own = f"'{_own(kind)}', nor " if _own(kind) else ""
        raise BadInput(
            f"{spec!r} is neither {own}a folder that exists, nor a model id 'owner/name'."
            f" Give {own.replace(', nor', ',')}the folder of the model, or {_WANTED[kind]}."
        )
    model, _, commit = name.partition("@")
    marker = markers[0]
    path = _hub_file(model, marker, commit or None, spec, own=_own(kind))
    if path is None:
        raise BadInput(f"{model!r} has no {marker}, so it cannot be used here. Give {_WANTED[kind]}.")
    found = Weights(
        spec=spec,
        model=model,
        revision=path.parent.name,
        source=model,
        commit=path.parent.name,
        root=path.parent,
        marker=marker,
        options=options,
    )
    return _checked(found, kind)


def _folder(
    root: Path, spec: str, marker: str, options: dict[str, str], kind: str, model: str, cache_dir: Path
) -> Weights:
    from ...runtime.store import folder_revision

    if not (root / marker).is_file():
        raise BadInput(f"the folder {str(root)!r} has no {marker}, so it cannot be used here. Give {_WANTED[kind]}.")
    return Weights(
        spec=spec,
        model=model,
        revision=folder_revision(root, cache_dir),
        source=str(root.resolve()),
        commit=None,
        root=root.resolve(),
        marker=marker,
        options=options,
    )


def _checked(weights: Weights, kind: str) -> Weights:
    if weights.marker.endswith(".pt") or kind == "imagereward":
        return weights
    config = weights.config()
    if kind in ("text", "promptcap"):
        fits, is_ = "model_type" in config, "no model type in its config.json"
    elif kind == "painter":
        fits, is_ = "_class_name" in config, f"the pipeline class {config.get('_class_name')!r}"
    else:
        fits, is_ = (
            config.get("model_type") in _TYPES.get(kind, ("clip",)),
            f"the model type {config.get('model_type')!r}",
        )
    if not fits:
        raise BadInput(f"{weights.spec!r} has {is_}, which cannot be used here. Give {_WANTED[kind]}.")
    return weights


def options_of(spec: str, query: str) -> dict[str, str]:
    """The options behind the `?` of a spec; `BadInput` where they are not name=value."""
    try:
        pairs = urllib.parse.parse_qsl(query, strict_parsing=True) if query else []
    except ValueError as error:
        raise BadInput(f"{spec!r}: the options after '?' are not name=value joined by '&' ({error}).") from None
    return dict(pairs)


def _own(kind: str) -> str:
    """The name of the small model of that kind that comes with the package; empty where there is none."""
    return "" if kind not in _BUNDLED else "mini-promptcap" if kind == "promptcap" else "mini"


def _hub_file(
    model: str, name: str, commit: str | None, spec: str, *, own: str = "", missing_ok: bool = False
) -> Path | None:
    """One file from the hub's local cache, else from the hub; None where the repository has no such file.

    `own`: the bundled model that would do instead, for the messages.
    """
    import huggingface_hub as hub
    from huggingface_hub import errors

    try:
        return Path(hub.hf_hub_download(model, name, revision=commit, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    except errors.EntryNotFoundError:
        return None
    except errors.HFValidationError as error:
        raise BadInput(f"{spec!r} is no model id: {error}") from None
    try:
        _probe()
        return Path(hub.hf_hub_download(model, name, revision=commit, etag_timeout=5))
    except errors.LocalEntryNotFoundError as error:
        # also raised offline; without a network an optional file cannot be told from a missing one
        if missing_ok:
            return None
        raise _unreachable(spec, own, error) from error
    except errors.EntryNotFoundError:
        return None
    except errors.GatedRepoError as error:
        raise PrerequisiteError(
            f"the model {model!r} is gated and its terms were not accepted with your account",
            remedy=f"accept them at https://huggingface.co/{model}, then run `hf auth login`.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise BadInput(
            f"the model hub has no {spec!r} that you may read. Check the spelling, or give a folder{f', or {own!r}' * bool(own)}."
        ) from error
    except OSError as error:  # every other error of the hub's client is one of these too
        if missing_ok:
            return None
        raise _unreachable(spec, own, error) from error


def _probe() -> None:
    """Raise OSError at once where there is no network; the hub's own client would retry for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or urllib.request.getproxies():
        return  # the client itself refuses at once; and through a proxy a direct connection proves nothing
    endpoint = urllib.parse.urlsplit(constants.ENDPOINT)
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    socket.create_connection((endpoint.hostname or "", port), timeout=5).close()


def _unreachable(spec: str, own: str, error: Exception) -> PrerequisiteError:
    offline = f"use {own!r}, which needs no network; or " if own else ""
    return PrerequisiteError(
        f"the model {spec!r} is not in the local cache, and the model hub cannot be reached ({type(error).__name__})",
        remedy=f"{offline}connect to the network once; or copy the model's folder here and give its path (for another"
        " cache folder set HF_HOME).",
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrerequisiteError(
            f"{path} cannot be read as JSON: {error}", remedy="fetch or export the model again."
        ) from error
    if not isinstance(content, dict):
        raise PrerequisiteError(f"{path} holds no JSON object", remedy="fetch or export the model again.")
    return content
