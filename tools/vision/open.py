"""Question answering models by name."""

from __future__ import annotations

from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.roles import Role
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..models import find_weights
from .certificate import read_certificate
from .ensemble import EnsembleVQA
from .function import FunctionVQA
from .served import is_served, open_served_vqa
from .vision_vqa import JUDGES, VisionVQA
from .vqa import BlipVQA

__all__ = ["judges_of", "open_vqa"]

_JOINT = " + "
_SEES = ("ForConditionalGeneration", "ForVisionText2Text", "ForImageTextToText")
"""How the classes end that make text of a picture and a text; some of them do something else, which is said when they are loaded."""


JUDGE: Role[VisualQA] = Role(
    "question answering model",
    VisualQA,
    own=("mini",),
    plain=FunctionVQA,
    form="answer(image: PIL.Image.Image, question: str) -> str | float",
)


@JUDGE.opener
def open_vqa(spec: str, store: Store, settings: Settings) -> VisualQA:
    """The question answering model behind `spec`: "mini", the folder or the hub id of a vision-language model, a URL, or your own.

    A model of transformers is BLIP for question answering, or any class behind `AutoModelForImageTextToText` (Qwen-VL, LLaVA, InternVL, SmolVLM,
    PaliGemma, ...). Options behind a `?`: `batch=N`, how many questions are computed at once (8), and `fit=yes`, which cuts a call up into batches
    of powers of two and pads nothing (see `tools.models.shapes`).

    `http(s)://HOST:PORT/v1[#MODEL]` is a vision-language chat model behind a server (`inloop serve`, vLLM, OpenAI-like).

    `A + B` are several as one, with equal weights; the file of `inloop certify judges` names several with weights of their own.

    Raises:
        BadInput: no such model, a model of another kind, or one that is not what it was when its weight was certified.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    if len(parts := judges_of(spec)) > 1:
        return EnsembleVQA([open_vqa(part, store, settings) for part in parts])
    if spec.endswith(".json"):
        return _certified(Path(spec).expanduser(), store, settings)
    if is_served(spec):
        return open_served_vqa(spec, store, settings)
    weights = find_weights(spec, "vqa", settings.cache_dir)
    config = weights.config()
    kinds = [str(kind) for kind in config.get("architectures") or ()]
    if config["model_type"] == "blip" and not any(kind.endswith("ForConditionalGeneration") for kind in kinds):
        return BlipVQA(weights, store, settings)
    if config["model_type"] == "blip" or not any(kind.endswith(_SEES) for kind in kinds):
        named = f"of the class {kinds[0]}" if kinds else f"of the type {config['model_type']!r}"
        raise BadInput(f"{spec!r} is {named}, which answers no questions about pictures: {JUDGES}")
    return VisionVQA(weights, store, settings)


def judges_of(spec: str) -> list[str]:
    """The specs that `A + B` names; of a single judge that one."""
    return [part.strip() for part in spec.split(_JOINT)]


def _certified(path: Path, store: Store, settings: Settings) -> VisualQA:
    """The judges that a certificate names, with its weights."""
    certificate = read_certificate(path)
    members = [open_vqa(member.spec, store, settings) for member in certificate.members]
    for member, certified in zip(members, certificate.members, strict=True):
        if (member.model, member.revision) != (certified.model, certified.revision):
            raise BadInput(
                f"{str(path)!r} certifies {certified.model} at {certified.revision[:12]}, and {certified.spec!r} is {member.model} at"
                f" {member.revision[:12]} now: certify it again (inloop certify judges)."
            )
    # one of no weight would be asked for nothing
    weighed = [
        (member, each.weight) for member, each in zip(members, certificate.members, strict=True) if each.weight > 0
    ]
    if len(weighed) == 1:
        return weighed[0][0]
    return EnsembleVQA([member for member, _ in weighed], [weight for _, weight in weighed], certificate)
