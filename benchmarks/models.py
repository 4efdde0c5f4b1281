"""Pictures and answers a second through our tools, beside a plain loop over the same weights in the same process."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.records import BlobRef, ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

from .figures import Figure, Options, seconds

__all__ = ["measure"]

_PROMPT = "a red circle to the left of a blue square"
_QUESTIONS = ("Is there a circle?", "Is the circle red?", "Is there a square?", "Is the square blue?")


def measure(options: Options) -> list[Figure]:
    """Images a second and answers a second, at batch 1 and 16, with the ratio to the plain loop."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        settings = Settings(device=options.device)
        return [*_images(options, store, settings), *_answers(options, store, settings)]


def _images(options: Options, store: Store, settings: Settings) -> list[Figure]:
    import torch

    from inloop.tools.images import open_images

    painter = open_images(options.images, store, settings)
    recipe = painter.recipe
    seed = iter(range(10**9))

    def ours(count: int) -> None:
        requests = [ImageRequest(prompt=_PROMPT, seed=next(seed)) for _ in range(count)]
        asyncio.run(painter.generate(requests))

    ours(1)
    pipe: Any = painter._pipe  # the same weights on the same device, in the plain loop of a user

    def plain(count: int) -> None:
        pipe(
            prompt=[_PROMPT] * count,
            generator=[torch.Generator("cpu").manual_seed(next(seed)) for _ in range(count)],
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance,
            height=recipe.height,
            width=recipe.width,
        )

    plain(1)
    note = f"{painter.model}, {recipe.steps} steps, our batches are padded to {recipe.batch}"
    return _pairs("images", ours, plain, "images/s", note, options.repeats)


def _answers(options: Options, store: Store, settings: Settings) -> list[Figure]:
    from inloop.tools.vision import open_vqa

    vqa = open_vqa(options.vqa, store, settings)
    number = iter(range(10**9))

    def fresh() -> list[tuple[Any, str]]:
        """Four pictures nobody has seen, four questions of each, grouped by picture."""
        from PIL import Image

        images = []
        for _ in range(4):
            shade = next(number)
            images.append(Image.new("RGB", (64, 64), (shade % 256, shade // 256 % 256, 128)))
        return [(image, question) for image in images for question in _QUESTIONS]

    asked: dict[int, list[tuple[Any, str]]] = {}
    stored: dict[int, list[tuple[BlobRef, str]]] = {}

    def prepare(count: int) -> None:
        asked[count] = fresh()[:count]
        stored[count] = [(store.blobs.put_image(image), question) for image, question in asked[count]]

    def ours(count: int) -> None:
        asyncio.run(vqa.answer(stored[count]))

    prepare(1)
    ours(1)
    model: Any = vqa._model
    processor: Any = vqa._processor

    def plain(count: int) -> None:
        import torch

        with torch.inference_mode():
            images, questions = zip(*asked[count], strict=True)
            inputs = processor(images=list(images), text=list(questions), padding=True, return_tensors="pt")
            model.generate(**inputs.to(model.device), max_new_tokens=10)

    plain(1)
    note = f"{vqa.model}, four questions a picture at batch 16"
    return _pairs("answers", ours, plain, "answers/s", note, options.repeats, prepare)


def _pairs(
    name: str,
    ours: Callable[[int], None],
    plain: Callable[[int], None],
    unit: str,
    note: str,
    repeats: int,
    prepare: Callable[[int], None] = lambda count: None,
) -> list[Figure]:
    """Both ways in turn, so that whatever else the machine does hits them alike."""
    figures = []
    for count in (1, 16):
        mine, theirs = [], []
        for _ in range(repeats):
            prepare(count)
            mine.append(count / seconds(lambda count=count: ours(count)))  # type: ignore[misc]
            theirs.append(count / seconds(lambda count=count: plain(count)))  # type: ignore[misc]
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        figures += [
            Figure.of(f"{name}, batch {count}, our tool", mine, unit, note),
            Figure.of(f"{name}, batch {count}, plain loop", theirs, unit),
            Figure.of(f"{name}, batch {count}, ours over plain", ratios, "x"),
        ]
    return figures
