"""Pictures and answers a second through our tools, beside a plain loop over the same weights in the same process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from inloop.runtime.records import BlobRef, ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

from .figures import Figure, Options

__all__ = ["measure"]

_PROMPT = "a red circle to the left of a blue square"
_QUESTIONS = ("Is there a circle?", "Is the circle red?", "Is there a square?", "Is the square blue?")

Call = Callable[[Sequence[Any]], Awaitable[object]]


def measure(options: Options) -> list[Figure]:
    """Images a second and answers a second, at batch 1 and 16, with the ratio to the plain loop."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        settings = Settings(device=options.device)
        return [*_images(options, store, settings), *_answers(options, store, settings)]


def _images(options: Options, store: Store, settings: Settings) -> list[Figure]:
    import torch

    from inloop.tools.images import open_images

    painters = {fit: open_images(_with(options.images, fit), store, settings) for fit in ("", "fit=yes")}
    recipe = painters[""].recipe
    seed = iter(range(10**9))

    def fresh(count: int) -> list[ImageRequest]:
        return [ImageRequest(prompt=_PROMPT, seed=next(seed)) for _ in range(count)]

    for painter in painters.values():
        asyncio.run(painter.generate(fresh(1)))
    pipe: Any = painters[""]._pipe  # the same weights on the same device, in the plain loop of a user

    def plain(requests: Sequence[ImageRequest]) -> None:
        pipe(
            prompt=[request.prompt for request in requests],
            generator=[torch.Generator("cpu").manual_seed(request.seed) for request in requests],
            num_inference_steps=recipe.steps,
            guidance_scale=recipe.guidance,
            height=recipe.height,
            width=recipe.width,
        )

    note = f"{painters[''].model}, {recipe.steps} steps, batches of {recipe.batch}"
    calls: dict[str, Call] = {fit: painter.generate for fit, painter in painters.items()}
    return _beside("images", calls, plain, fresh, "images/s", note, options.repeats)


def _answers(options: Options, store: Store, settings: Settings) -> list[Figure]:
    from inloop.tools.vision import open_vqa

    judges = {fit: open_vqa(_with(options.vqa, fit), store, settings) for fit in ("", "fit=yes")}
    number = iter(range(10**9))

    def fresh(count: int) -> list[tuple[BlobRef, str]]:
        """Pictures nobody has seen, four questions of each, grouped by picture."""
        from PIL import Image

        asked = []
        for place in range(count):
            if place % len(_QUESTIONS) == 0:
                shade = next(number)
                image = store.blobs.put_image(Image.new("RGB", (64, 64), (shade % 256, shade // 256 % 256, 128)))
            asked.append((image, _QUESTIONS[place % len(_QUESTIONS)]))
        return asked

    for judge in judges.values():
        asyncio.run(judge.answer(fresh(1)))
    model: Any = judges[""]._model
    processor: Any = judges[""]._processor

    def plain(asked: Sequence[tuple[BlobRef, str]]) -> None:
        import torch

        with torch.inference_mode():
            images = [store.blobs.get_image(image) for image, _ in asked]
            texts = [question for _, question in asked]
            inputs = processor(images=images, text=texts, padding=True, return_tensors="pt")
            model.generate(**inputs.to(model.device), max_new_tokens=10)

    note = f"{judges[''].model}, four questions a picture at batch 16"
    calls: dict[str, Call] = {fit: judge.answer for fit, judge in judges.items()}
    return _beside("answers", calls, plain, fresh, "answers/s", note, options.repeats)


def _with(spec: str, option: str) -> str:
    return spec + (("&" if "?" in spec else "?") + option) * bool(option)


def _beside(
    name: str,
    calls: dict[str, Call],
    plain: Callable[[Sequence[Any]], None],
    fresh: Callable[[int], Sequence[Any]],
    unit: str,
    note: str,
    repeats: int,
) -> list[Figure]:
    """Every way in turn, so that whatever else the machine does hits them alike; the first round warms up."""
    figures = []
    for count in (1, 16):
        ways: dict[str, Callable[[Sequence[Any]], None]] = {"plain loop": plain}
        for fit, call in calls.items():
            ways[f"{fit or 'by default'}, one call"] = _one_call(call)
            if count > 1:
                ways[f"{fit or 'by default'}, {count} callers"] = _callers(call)
        took: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for turn in range(repeats + 1):
            for way, work in ways.items():
                asked = fresh(count)
                wall, own = time.perf_counter(), time.process_time()
                work(asked)
                if turn:
                    took[way].append((time.perf_counter() - wall, time.process_time() - own))
        for way, times in took.items():
            title = f"{name}, batch {count}, {way}"
            figures.append(Figure.of(title, [count / wall for wall, _ in times], unit, note))
            if way == "plain loop":
                continue
            both = list(zip(took["plain loop"], times, strict=True))
            figures += [
                Figure.of(f"{title}: ours over plain", [theirs[0] / mine[0] for theirs, mine in both], "x"),
                Figure.of(f"{title}: by processor time", [theirs[1] / mine[1] for theirs, mine in both], "x"),
            ]
    return figures


def _one_call(call: Call) -> Callable[[Sequence[Any]], None]:
    async def whole(asked: Sequence[Any]) -> None:
        await call(asked)

    return lambda asked: asyncio.run(whole(asked))


def _callers(call: Call) -> Callable[[Sequence[Any]], None]:
    async def apart(asked: Sequence[Any]) -> None:
        await asyncio.gather(*(call([each]) for each in asked))

    return lambda asked: asyncio.run(apart(asked))
