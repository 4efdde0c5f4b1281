"""Captions of pictures, for a question where one is given: who gives them, and many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...runtime.errors import BadInput, CallFailed, PrerequisiteError
from ...runtime.llm import open_server
from ...runtime.protocols import Captioner
from ...runtime.records import BlobRef
from ...runtime.roles import Role
from ...runtime.session import settled
from ..models import find_weights
from .blip_captioner import BlipCaptioner
from .function import FunctionCaptioner
from .served import ServedCaptioner, is_served
from .vision_captioner import CAPTIONERS, VisionCaptioner

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["each_caption", "open_captioner"]

_MINI = "mini-promptcap"

CAPTIONER: Role[Captioner] = Role(
    "captioner",
    Captioner,
    own=("mini-promptcap", "mini"),
    plain=FunctionCaptioner,
    form="caption(image: PIL.Image.Image, question: str | None) -> str",
)


@CAPTIONER.opener
def open_captioner(spec: str, store: Store, settings: Settings) -> Captioner:
    """The captioner behind `spec`: "mini-promptcap", a folder or a hub id of a vision-language model, a server's URL, or your own.

    Options behind a `?`: `batch`, `beams` (PromptCap was published with 5; default: greedy), `tokens`.

    Raises:
        BadInput: no such model, or options that mean nothing.
        PrerequisiteError: the model cannot be fetched, a bundled file is missing or altered, or transformers has no such class.
    """
    if is_served(spec):
        return ServedCaptioner(open_server(spec, store, settings, option="--captioner"))
    name, sign, options = spec.strip().partition("?")
    weights = find_weights(("mini" if name == _MINI else name) + sign + options, "promptcap", settings.cache_dir)
    config = weights.config()
    kind = str(config["model_type"])
    if kind == "ofa" or "OFAModel" in config.get("architectures", ()):
        raise PrerequisiteError(
            f"{spec!r} are OFA weights (as PromptCap's own are), and transformers has no OFA: the class published with them"
            " fails in generate() with every current version",
            remedy=CAPTIONERS,
        )
    if kind == "blip":
        return BlipCaptioner(weights, store, settings)
    return VisionCaptioner(weights, store, settings)


async def each_caption(captioner: Captioner, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str | None]:
    """A caption for each, in order; None where the captioner refuses that one or cannot write it.

    Raises:
        BadInput, CallFailed: the first failure, where every one failed; a failure that may pass by itself always.
        PrerequisiteError: as `Captioner.caption`.
    """
    failures: list[BadInput | CallFailed] = []

    async def one(image: BlobRef, question: str | None) -> str | None:
        try:
            [text] = await captioner.caption([(image, question)])
        except (BadInput, CallFailed) as error:
            if isinstance(error, CallFailed) and error.retryable:
                raise
            failures.append(error)
            return None
        return text

    found = await settled([one(image, question) for image, question in asked])
    if failures and len(failures) == len(found):
        raise failures[0]
    return found
