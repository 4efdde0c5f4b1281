"""The text-to-image model `watercolours`: washes of the colours that a prompt names. It needs no weights."""

import random
from collections.abc import Sequence
from urllib.parse import parse_qsl

from PIL import Image, ImageColor, ImageDraw

from inloop import BadInput, CallFailed, Store
from inloop.records import BlobRef, Cost, ImageRequest
from inloop.runtime.batcher import Batcher
from inloop.runtime.session import settled
from inloop.runtime.store import Call


class Watercolours:
    """An `ImageGenerator`; `watercolours?size=128` sets the side of its pictures in pixels."""

    model, revision = "inloop-example/watercolours", "1"  # raise it when pictures change

    def __init__(self, spec: str, store: Store) -> None:
        options = dict(parse_qsl(spec.partition("?")[2]))
        size = options.pop("size", "64")
        if options or not size.isdecimal() or int(size) < 8:
            raise BadInput(f"{spec!r}: the one option is size, in pixels, 8 or more.")
        self.size, self._store = int(size), store
        self._queue = Batcher(self._paint, name=self.model, max_batch=8, linger=0.02)

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """One picture a request, in order; what the ledger has is not painted again."""
        return await settled([self._once(request) for request in requests])

    async def aclose(self) -> None:
        """Paint what waits, and end the thread of the queue."""
        await self._queue.aclose()

    async def _once(self, request: ImageRequest) -> BlobRef:
        async def paint() -> tuple[dict[str, object], Cost]:
            painted = await self._queue.submit(request)
            if isinstance(painted, CallFailed):
                raise painted
            return self._store.blobs.put_image(painted).model_dump(), Cost(calls=1, images=1)

        def is_there(value: dict[str, object]) -> bool:
            return self._store.blobs.has(BlobRef.model_validate(value))

        call = Call(
            kind="image",
            model=self.model,
            revision=self.revision,
            params={"size": self.size},
            inputs=request.model_dump(),
        )
        value, _ = await self._store.ledger.once(call, paint, usable=is_there)
        return BlobRef.model_validate(value)

    def _paint(self, requests: list[ImageRequest]) -> list[Image.Image | CallFailed]:
        """One batch, in the thread of the queue: where a model of yours would run once for all of them."""
        return [self._picture(request) for request in requests]

    def _picture(self, request: ImageRequest) -> Image.Image | CallFailed:
        colours = [word for word in request.prompt.lower().split() if word in ImageColor.colormap]
        if not colours:
            return CallFailed(f"{self.model} knows no colour in {request.prompt!r}")
        picture = Image.new("RGB", (self.size, self.size), "white")
        brush, drops = ImageDraw.Draw(picture), random.Random(request.seed)  # of the request's own seed alone
        for place, colour in enumerate(colours):
            for _ in range(12):
                across = (place + drops.random()) * self.size / len(colours)
                down = drops.random() * self.size
                brush.circle((across, down), self.size / 4, fill=colour)
        return picture
