"""A pipeline of diffusers behind the call ledger: what painting and editing have in common.

Invariants: a picture's noise comes from its own seed (a CPU generator for each picture), and a request always runs in
a batch of the size that its key names, filled up with a blank prompt, so it gives the same PNG whatever it is computed
with, on the same machine: the recipe's size, or with `fit` one that the call decides. Where a class pads prompts to the longest of a
batch, a batch holds one prompt. A
picture that came out as NaN, or that the model's safety checker blanked, is a failure. Who paints and who edits with the same
weights share them in memory.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import BlobRef, Cost, EditRequest, ImageRequest
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, hushed, shapes
from .lora import Lora, find_lora
from .pipeline_class import pipeline_class, takes_few_steps
from .recipe import KNOWN, Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DiffusersModel", "Sized", "placed", "png", "silent"]

RequestT = TypeVar("RequestT", ImageRequest, EditRequest)

_MAX_SEED = 2**63 - 1
_BINS = {  # latents a side for which a class that generates at the sizes it was trained on knows these
    "PixArtAlphaPipeline": (32, 64, 128),
    "PixArtSigmaPipeline": (32, 64, 128, 256),
    "SanaPipeline": (16, 32, 64, 128),
}
_LOADED: WeakValueDictionary[tuple[Hashable, ...], Any] = WeakValueDictionary()
_LOADING = threading.Lock()


class Sized(NamedTuple, Generic[RequestT]):
    """A request with the size of the batch that it is computed in."""

    request: RequestT
    batch: int


class DiffusersModel(LocalModel[Sized[RequestT], bytes]):
    """Base of what computes pictures with a pipeline. A subclass names the `kind` of its calls and gives `_painted`."""

    _batch_option = True
    kind = ""

    def __init__(self, weights: Weights, store: Store, settings: Settings, recipe: Recipe) -> None:
        super().__init__(
            weights, store, settings, max_batch=recipe.batch, linger=0.02, waits=lambda item: item.batch > 1
        )
        self.recipe = recipe
        self.about = pipeline_class(weights)
        self._lora: Lora | None = None
        if recipe.lora:
            self._lora = find_lora(recipe.lora, weights.spec, settings.cache_dir)
        self._tokenizers: list[tuple[Any, int]] | None = None
        self._pipe: Any = None
        self._check_sides(recipe.width, recipe.height)

    @property
    def revision(self) -> str:
        """The hub commit, or the sha256 of the folder's files; and that of the LoRA's file."""
        return self.weights.revision if self._lora is None else f"{self.weights.revision}+{self._lora.sha256}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know: settings that nobody named, and that may not be this model's."""
        if self.weights.source in KNOWN or {"steps", "guidance"} <= {*self.weights.options, *self._own_settings}:
            return ()
        told = f"{self._name} is run with {self.recipe.steps} steps and a guidance of {self.recipe.guidance:g}"
        if not self.about.known:
            kind = self.weights.config().get("_class_name")
            return (f"{told}: no settings of {kind} are known here; give those of its model card behind a '?'.",)
        if takes_few_steps(self.weights):
            return (f"{told}, since its name says that it was distilled to few steps; see its model card.",)
        return ()

    @cached_property
    def _own_settings(self) -> tuple[str, ...]:
        return tuple(self.weights.json("inloop.json"))

    @cached_property
    def latent_cell(self) -> int:
        """Width and height in pixels of what one latent stands for; 1 where the files do not say it. Loads no weights."""
        vae = self.weights.json("vae/config.json")
        if vae.get("temperal_downsample"):  # spelt so in the autoencoder of Qwen-Image
            return int(2 ** len(vae["temperal_downsample"]))
        blocks = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0]
        return int(2 ** (len(blocks) - 1))

    @property
    def _cell(self) -> int:
        """Pixels a side of which every picture is a whole number."""
        return self.latent_cell * self.about.patch

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures in pixels: the recipe's, else the pipeline's own. Loads no weights.

        Raises:
            BadInput: neither says it, or it is no multiple of `latent_cell`.
        """
        width, height = self.recipe.width, self.recipe.height
        if width is None or height is None:
            parts = [self.weights.json(f"{part}/config.json") for part in ("unet", "transformer")]
            latents = next((part["sample_size"] for part in parts if part.get("sample_size")), self.about.latents)
            if latents is None:
                raise BadInput(
                    f"{self.weights.spec!r}: its files do not say how large its pictures are:"
                    f" give it '{self._name}?width=1024&height=1024', or what its model card says."
                )
            rows, columns = latents if isinstance(latents, list) else (latents, latents)
            width, height = width or columns * self.latent_cell, height or rows * self.latent_cell
        self._check_sides(width, height)
        return width, height

    def _check_sides(self, *sides: int | None) -> None:
        for side in sides:
            if side is not None and side % self._cell:
                raise BadInput(
                    f"{self.weights.spec!r}: a side of {side} pixels cannot be computed:"
                    f" give a width and a height that are multiples of {self._cell}."
                )

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

    @property
    def batch(self) -> int:
        """How many pictures cost what one does: a smaller batch is filled up."""
        return 1 if self.recipe.fit else self.recipe.batch

    async def _pictures(
        self, requests: Sequence[RequestT], inputs: Callable[[RequestT], dict[str, Any]]
    ) -> list[BlobRef]:
        """The PNG of each request: the ledger's under its `inputs`, else a new one."""
        different = list(dict.fromkeys(requests))
        sizes = [self.recipe.batch] * len(different)
        if self.recipe.fit:
            sizes = shapes([self._company(request) for request in different], self.recipe.batch)
        sized = dict(zip(different, sizes, strict=True))
        return await settled([self._picture(Sized(each, sized[each]), inputs(each)) for each in requests])

    async def _picture(self, item: Sized[RequestT], inputs: dict[str, Any]) -> BlobRef:
        params = self.recipe.key(item.batch)
        call = Call(kind=self.kind, model=self.model, revision=self.revision, params=params, inputs=inputs)

        async def keep(data: bytes) -> Any:
            return (await asyncio.to_thread(self._store.blobs.put, data, "image/png")).model_dump()

        def there(value: Any) -> bool:
            return self._store.blobs.has(BlobRef.model_validate(value))

        value = await self._once(call, item, keep, cost=Cost(calls=1, images=1), usable=there)
        return BlobRef.model_validate(value)

    def _load(self, device: str) -> None:
        pipe = _loaded(self.weights, self.recipe, self._lora, device)
        self._guided(pipe, self.recipe.batch)  # what it would not take is told before anything is painted
        self._pipe = pipe

    def _serve(self, items: list[Sized[RequestT]]) -> list[bytes | InloopError]:
        together: dict[tuple[int, Hashable], list[int]] = {}
        for place, item in enumerate(items):
            together.setdefault((item.batch, self._company(item.request)), []).append(place)
        outcomes: dict[int, bytes | InloopError] = {}
        for (batch, _), places in together.items():
            for chunk in chunks(places, batch):
                outcomes |= zip(chunk, self._painted([items[place].request for place in chunk], batch), strict=True)
        return [outcomes[place] for place in range(len(items))]

    def _painted(self, requests: list[RequestT], batch: int) -> list[bytes | InloopError]:
        """The PNG of up to `batch` requests that agree in their `_company`, computed in a batch of that size."""
        raise NotImplementedError

    def _guided(self, pipe: Any, batch: int) -> dict[str, Any]:
        """The arguments of the pipeline that say how strongly the prompt counts, and against what, for a batch of this size.

        Raises:
            BadInput: it takes none of that name.
        """
        recipe, accepted = self.recipe, inspect.signature(pipe.__call__).parameters
        arguments: dict[str, Any] = {self.about.guided_by: recipe.guidance}
        if recipe.true_cfg is not None:
            arguments["true_cfg_scale"] = recipe.true_cfg
        if recipe.negative or (self.about.always_negative and recipe.guidance > 1):
            arguments["negative_prompt"] = [recipe.negative or " "] * batch
        takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in accepted.values())
        for name in arguments:
            if name not in accepted and not takes_all:
                option = {"negative_prompt": "negative", "true_cfg_scale": "true_cfg"}.get(name, "guidance")
                raise BadInput(f"{self.weights.spec!r}: {type(pipe).__name__} takes no {name}: leave {option} out.")
        # unasked, it would change the prompt where ftfy and Beautiful Soup are installed, and there alone
        arguments |= {"clean_caption": False} if "clean_caption" in accepted else {}
        if "use_resolution_binning" in accepted:
            known = _BINS.get(type(pipe).__name__)
            arguments["use_resolution_binning"] = known is None or pipe.transformer.config.sample_size in known
        return arguments

    def _company(self, request: RequestT) -> Hashable:
        """What requests must agree in to be computed together."""
        return None if self.about.mixes else request.prompt

    def _compute(
        self, pipe: Any, requests: Sequence[RequestT], batch: int, **options: Any
    ) -> list[NDArray[np.uint8] | InloopError]:
        """The pixels (height, width, 3) of each request, or why there are none: one batch of `batch` rows.

        `options` are further arguments of the pipeline; lists among them have `batch` entries. The requests agree in
        their `_company`.
        """
        import numpy as np
        import torch

        rows = [(request.prompt, request.seed) for request in requests]
        filler = ("", 0) if self.about.mixes else (rows[0][0], 0)
        rows += [filler] * (batch - len(rows))
        with silent():
            painted = pipe(
                prompt=[prompt for prompt, _ in rows],
                generator=[torch.Generator("cpu").manual_seed(seed) for _, seed in rows],
                num_inference_steps=self.recipe.steps,
                output_type="np",
                **self._guided(pipe, batch),
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
            opened.append((tokenizer, min(tokenizer.model_max_length, positions, self.about.tokens or positions)))
        return opened


def png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG bytes of pixels (height, width, 3)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def _loaded(weights: Weights, recipe: Recipe, lora: Lora | None, device: str) -> Any:
    """The text-to-image pipeline in memory: one for all that use these weights alike, for as long as somebody does."""
    import torch
    from diffusers import AutoPipelineForText2Image

    adapter = None if lora is None else (lora.sha256, recipe.lora_scale)
    key = (weights.source, weights.revision, recipe.dtype, device, adapter, recipe.offload)
    with _LOADING:
        pipe = _LOADED.get(key)
        if pipe is None:
            options: dict[str, Any] = {"dtype": getattr(torch, recipe.dtype)}
            if weights.bundled:
                options |= {"safety_checker": None, "requires_safety_checker": False}
            with silent():
                pipe = weights.load_model(AutoPipelineForText2Image, **options)
                if lora is not None:
                    lora.load_into(pipe, 1.0 if recipe.lora_scale is None else recipe.lora_scale, weights.spec)
                placed(pipe, recipe, device)
            pipe.set_progress_bar_config(disable=True)
            _LOADED[key] = pipe
    return pipe


def placed(pipe: Any, recipe: Recipe, device: str) -> None:
    """Bring the weights of a pipeline to the device, or have them brought there when they are needed."""
    if recipe.offload:
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)


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
