"""Painting behind a server: the images API of OpenAI, as vLLM-Omni, SGLang and others serve it.

A request asks for one picture, with its own seed, since a picture belongs to its seed. The fields beyond OpenAI's own (`seed`, `num_inference_steps`,
`guidance_scale`, `true_cfg_scale`, `negative_prompt`) are those that vLLM-Omni documents; OpenAI's API refuses a seed, and some servers pass over
it. So before the first picture a server is asked three times, with one seed twice and with another: only where the seed decides what is painted
are pictures on the same seed comparable, and where it does not the run says so.
"""

from __future__ import annotations

import asyncio
import base64
import io
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from ...runtime.errors import BadInput, CallFailed, PrerequisiteError
from ...runtime.records import BlobRef, Cost, ImageRequest, Record
from ...runtime.session import settled
from ...runtime.store import Call
from ...runtime.transport import OPENAI, ImageSender, Refused, address
from ..data import keep_picture
from ..models import options_of

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ServedImages", "ServedRecipe", "is_served"]

_FIELDS = {
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "true_cfg": "true_cfg_scale",
    "negative": "negative_prompt",
}
_TRIAL = "a red apple on a wooden table"
_ALIKE = 0.25
"""Of the distance between pictures of two seeds, what two of one seed may be apart: servers compute in batches that round differently."""


def is_served(spec: str) -> bool:
    """Whether a generator's spec is the address of a server."""
    return spec.startswith(("http://", "https://"))


class ServedRecipe(Record):
    """What is asked of a server, beyond the prompt and the seed; what is not set is left to the server.

    `size` in pixels, as in 1024x1024. `seeds`: whether it paints by the seed; "ask" finds out.
    """

    size: str | None = Field(default=None, pattern="^[0-9]+x[0-9]+$")
    steps: int | None = Field(default=None, ge=1, le=1000)
    guidance: float | None = Field(default=None, ge=0)
    true_cfg: float | None = Field(default=None, ge=0)
    negative: str | None = None
    seeds: Literal["ask", "yes", "no"] = "ask"

    def body(self) -> dict[str, Any]:
        """The fields of a request: OpenAI's own, and the others as `extra_body`."""
        given = self.model_dump(exclude={"seeds", "size"}, exclude_none=True)
        extra = {_FIELDS[name]: value for name, value in given.items()}
        return ({} if self.size is None else {"size": self.size}) | {"extra_body": extra}


