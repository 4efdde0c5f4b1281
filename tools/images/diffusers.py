"""Painting: a text-to-image pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import InloopError
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, ImageRequest
from ...runtime.roles import Role
from ..models import find_weights
from .function import FunctionImages
from .pipeline import DiffusersModel, png
from .ready import ReadyImages
from .recipe import Recipe
from .served import ServedImages, is_served
from .started import START_OPTIONS, StartedImages

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersImages", "open_images"]


PAINTER: Role[ImageGenerator] = Role(
    "text-to-image model",
    ImageGenerator,
    own=("mini", "pictures"),
    plain=FunctionImages,
    form="paint(prompt: str, seed: int) -> PIL.Image.Image",
)


@PAINTER.opener
def open_images(spec: str, store: Store, settings: Settings) -> ImageGenerator:
    """The painter behind `spec`: "mini", the folder of a diffusers pipeline, a hub id, a server, ready pictures, or your own.

    `http(s)://HOST:PORT/v1[?size=1024x1024][#MODEL]` is an OpenAI-compatible images API (see `served`), `pictures:FOLDER` pictures that are there
    (see `ready`), and your own is a function or an object (see `runtime.roles`).

    The recipe comes from the class of the pipeline, then the model card of a known id, then `inloop.json` in the model's folder, then options in
    the spec: `stabilityai/sd-turbo?steps=2&dtype=float16`. With `start=PICTURE&strength=0.6` every picture starts from that one.

    Raises:
        BadInput: no such model, or an option that does not fit or would change nothing.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    if is_served(spec):
        return ServedImages(spec, store, settings)
    if spec.startswith("pictures:"):
        return ReadyImages(Path(spec.partition(":")[2]).expanduser(), store, settings)
    weights = find_weights(spec, "painter", settings.cache_dir)
    if not {*START_OPTIONS}.isdisjoint(weights.options):
        return StartedImages(weights, store, settings)
    return DiffusersImages(weights, store, settings, Recipe.of(weights))


class DiffusersImages(DiffusersModel[ImageRequest]):
    """An `ImageGenerator`; see `open_images`."""

    kind = "image"

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One PNG a request, in order; what the ledger has is not painted again.

        Raises:
            BadInput: an empty prompt or a seed outside 0 to 2**63 - 1.
            CallFailed: a picture could not be painted; the others are kept.
            PrerequisiteError: the model cannot be loaded.
        """
        self._check(requests)
        return await self._pictures(requests, ImageRequest.model_dump)

    def _painted(self, requests: list[ImageRequest], batch: int) -> list[bytes | InloopError]:
        size = {"height": self.recipe.height, "width": self.recipe.width}
        given = {name: side for name, side in size.items() if side is not None}
        painted = self._compute(self._pipe, requests, batch, **given)
        return [outcome if isinstance(outcome, InloopError) else png(outcome) for outcome in painted]
