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
from ...runtime.registry import Registry

__all__ = ["KINDS", "WeightKind", "Weights", "find_weights", "hub_file", "is_bundled", "is_hub_id", "options_of"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")
_DETECTORS = (
    *("owlvit", "owlv2", "grounding-dino", "mm-grounding-dino"),
    *("detr", "conditional_detr", "deformable_detr", "dab-detr", "rt_detr", "rt_detr_v2", "d_fine", "yolos"),
)
_ENCODERS = (
    *("clip", "vit", "dinov2", "dinov2_with_registers", "dinov3_vit", "dinov3_convnext"),
    *("beit", "regnet", "resnet", "convnext", "convnextv2", "swin", "siglip", "blip"),
)


@dataclass(frozen=True, kw_only=True)
class WeightKind:
    """What the files of one kind of model look like.

    `wanted` says in words what would do. `markers` are the files that a folder must have one of. `field` of a JSON marker
    must be there (empty: nothing is asked of it), with one of the values `types` where any are named. `bundled` is what the
    ledger calls the model of this kind that comes with the package, if any; `own` is its spec.
    """

    wanted: str
    markers: tuple[str, ...] = ("config.json",)
    field: str = "model_type"
    types: tuple[str, ...] = ()
    bundled: str = ""
    own: str = "mini"

    def fits(self, config: dict[str, Any]) -> bool:
        """Whether the content of a JSON marker is that of such a model."""
        return not self.field or (config.get(self.field) in self.types if self.types else self.field in config)


KINDS: Registry[WeightKind] = Registry(
    "kind of model",
    "inloop.weights",
    {
        "painter": WeightKind(
            wanted="a diffusers pipeline such as stabilityai/sd-turbo",
            markers=("model_index.json",),
            field="_class_name",
            bundled="mini-diffusion",
        ),
        "vqa": WeightKind(
            wanted="a model that answers questions about pictures, such as Salesforce/blip-vqa-base or Qwen/Qwen2.5-VL-3B-Instruct",
            bundled="mini-vqa",
        ),
        "clip": WeightKind(
            wanted="a CLIP model such as openai/clip-vit-base-patch32", types=("clip",), bundled="mini-clip"
        ),
        "encoder": WeightKind(
            wanted="a picture encoder such as facebook/dinov2-small, facebook/dino-vits16 or openai/clip-vit-base-patch32",
            types=_ENCODERS,
            bundled="mini-clip",
        ),
        "classifier": WeightKind(wanted="an image classifier of transformers such as microsoft/resnet-18"),
        "promptcap": WeightKind(
            wanted="a captioner such as Salesforce/instructblip-flan-t5-xl or Qwen/Qwen2.5-VL-3B-Instruct",
            bundled="mini-promptcap",
            own="mini-promptcap",
        ),
        "detector": WeightKind(
            wanted="'ssd', or an object detector such as google/owlv2-base-patch16-ensemble or hustvl/yolos-tiny",
            types=_DETECTORS,
        ),
        "segmenter": WeightKind(
            wanted="'mini', 'sam2-tiny', or a SAM of transformers such as facebook/sam2.1-hiera-tiny or facebook/sam-vit-base",
            types=("sam", "sam2", "sam2_video"),
        ),
        "pickscore": WeightKind(wanted="a CLIP model such as yuvalkirstain/PickScore_v1", types=("clip",)),
        "hpsv2": WeightKind(
            wanted="xswu/HPSv2, a folder with HPS_v2.1_compressed.pt, or a CLIP model of transformers",
            markers=("HPS_v2.1_compressed.pt", "HPS_v2_compressed.pt", "config.json"),
            types=("clip",),
        ),
        "imagereward": WeightKind(
            wanted="THUDM/ImageReward, or a folder with ImageReward.pt and med_config.json",
            markers=("med_config.json",),
            field="",
        ),
        "itm": WeightKind(
            wanted="a BLIP for image-text retrieval such as Salesforce/blip-itm-base-coco", types=("blip",)
        ),
        "verifier": WeightKind(
            wanted="a cross-encoder of natural language inference such as cross-encoder/nli-deberta-v3-base",
            bundled="mini-verifier",
        ),
        "text": WeightKind(
            wanted="a text model of transformers, such as BAAI/bge-small-en-v1.5 to embed or HuggingFaceTB/SmolLM2-360M to train"
        ),
    },
)
"""The kinds of models that are found as files."""


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
        return hub_file(self.source, name, self.commit, self.spec, missing_ok=True)

    def load_model(self, kind: Any, **options: Any) -> Any:
        """`load` of a model: its weights are read from safetensors alone, since reading other formats can run code.

        Raises:
            PrerequisiteError: there are none in that format.
        """
        try:
            return self.load(kind, use_safetensors=True, **options)
        except OSError as error:
            others = self.commit is not None or any(self.root.rglob("*.bin")) or any(self.root.rglob("*.ckpt"))
            if not others or "safetensors" not in str(error):
                raise
            raise PrerequisiteError(
                f"{self.spec!r} has no weights in safetensors, and other formats can run code when they are read",
                remedy="take a revision that has them, OWNER/NAME@COMMIT (many models have one among their pull requests), or convert the files of a maker"
                " that you trust: safetensors.torch.save_file(torch.load('pytorch_model.bin', weights_only=True), 'model.safetensors')",
            ) from error

    def load(self, kind: Any, **options: Any) -> Any:
        """`kind.from_pretrained` of this very model's tokenizer or processor; a hub model that is in the cache is not asked of the network."""
        if kind.__module__.startswith("transformers.models.auto"):
            options["trust_remote_code"] = (
                False  # at a terminal transformers would ask whether to run the repository's code
            )
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

    `kind` is one of `KINDS`: "painter", "vqa", "clip", "detector", a reward, "text" (any text model of transformers), ...

    Raises:
        BadInput: the spec is no folder and no model id, or what it names is a model of another kind.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    about = KINDS.find(kind)
    name, _, query = spec.strip().partition("?")
    options = options_of(spec, query)
    if name == "mini":
        from ...runtime import models

        if not about.bundled:
            raise BadInput(f"there is no bundled model for this: give {about.wanted}.")
        root = models.bundled(kind)
        if (root / models.DELTA).is_file():
            root = models.whole(kind, cache_dir)
        return _folder(root, spec, about.markers[0], options, about, about.bundled, cache_dir)
    root = Path(name).expanduser()
    if name and root.is_dir():
        marker = next((marker for marker in about.markers if (root / marker).is_file()), about.markers[0])
        return _folder(root, spec, marker, options, about, root.resolve().name, cache_dir)
    own = about.own if about.bundled else ""
    if not is_hub_id(name) or name.startswith(("./", "../")):
        neither, give = (f"'{own}', nor ", f"'{own}', ") if own else ("", "")
        raise BadInput(
            f"{spec!r} is neither {neither}a folder that exists, nor a model id 'owner/name'."
            f" Give {give}the folder of the model, or {about.wanted}."
        )
    model, _, commit = name.partition("@")
    marker = about.markers[0]
    path = hub_file(model, marker, commit or None, spec, own=own)
    if path is None:
        raise BadInput(f"{model!r} has no {marker}, so it cannot be used here. Give {about.wanted}.")
    weights = Weights(
        spec=spec,
        model=model,
        revision=path.parent.name,
        source=model,
        commit=path.parent.name,
        root=path.parent,
        marker=marker,
        options=options,
    )
    return _checked(weights, about)


def _folder(
    root: Path, spec: str, marker: str, options: dict[str, str], about: WeightKind, model: str, cache_dir: Path
) -> Weights:
    from ...runtime.store import folder_revision

    if not (root / marker).is_file():
        raise BadInput(f"the folder {str(root)!r} has no {marker}, so it cannot be used here. Give {about.wanted}.")
    weights = Weights(
        spec=spec,
        model=model,
        revision=folder_revision(root, cache_dir),
        source=str(root.resolve()),
        commit=None,
        root=root.resolve(),
        marker=marker,
        options=options,
    )
    return _checked(weights, about)


def _checked(weights: Weights, about: WeightKind) -> Weights:
    if weights.marker.endswith(".json") and not about.fits(config := weights.config() if about.field else {}):
        has = (
            "no model type in its config.json"
            if about.field == "model_type" and not about.types
            else f"the {'pipeline class' if about.field == '_class_name' else 'model type'} {config.get(about.field)!r}"
        )
        raise BadInput(f"{weights.spec!r} has {has}, which cannot be used here. Give {about.wanted}.")
    return weights


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form of a hub id, `owner/name[@commit]`."""
    return _HUB_ID.fullmatch(name) is not None


def is_bundled(model: object) -> bool:
    """Whether a model is one of the small ones that come with the package."""
    weights = getattr(model, "weights", None)
    return isinstance(weights, Weights) and weights.bundled


def options_of(spec: str, query: str) -> dict[str, str]:
    """The options behind the `?` of a spec; `BadInput` where they are not name=value."""
    try:
        pairs = urllib.parse.parse_qsl(query, strict_parsing=True) if query else []
    except ValueError as error:
        raise BadInput(f"{spec!r}: the options after '?' are not name=value joined by '&' ({error}).") from None
    return dict(pairs)


def hub_file(
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