class ServedImages:
    """An `ImageGenerator` at `http(s)://HOST:PORT/v1[,http(s)://...][?size=1024x1024&steps=20][#MODEL]`.

    Raises:
        BadInput: it is no address, or an option that there is not.
        PrerequisiteError: no model is named, and the server does not list any.
    """

    def __init__(self, spec: str, store: Store, settings: Settings) -> None:
        front, _, model = spec.strip().partition("#")
        base, _, query = front.partition("?")
        options = options_of(spec, query)
        try:
            self.recipe = ServedRecipe.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"{spec!r}: {name} = {first['input']!r} cannot be used: {first['msg']}."
                f" The options are {', '.join(ServedRecipe.model_fields)}."
            ) from None
        key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
        urls, self.model = address(f"{base}#{model}" if model else base, key)
        self.revision = f"{urls[0]}#{self.model}"
        self._store = store
        self._sender = ImageSender(
            urls,
            key or "none",
            model=self.model,
            who=store.run_id,
            concurrency=settings.concurrency,
            timeout=settings.timeout,
        )
        self._seeded: bool | None = {"yes": True, "no": False}.get(self.recipe.seeds)
        self._why = "its spec says so"
        # OpenAI's own models give base64 unasked, and refuse to be asked for it
        self._format: dict[str, Any] = {} if OPENAI in urls else {"response_format": "b64_json"}
        self._asking: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know: whether the seed counts, and which servers failed."""
        left_out = self._sender.balancer.notes
        if self._seeded is not False:
            return tuple(left_out)
        return (
            *left_out,
            f"the server of {self.model!r} does not paint by the seed ({self._why}): pictures on the same seed are not comparable, two prompts are"
            " compared on different noise, and a gain needs more pictures to be seen.",
        )

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each of several servers gave; nothing where there is one."""
        return self._sender.spread

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One picture a request, in order, as PNG.

        Raises:
            BadInput: an empty prompt.
            CallFailed: the server refused a prompt, or gave no picture; the others are kept.
            PrerequisiteError: the server is down, refuses the key, or does not know the model or an option.
        """
        for request in requests:
            if not request.prompt.strip():
                raise BadInput(f"the prompt {request.prompt!r} is empty: write what is to be painted.")
        if requests:
            async with self._asking.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                if self._seeded is None:
                    await self._find_out()
        return await settled([self._generate(request) for request in requests])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sender.aclose()

    async def _generate(self, request: ImageRequest) -> BlobRef:
        async def compute() -> tuple[Any, Cost]:
            data, cost = await self._paint(request.prompt, request.seed if self._seeded else None)
            return (await asyncio.to_thread(self._kept, data, request.prompt)).model_dump(), cost

        def there(value: Any) -> bool:
            return self._store.blobs.has(BlobRef.model_validate(value))

        call = self._call({**request.model_dump(), "seeded": bool(self._seeded)})
        value, _ = await self._store.ledger.once(call, compute, usable=there)
        return BlobRef.model_validate(value)

    def _call(self, inputs: dict[str, Any]) -> Call:
        params = self.recipe.model_dump(exclude={"seeds"}, exclude_none=True)
        return Call(kind="image", model=self.model, revision=self.revision, params=params, inputs=inputs)

    def _kept(self, data: bytes, prompt: str) -> BlobRef:
        try:
            return keep_picture(data, self._store.blobs, name=f"{self.model} of {prompt[:60]!r}").blob
        except BadInput as error:
            raise CallFailed(f"{self._sender.where} gave what is no picture: {error}") from None

    async def _find_out(self) -> None:
        """Whether the seed decides what is painted: asked once of a server, and kept in the ledger."""

        async def compute() -> tuple[Any, Cost]:
            cost, pictures = Cost(), []
            for seed in (1, 1, 2):
                try:
                    data, own = await self._paint(_TRIAL, seed)
                except Refused:
                    return {"seeded": False, "why": "it refuses to be given one"}, cost
                pictures.append(data)
                cost += own
            return await asyncio.to_thread(_compared, *pictures), cost

        value, _ = await self._store.ledger.once(self._call({"asked": "whether it paints by the seed"}), compute)
        self._seeded, self._why = bool(value["seeded"]), str(value["why"])

    async def _paint(self, prompt: str, seed: int | None) -> tuple[bytes, Cost]:
        """The bytes of one picture.

        Raises:
            Refused: the server takes no seed.
            CallFailed: it refused the prompt (its content policy), or gave no picture.
        """
        body = {"model": self.model, "prompt": prompt, "n": 1, **self.recipe.body(), **self._format}
        if seed is not None:
            body["extra_body"] = {**body["extra_body"], "seed": seed}
        try:
            value, cost = await self._sender.pay(body, None)
        except Refused as refusal:
            if self._format and _is_about(refusal, "response_format"):
                self._format = {}
                return await self._paint(prompt, seed)
            asked = [
                name for name, field in {"size": "size", **_FIELDS}.items() if getattr(self.recipe, name) is not None
            ]
            unknown = next((name for name in asked if _is_about(refusal, _FIELDS.get(name, name))), None)
            if unknown is not None:
                raise PrerequisiteError(
                    f"{self._sender.where} does not take the option {unknown!r} ({refusal.words[:200]})",
                    remedy=f"leave {unknown} out of the address, or give another value.",
                ) from refusal
            if _is_about(refusal, "seed"):
                raise
            raise CallFailed(
                f"{self._sender.where} refused to paint {prompt[:80]!r}: {refusal.words[:300]}"
            ) from refusal
        if not value["pictures"]:
            raise CallFailed(f"{self._sender.where} gave no picture of {prompt[:60]!r}")
        return base64.b64decode(value["pictures"][0]), cost


def _is_about(refusal: Refused, field: str) -> bool:
    return refusal.parameter == field or f"'{field}'" in refusal.words or f"{field}:" in refusal.words


def _compared(one: bytes, again: bytes, other: bytes) -> dict[str, Any]:
    """What pictures of one seed, of it again and of another tell."""
    import numpy as np
    from PIL import Image

    def pixels(data: bytes) -> Any:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((128, 128))).astype(float)

    try:
        first, second, third = pixels(one), pixels(again), pixels(other)
    except OSError as error:
        raise CallFailed(f"the server gave what is no picture: {error}") from None
    same, different = float(np.abs(first - second).mean()), float(np.abs(first - third).mean())
    if different == 0:
        return {"seeded": False, "why": "it paints the same for every seed"}
    if same > _ALIKE * different:
        return {"seeded": False, "why": "one seed gave two pictures"}
    return {"seeded": True, "why": "one seed gave one picture, another seed another"}
