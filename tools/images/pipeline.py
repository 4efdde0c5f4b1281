"""A pipeline of diffusers behind the call ledger: what painting and editing have in common.

Invariants: a picture's noise comes from its own seed (a CPU generator for each picture), and the pipeline always runs
batches of one fixed shape, filled up with a blank prompt, so the same request gives the same PNG whatever it is computed
with, on the same machine. A picture that came out as NaN, or that the model's safety checker blanked, is a failure. Who
paints and who edits with the same weights share them in memory.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import BlobRef, Cost, EditRequest, ImageRequest
from ...runtime.store import Call
from ..models import LocalModel, Weights, hushed
from .recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersModel", "png", "silent"]

RequestT = TypeVar("RequestT", ImageRequest, EditRequest)

_MAX_SEED = 2**63 - 1
_LOADED: WeakValueDictionary[tuple[str, ...], Any] = WeakValueDictionary()
_LOADING = threading.Lock()


class DiffusersModel(LocalModel[RequestT, bytes]):
    """Base of what computes pictures with a pipeline. A subclass names the `kind` of its calls and gives `_serve`."""

    _batch_option = True
    kind = ""

    def __init__(self, weights: Weights, store: Store, settings: Settings, recipe: Recipe) -> None:
        super().__init__(weights, store, settings, max_batch=recipe.batch, linger=0.02)
        self.recipe = recipe
        self._tokenizers: list[tuple[Any, int]] | None = None
        self._pipe: Any = None

    @cached_property
    def latent_cell(self) -> int:
        """Width and height in pixels of what one latent stands for; 1 where the files do not say it. Loads no weights."""
        vae = self.weights.json("vae/config.json")
        blocks = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0]
        return int(2 ** (len(blocks) - 1))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures in pixels: the recipe's, else the pipeline's own. Loads no weights.

        Raises:
            BadInput: neither says it, or it is no multiple of `latent_cell`.
        """
        width, height = self.recipe.width, self.recipe.height
        if width is None or height is None:
            parts = [self.weights.json(f"{part}/config.json") for part in ("unet", "transformer")]
            latents = next((part["sample_size"] for part in parts if part.get("sample_size")), None)
            if latents is None:
                raise BadInput(
                    f"{self.weights.spec!r}: its files do not say how large its pictures are:"
                    f" give it '{self._name}?width=1024&height=1024', or what its model card says."
                )
            rows, columns = latents if isinstance(latents, list) else (latents, latents)
            width, height = width or columns * self.latent_cell, height or rows * self.latent_cell
        if width % self.latent_cell or height % self.latent_cell:
            raise BadInput(
                f"{self.weights.spec!r}: {width} x {height} pixels cannot be computed:"
                f" give a width and a height that are multiples of {self.latent_cell}."
            )
        return width, height

    def cut(self, prompt: str) -> str | None:
        """The end of `prompt` that the text encoder will not see; None if it sees all of it. Loads no weights."""
        if self._tokenizers is None:
            self._tokenizers = self._open_tokenizers()
        kept = [_seen(prompt, tokenizer, limit) for tokenizer, limit in self._tokenizers]
        end = max(kept, default=len(prompt))  # what one of several text encoders sees is seen
        return prompt[end:].strip() or None

    @property
    def _name(self) -> str:
        """The spec without its options."""
        return self.weights.spec.partition("?")[0]

    def _check(self, requests: Sequence[RequestT]) -> None:
        for request in requests:
            if not request.prompt.strip():
                raise BadInput(f"the prompt {request.prompt!r} is empty: write what is to be painted.")
            if not 0 <= request.seed <= _MAX_SEED:
                raise BadInput(f"the seed {request.seed!r} is out of range: give a number from 0 to 2**63 - 1.")

    async def _picture(self, request: RequestT, inputs: dict[str, Any]) -> BlobRef:
        """The PNG of a request: the ledger's under these inputs, else a new one."""
        call = Call(
            kind=self.kind, model=self.model, revision=self.revision, params=self.recipe.model_dump(), inputs=inputs
        )

        async def keep(data: bytes) -> Any:
            return (await asyncio.to_thread(self._store.blobs.put, data, "image/png")).model_dump()

        def there(value: Any) -> bool:
            return self._store.blobs.has(BlobRef.model_validate(value))

        value = await self._once(call, request, keep, cost=Cost(calls=1, images=1), usable=there)
        return BlobRef.model_validate(value)

    def _load(self, device: str) -> None:
        self._pipe = _loaded(self.weights, self.recipe.dtype, device)

    def _compute(
        self, pipe: Any, requests: Sequence[RequestT], **options: Any
    ) -> list[NDArray[np.uint8] | InloopError]:
        """The pixels (height, width, 3) of each request, or why there are none: one batch of `recipe.batch` rows.

        `options` are further arguments of the pipeline; lists among them have `recipe.batch` entries.
        """
        import numpy as np
        import torch

        rows = [(request.prompt, request.seed) for request in requests]
        rows += [("", 0)] * (self.recipe.batch - len(rows))
        with silent():
            painted = pipe(
                prompt=[prompt for prompt, _ in rows],
                generator=[torch.Generator("cpu").manual_seed(seed) for _, seed in rows],
                num_inference_steps=self.recipe.steps,
                guidance_scale=self.recipe.guidance,
                output_type="np",
                **options,
            )
        flagged = getattr(painted, "nsfw_content_detected", None) or [False] * len(rows)
        outcomes: list[NDArray[np.uint8] | InloopError] = []
        for request, pixels, blanked in zip(requests, painted.images, flagged, strict=False):
            if blanked:
                outcomes.append(
                    CallFailed(f"the safety checker of {self.model} blanked the picture of {request.prompt!r}")
                )
            elif not np.isfinite(pixels).all():
                outcomes.append(CallFailed(f"{self.model} painted NaN for {request.prompt!r} with seed {request.seed}"))
            else:
                outcomes.append((pixels.clip(0, 1) * 255).round().astype("uint8"))
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


def png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of pixels (height, width, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _loaded(weights: Weights, dtype: str, device: str) -> Any:
    """The text-to-image pipeline in memory: one for all that use these weights alike, for as long as somebody does."""
    import torch
    from diffusers import AutoPipelineForText2Image

    key = (weights.source, weights.revision, dtype, device)
    with _LOADING:
        pipe = _LOADED.get(key)
        if pipe is None:
            options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
            if weights.bundled:
                options |= {"safety_checker": None, "requires_safety_checker": False}
            with silent():
                pipe = _LOADED[key] = weights.load(AutoPipelineForText2Image, **options).to(device)
            pipe.set_progress_bar_config(disable=True)
    return pipe


@contextmanager
def silent() -> Iterator[None]:
    """Keeps diffusers from chatting on the standard error."""
    from diffusers.utils import logging

    with hushed(logging):
        yield


def _seen(text: str, tokenizer: Any, limit: int) -> int:
    """How many characters of `text` fit into `limit` tokens."""
    coded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False, verbose=False)
    room = limit - tokenizer.num_special_tokens_to_add()
    offsets = coded["offset_mapping"]
    return len(text) if len(offsets) <= room else int(offsets[room][0])
