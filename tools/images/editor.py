"""Editing: the image-to-image and the inpainting pipeline of diffusers, on the weights of a text-to-image pipeline.

Image-to-image is SDEdit (Meng et al. 2022): noise is put on the picture's latents, as much as after `1 - strength` of the steps is
left, and the last `strength` of the steps are taken. Inpainting does the same where the mask is white, and puts the picture's own
latents, with noise, back around it after each step (a model trained to inpaint is shown them instead). What is kept has been
through the autoencoder by then, so the picture's own pixels are put back outside of the mask.

A pipeline takes one strength for a batch: edits of different strengths, with and without a mask, are computed one after the other,
each kind in batches of the full size.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, InloopError
from ...runtime.protocols import ImageEditor
from ...runtime.records import BlobRef, EditRequest
from ...runtime.roles import Role
from ..models import Weights, find_weights
from .canvas import Canvas
from .function import FunctionEditor
from .pipeline import DiffusersModel, placed, png, silent
from .recipe import Recipe

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersEditor", "open_editor"]


EDITOR: Role[ImageEditor] = Role(
    "image editor",
    ImageEditor,
    own=("mini",),
    plain=FunctionEditor,
    form="edit(prompt: str, seed: int, image: PIL.Image.Image, mask: PIL.Image.Image | None, strength: float) -> PIL.Image.Image",
)


@EDITOR.opener
def open_editor(spec: str, store: Store, settings: Settings) -> ImageEditor:
    """The editor behind `spec`: what `open_images` takes, with the same recipe, or an editor of your own (see `runtime.roles`).

        with inloop.Store("store") as store:
            editor = open_editor("mini", store, inloop.Settings())
            picture = read_picture(Path("kitchen.png"), store.blobs).blob
            [edited] = await editor.edit([EditRequest(prompt="a blue cup", seed=0, image=picture, strength=0.6)])
            store.blobs.get_image(edited).save("edited.png")
            await editor.aclose()

    Raises:
        BadInput: no such model, or an option that does not fit.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    weights = find_weights(spec, "painter", settings.cache_dir)
    return DiffusersEditor(weights, store, settings, Recipe.of(weights))


