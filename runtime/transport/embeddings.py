"""Sending texts and pictures to a server's `POST /embeddings`, paced, spread and retried as chat requests are."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from ..records import Cost
from .replies import Garbage
from .sender import Sender
from .wire import estimate

if TYPE_CHECKING:
    from .adaptive_limit import Turn
    from .balancer import Server

__all__ = ["EmbeddingSender"]


class EmbeddingSender(Sender):
    """The way to a server that embeds; a value is `{"vectors": [[...], ...]}`, unit vectors in the order of `input`.

    A body has OpenAI's `input`, a list of texts, or vLLM's `messages`, which make one vector and may hold a picture.
    """

    answers = "list of embeddings"
    option = "--embedder"

    async def send(self, url: str, body: dict[str, Any], on_text: Any = None, **options: Any) -> dict[str, Any]:
        """Send one request once to the server at `url`; raises whatever the client library raises."""
        answer = await self._client(url, self._key).post(
            "/embeddings", body={**body, "encoding_format": "float"}, cast_to=object
        )
        return {"vectors": _unit_vectors(answer, len(body["input"]) if "input" in body else 1)}

    async def _try(
        self,
        server: Server,
        tokens: int,
        body: dict[str, Any],
        on_text: Any,
        turn: Turn,
        opened: bool,
        slower: float,
    ) -> tuple[dict[str, Any], Cost]:
        await server.limit.admit(tokens)
        begun = time.monotonic()
        value = await self.send(server.url, body)
        seconds = time.monotonic() - begun
        # so that many texts and few are held against the same time for a token
        turn.done(seconds, sum(map(estimate, body.get("input", ()))))
        return value, Cost(calls=1, seconds=seconds, money=0.0 if self.is_free else None)


def _unit_vectors(answer: Any, count: int) -> list[list[float]]:
    """The vectors of a reply, by their places, with L2 norm 1; `Garbage` where not every one is there and usable."""
    try:
        found = {int(entry["index"]): [float(number) for number in entry["embedding"]] for entry in answer["data"]}
    except (LookupError, TypeError, ValueError) as error:
        raise Garbage(f"{type(error).__name__}: {error} in {str(answer)[:120]!r}") from None
    vectors = [found.get(place, []) for place in range(count)]
    norms = [math.sqrt(sum(number * number for number in vector)) for vector in vectors]
    if len({len(vector) for vector in vectors}) != 1 or not all(math.isfinite(norm) and norm > 0 for norm in norms):
        raise Garbage(f"not one usable vector for each of {count} ({len(found)} came)")
    return [[number / norm for number in vector] for vector, norm in zip(vectors, norms, strict=True)]
