"""What the captioner names: the thing that is meant, a colour, a number, and, not asked, only what is there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..world import COLORS, KINDS, Scene, draw, items, many_things, scenes
from .painter_evaluation import rate
from .train_promptcap import PHRASINGS, number_line

if TYPE_CHECKING:
    from ...runtime.protocols import Captioner
    from ...runtime.store import Store

__all__ = ["measure_captioner"]


async def measure_captioner(model: Captioner, store: Store, count: int) -> dict[str, float]:
    """On unseen sets of things: by a phrasing of the training, by others, and not asked."""
    asked = list(items("test", count, seed=908))
    refs = [store.blobs.put_image(draw(item.scene)) for item in asked]
    things = [item.view.thing for item in asked]
    wordings: dict[str, Callable[[str], str]] = {
        "asked as in training": lambda phrase: f"what is {phrase}?",
        "asked in other words": lambda phrase: f"can you name {phrase}?",
    }
    questions: dict[str, list[str | None]] = {
        name: [say(item.view.phrase) for item in asked] for name, say in wordings.items()
    }
    questions |= {
        "asked for knowledge, unseen phrasing": [item.question for item in asked],
        "not asked": [None] * len(asked),
    }
    out: dict[str, float] = {}
    for name, wanted in questions.items():
        captions = await model.caption(list(zip(refs, wanted, strict=True)))
        named = [_names(thing.kind, text) for thing, text in zip(things, captions, strict=True)]
        out[f"names it, {name}"] = rate(named)
        if name == "asked in other words":
            for way in ("relation", "corner", "color", "size"):
                out[f"names it, by {way}"] = rate(
                    [ok for ok, item in zip(named, asked, strict=True) if item.view.kind == way]
                )
        if name == "not asked":
            out["not asked: all that it names is there"] = rate(
                [_true(text, item.scene) for text, item in zip(captions, asked, strict=True)]
            )
    return out | await _colors_and_counts(model, store, count)


async def _colors_and_counts(model: Captioner, store: Store, count: int) -> dict[str, float]:
    """A colour and a number, asked for in phrasings that no training row holds."""
    rng = np.random.default_rng(912)
    shown = [many_things(rng, split="test") for _ in range(count)]
    colored = [
        (scene, thing) for scene in shown if (thing := next((t for t in scene.objects if t.color), None)) is not None
    ]
    refs = [store.blobs.put_image(draw(scene)) for scene, _ in colored]
    asked = [str(rng.choice(PHRASINGS["color"][1])).format(x=thing.kind) for _, thing in colored]
    captions = await model.caption(list(zip(refs, asked, strict=True)))
    right = [f"{thing.color} {thing.kind}" in text for (_, thing), text in zip(colored, captions, strict=True)]
    several = (scene for scene in scenes(913, held_out=True) if len(scene.spec.groups) == 1 and len(scene.objects) > 1)
    counted = [*itertools.islice(several, count // 2), *shown[: count // 2]]
    rows = [number_line(scene, str(rng.choice(PHRASINGS["count"][1]))) for scene in counted]
    refs = [store.blobs.put_image(draw(scene)) for scene in counted]
    captions = await model.caption(list(zip(refs, [row.question for row in rows], strict=True)))
    numbered = [row.caption == text for row, text in zip(rows, captions, strict=True)]
    return {"tells its color, unseen phrasing": rate(right), "tells how many, unseen phrasing": rate(numbered)}


def _names(kind: str, text: str) -> bool:
    return kind in text.replace(",", " ").split()


def _true(text: str, scene: Scene) -> bool:
    """Whether every kind that a text names is in the scene, and in the colour that it says."""
    words = text.replace(",", " ").split()
    shown = {(thing.kind, thing.color) for thing in scene.objects}
    for place, word in enumerate(words):
        if word in KINDS:
            color = words[place - 1] if place and words[place - 1] in COLORS else None
            if not any(kind == word and color in (None, own) for kind, own in shown):
                return False
    return True