class DiffusersEditor(DiffusersModel[EditRequest]):
    """An `ImageEditor`; see `open_editor`."""

    kind = "edit"

    def __init__(self, weights: Weights, store: Store, settings: Settings, recipe: Recipe) -> None:
        super().__init__(weights, store, settings, recipe)
        if self.about.edits is False:
            raise BadInput(
                f"{weights.spec!r} is a {weights.config().get('_class_name')}, of which diffusers has no image-to-image pipeline:"
                " give another model."
            )
        self._pipes: dict[str, Any] = {}

    async def edit(self, requests: Sequence[EditRequest]) -> list[BlobRef]:
        """One PNG a request, in order; what the ledger has is not computed again.

        Pictures must have the size that the pipeline computes (`size`): made to fit they would be distorted, cut or blurred.

        Raises:
            BadInput: an empty prompt, a seed outside 0 to 2**63 - 1, a strength that is no share or less than one of the
                recipe's steps, a picture of another size, a mask that cannot be used (see `tools.images.canvas`), or a class of
                models that diffusers cannot edit with. All but the last before anything is loaded.
            CallFailed: a picture could not be edited; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        self._check(requests)
        await asyncio.to_thread(self.check, requests)
        return await self._pictures(requests, EditRequest.content)

    def check(self, requests: Sequence[EditRequest]) -> None:
        """Raise `BadInput` for a picture, a mask or a strength that cannot be used; loads no weights."""
        # reads and forgets: many large pictures would not fit into memory together
        width, height = self.size
        for request in requests:
            canvas = Canvas.of(request, self._store.blobs)
            if canvas.size != self.size:
                raise BadInput(
                    f"the picture is {canvas.size[0]} x {canvas.size[1]} pixels, and {self._name!r} works at {width} x {height}:"
                    f" make it fit first (PIL.ImageOps.fit(picture, ({width}, {height}))), or have the model work at its size"
                    f" ('{self._name}?width={canvas.size[0]}&height={canvas.size[1]}')."
                )
            # as diffusers counts them
            if int(self.recipe.steps * request.strength) < 1:
                raise BadInput(
                    f"strength={request.strength!r} of {self.recipe.steps} steps is less than one step:"
                    f" give at least {math.ceil(100 / self.recipe.steps) / 100}, or more steps ('{self._name}?steps={math.ceil(1 / request.strength)}')."
                )

    def _company(self, request: EditRequest) -> Hashable:
        return request.strength, request.mask is None, super()._company(request)

    def _painted(self, requests: list[EditRequest], batch: int) -> list[bytes | InloopError]:
        import numpy as np

        task = "Image2Image" if requests[0].mask is None else "Inpainting"
        try:
            pipe = self._pipeline(task)
        except BadInput as error:
            return [error] * len(requests)
        width, height = self.size
        canvases = [Canvas.of(request, self._store.blobs) for request in requests]
        blank = Canvas(pixels=np.full((height, width, 3), 127, dtype=np.uint8))
        rows = canvases + [blank] * (batch - len(canvases))  # grey ones fill it up
        options: dict[str, Any] = {"image": [row.picture for row in rows], "strength": requests[0].strength}
        if task == "Inpainting":
            options["mask_image"] = [row.mask_image(cell=self.latent_cell) for row in rows]
        # some take the size from the picture alone
        accepted = inspect.signature(pipe.__call__).parameters
        options |= {name: side for name, side in (("width", width), ("height", height)) if name in accepted}
        painted = self._compute(pipe, requests, batch, **options)
        return [
            outcome if isinstance(outcome, InloopError) else png(canvas.keep_outside(outcome))
            for canvas, outcome in zip(canvases, painted, strict=True)
        ]

    def _pipeline(self, task: str) -> Any:
        """The pipeline for "Image2Image" or "Inpainting", of the components that are in memory.

        Raises:
            BadInput: diffusers has none for this class of models, or one without a strength; or the model takes more than that.
        """
        import diffusers

        if task in self._pipes:
            return self._pipes[task]
        auto = getattr(diffusers, f"AutoPipelineFor{task}")
        # a scheduler remembers where in its steps it is: each pipeline has its own
        scheduler = copy.deepcopy(self._pipe.scheduler)
        try:
            with silent():
                pipe = auto.from_pipe(self._pipe, scheduler=scheduler, **(self._twin() if task == "Inpainting" else {}))
        except ValueError as error:
            raise self._no_editor(auto, str(error)) from None
        unet = getattr(self._pipe, "unet", None)
        if task == "Image2Image" and unet is not None and unet.config.in_channels != pipe.vae.config.latent_channels:
            raise self._no_editor(auto, "it was trained with more than a picture as its input, such as a mask")
        if "strength" not in inspect.signature(pipe.__call__).parameters:
            raise self._no_editor(auto, f"{type(pipe).__name__} takes no strength")
        self._guided(pipe, self.recipe.batch)
        if self.recipe.offload:
            placed(pipe, self.recipe, self._device)
        pipe.set_progress_bar_config(disable=True)
        self._pipes[task] = pipe
        return pipe

    def _twin(self) -> dict[str, Any]:
        """The denoiser under the 4 channels that diffusers' inpainting takes for "as many as the latents have", where they are others."""
        unet = getattr(self._pipe, "unet", None)
        if unet is None:
            return {}
        latents = self._pipe.vae.config.latent_channels
        if latents == 4 or unet.config.in_channels != latents:
            return {}
        twin = copy.copy(unet)  # of the same weights; only what it says of itself is another
        twin.register_to_config(in_channels=4)
        return {"unet": twin}

    def _no_editor(self, auto: type, why: str) -> BadInput:
        return BadInput(
            f"{self.weights.spec!r} is a {type(self._pipe).__name__}, which cannot be used for this edit"
            f" ({auto.__name__}: {why}). Give another model."
        )
