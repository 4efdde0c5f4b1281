"""Embeddings of texts behind a server's `/v1/embeddings` (vLLM, OpenAI and others), through the call ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import CallFailed
from ...runtime.gatherer import Gatherer
from ...runtime.llm import EmbeddingSender, Refused, address
from ...runtime.records import Cost
from ...runtime.run import settled
from ...runtime.serving import find_served
from ...runtime.store import Call
from .entries import packed, refuse_empty, unpacked

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ServedTextEmbedder", "is_served"]

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
        call = Call(kind="embedding", model=self.model, revision=self.revision, params={}, inputs={"text": text})

        async def compute() -> tuple[Any, Cost]:
            vector = await self._texts.submit(text)
            return packed(vector), Cost(calls=1, money=0.0 if self._sender.is_free else None)

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
