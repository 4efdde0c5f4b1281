"""Who encodes pictures: the families that a spec can name, and the one place that opens any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime.errors import BadInput
from ...runtime.protocols import ImageEncoder
from ...runtime.roles import Role
from ..models import find_weights
from .clip import open_clip
from .served import is_served
from .two_towers import open_two_towers
from .vision import PictureEncoder

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["FAMILIES", "open_encoder"]

FAMILIES: dict[str, tuple[str, ...]] = {
    "clip": ("clip",),
    "dino": ("vit", "resnet"),
    "dinov2": ("dinov2", "dinov2_with_registers"),
    "dinov3": ("dinov3_vit", "dinov3_convnext"),
    "ibot": ("vit", "swin"),
    "beit": ("beit",),
    "seer": ("regnet",),
    "siglip": ("siglip",),
    "blip": ("blip",),
}
"""By the word before the colon of a spec, the model types (of `config.json`) that belong to it."""
_LATER = ("openclip", "vitamin", "timm", "vpd")

PICTURES: Role[ImageEncoder] = Role("picture encoder", ImageEncoder, own=("mini", *FAMILIES, *_LATER))


@PICTURES.opener
def open_encoder(spec: str, store: Store, settings: Settings) -> ImageEncoder:
    """The encoder of pictures behind `spec`: "mini", FAMILY:MODEL, a folder, a hub id, a CLIP server's URL, or your own `module:object`.

    MODEL is a folder or a hub id in the format of transformers. FAMILY is one of `FAMILIES`; without it the model's config says what it is.
    CLIP, SigLIP and BLIP open as an `Embedder`, which knows texts as well; the others know none.

    Raises:
        BadInput: no such model, a model of another family or kind, or options that it does not take.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    if is_served(spec):
        return open_clip(spec, store, settings)
    family, sign, rest = spec.partition(":")
    if sign and family in _LATER:
        raise BadInput(
            f"{spec!r}: encoders of the family {family!r} cannot be opened yet: give {', '.join(FAMILIES)}, or module:object."
        )
    if sign and family in FAMILIES:
        name = rest
    else:
        family, name = "", spec
    if name.partition("?")[0] == "mini":
        if family not in ("", "clip"):
            raise BadInput(f"{spec!r}: the bundled encoder is a CLIP model: give mini or clip:mini.")
        return open_clip(name, store, settings)
    weights = find_weights(name, "encoder", settings.cache_dir)
    kind = str(weights.config()["model_type"])
    if family and kind not in FAMILIES[family]:
        raise BadInput(
            f"{spec!r} is a model of the type {kind!r}, and {family} has {' or '.join(FAMILIES[family])}:"
            f" give {name!r} alone, or another model."
        )
    if kind == "clip":
        return open_clip(name, store, settings)
    if weights.options:
        raise BadInput(f"{spec!r}: this encoder takes no options: leave out {', '.join(sorted(weights.options))}.")
    if kind in ("siglip", "blip"):
        return open_two_towers(kind, weights, store, settings)
    return PictureEncoder(weights, store, settings)
