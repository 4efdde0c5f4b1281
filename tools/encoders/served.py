"""Embeddings behind a server's `/v1/embeddings`, through the call ledger: of texts (OpenAI's API), and of pictures too (vLLM's pooling models)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CallFailed, PrerequisiteError
from ...runtime.gatherer import Gatherer
from ...runtime.records import BlobRef, Cost
from ...runtime.serving import find_served
from ...runtime.session import settled
from ...runtime.store import Call
from ...runtime.transport import EmbeddingSender, Refused, address, image_part
from .entries import packed, refuse_empty, unpacked

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ServedClip", "ServedTextEmbedder", "is_served"]

_TEXTS = 64  # of one request


def is_served(spec: str) -> bool:
    """Whether an embedder's spec is the address of a server."""
    return spec.startswith(("http://", "https://"))


class ServedEmbedder:
    """What embedders behind servers share: the way there, and one ledger entry for each thing that is embedded."""

    option = "--embedder"

    def __init__(self, spec: str, store: Store, settings: Settings) -> None:
        key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
        urls, self.model = address(spec, key)
        served = find_served(urls[0], settings.cache_dir)
        known = served.models.get(self.model, "") if served is not None else ""
        self.revision = known or f"{urls[0]}#{self.model}"
        self._store = store
        self._sender = EmbeddingSender(
            urls, key or "none", model=self.model, who=store.run_id, concurrency=settings.concurrency,
            timeout=settings.timeout, option=self.option, free=served is not None,
        )  # fmt: skip
        self._texts: Gatherer[str, list[float]] = Gatherer(self._ask, most=_TEXTS, linger=0.02)

    @property
    def notes(self) -> list[str]:
        """What a reader of the run must know: which servers were left out."""
        return self._sender.balancer.notes

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each of several servers gave; nothing where there is one."""
        return self._sender.spread

    async def aclose(self) -> None:
        """Finish what is queued and close the connections."""
        await self._texts.aclose()
        await self._sender.aclose()

    async def _embed_text(self, text: str) -> list[float]:
        return await self._once({"text": text}, lambda: self._texts.submit(text))

    async def _once(self, inputs: dict[str, str], embed: Callable[[], Awaitable[list[float]]]) -> list[float]:
        call = Call(kind="embedding", model=self.model, revision=self.revision, params={}, inputs=inputs)

        async def compute() -> tuple[Any, Cost]:
            return packed(await embed()), Cost(calls=1, money=0.0 if self._sender.is_free else None)

        value, _ = await self._store.ledger.once(call, compute)
        return unpacked(value)

    async def _ask(self, texts: list[str]) -> Sequence[list[float] | Exception]:
        """A vector for each text; where the server refuses them together, each for itself."""
        try:
            value, _ = await self._sender.pay({"model": self.model, "input": texts}, None)
        except Refused as refusal:
            if len(texts) == 1:
                return [CallFailed(str(refusal))]
            each = await asyncio.gather(*(self._ask([text]) for text in texts))
            return [outcome for [outcome] in each]
        return list(value["vectors"])


class ServedTextEmbedder(ServedEmbedder):
    """A `TextEmbedder` behind an OpenAI-compatible server; requests hold up to 64 texts, each text is a ledger entry."""

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """One unit vector a text, in order; `role` is for the server to ignore.

        Raises:
            BadInput: an empty text.
            PrerequisiteError: the server is down, refuses the key or does not know the model.
            CallFailed: the server refused a text, or answered what is no embedding.
        """
        refuse_empty(texts)
        return await settled([self._embed_text(text) for text in texts])


class ServedClip(ServedEmbedder):
    """An `Embedder` of texts and pictures behind vLLM (`inloop serve` of a CLIP or a SigLIP); a picture is a request of its own."""

    option = "--clip"

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """One unit vector a text, in order; the same in every `role`.

        Raises:
            BadInput: an empty text.
            PrerequisiteError: the server is down, refuses the key or does not know the model.
            CallFailed: the server refused a text (one that is longer than the text encoder), or answered what is no embedding.
        """
        refuse_empty(texts)
        return await settled([self._embed_text(text) for text in texts])

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        """One unit vector a picture, in order. Raises as `texts` does."""
        return await settled([self._once({"image": each.sha256}, partial(self._embed_image, each)) for each in images])

    async def _embed_image(self, image: BlobRef) -> list[float]:
        message = {"role": "user", "content": [image_part(image, self._store)]}
        try:
            value, _ = await self._sender.pay({"model": self.model, "messages": [message]}, None)
        except Refused as refusal:
            raise PrerequisiteError(
                f"{self._sender.where} takes no pictures to embed ({refusal.words[:200]})",
                remedy="serve a model that embeds texts and pictures, such as openai/clip-vit-base-patch32: inloop serve MODEL",
            ) from refusal
        vector: list[float] = value["vectors"][0]
        return vector
