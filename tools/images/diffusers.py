"""Painting: a text-to-image pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...runtime.errors import InloopError
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, ImageRequest
from ...runtime.roles import Role
from ...runtime.run import settled
from ..models import find_weights
from .function import FunctionImages
from .pipeline import DiffusersModel, png
from .recipe import Recipe

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersImages", "open_images"]


PAINTER: Role[ImageGenerator] = Role(
    "text-to-image model",
    ImageGenerator,
    own=("mini",),
    plain=FunctionImages,
    form="paint(prompt: str, seed: int) -> PIL.Image.Image",
)


@PAINTER.opener
def open_images(spec: str, store: Store, settings: Settings) -> ImageGenerator:
    """The painter behind `spec`: "mini", the folder of a diffusers pipeline, a hub id, or your own (see `runtime.roles`).

    The recipe comes from the model card of a known id, then `inloop.json` in the model's folder, then options in the
    spec: `stabilityai/sd-turbo?steps=2&dtype=float16`.

    Raises:
        BadInput: no such model, or an option that does not fit.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    weights = find_weights(spec, "painter", settings.cache_dir)
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
        return await settled([self._picture(request, request.model_dump()) for request in requests])

    def _serve(self, items: list[ImageRequest]) -> list[bytes | InloopError]:
        painted = self._compute(self._pipe, items, height=self.recipe.height, width=self.recipe.width)
        return [outcome if isinstance(outcome, InloopError) else png(outcome) for outcome in painted]
