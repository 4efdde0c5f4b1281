"""Retrieval for vision-language models on the drawn world: captioning from neighbours, memory for the long tail, REACT.

The small models are good at the drawn world already; parts two and three see it through a bad camera (`vision_sets.blurred`).
Every gain is paired, picture by picture, with its 95 % interval. `--draw N` takes other pictures, captions and training
seeds throughout: the interval of one draw says nothing about them.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np

from inloop.agents.captions import write_captions
from inloop.agents.scene import NotUnderstood, simple_scene_graph
from inloop.evaluators.stats import Estimate, estimate, paired_gain
from inloop.mini.world import KINDS, THINGS, plain_of, plural
from inloop.runtime.passages import Passage, Query
from inloop.runtime.protocols import Index
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.adaptation import (
    MemoryClassifier,
    MemoryRecipe,
    ReactRecipe,
    adapt,
    random_pairs,
    retrieve_pairs,
    vote,
)
from inloop.tools.encoders import ClipEmbedder, class_vectors, classify, open_clip
from inloop.tools.index import Neighbours, Selection, open_index
from inloop.tools.vision import open_vqa

from .figures import Figure, Options
from .vision_sets import Shown, captioned, of_kinds, passages

__all__ = ["measure"]

_INDEXED, _ASKED = 1500, 300
_RULES = {
    "": Selection(diversity=None),
    ", diversity 0.9": Selection(diversity=0.9),
    ", diversity 0.97": Selection(diversity=0.97),
    ", dropout 0.2": Selection(diversity=None, dropout=0.2),
}
_COMPARED = (
    ("memory", "linear probe"),
    ("memory", "kNN vote"),
    ("shuffled memory", "linear probe"),
    ("memory, 50 % irrelevant", "memory"),
    ("memory, 50 % irrelevant, not trained with it", "memory"),
    ("kNN vote, 50 % irrelevant", "kNN vote"),
)
_WORLDS = {
    "": (40, 2000, False),
    ", rare": (20, 6000, False),
    ", all of the camera": (0, 2000, True),
}
"""By name: animals of each kind through the bad camera, scenes beside them, and whether these went through it too."""
_ANIMALS = ("cat", "dog", "pig", "cow", "frog", "lion", "panda", "rabbit", "fish")
_TEMPLATES = ("a picture of {}",)
_RECIPE = ReactRecipe(blocks=2, epochs=15, rate=1e-3)
_SINGULAR = {plural(noun): noun for words in KINDS.values() for noun in words}


def measure(options: Options) -> list[Figure]:
    """The three parts in turn, in a store of their own that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(runs_dir=Path(folder), device=options.device, threads=1)
        with Store.open(settings) as store:
            return asyncio.run(_measure(store, settings, options))


async def _measure(store: Store, settings: Settings, options: Options) -> list[Figure]:
    clip = open_clip("mini", store, settings)
    shift = 1000 * options.draw  # what every seed is raised by
    try:
        return [
            *await _captioning(store, settings, clip, shift),
            *await _long_tail(store, clip, shift),
            *await _react(store, settings, clip, shift),
        ]
    finally:
        await clip.aclose()


async def _captioning(store: Store, settings: Settings, clip: ClipEmbedder, shift: int) -> list[Figure]:
    """Captions of held-out scenes from retrieved, random and no neighbours: kinds of objects named, and named rightly."""
    index = await open_index("memory:", text=clip, image=clip)
    held = passages(captioned(store.blobs, shift + 21, _INDEXED), "pair")
    await index.upsert(held)
    asked = captioned(store.blobs, shift + 22, _ASKED, held_out=True)
    images = [one.image for one in asked]
    vqa = open_vqa("mini", store, settings)
    queries = [Query(image=image) for image in images]
    rng = random.Random(shift + 5)
    figures, scores = [], {}

    async def score(name: str, shown: Sequence[Sequence[Passage]]) -> None:
        captions = await write_captions(images, shown, vqa, clip)
        named = [_entities(caption) for caption in captions]
        recall = [_share(_kinds(one), kinds) for one, kinds in zip(asked, named, strict=True)]
        precision = [_share(kinds, _kinds(one)) if kinds else None for one, kinds in zip(asked, named, strict=True)]
        scores[name] = recall
        figures.append(_figure(f"captions, {name}: kinds named", estimate(recall)))
        figures.append(_figure(f"captions, {name}: named rightly", estimate(precision)))

    await score("no neighbours", [[] for _ in asked])
    for k in (2, 4, 8):
        await score(f"{k} random", [rng.sample(held, k) for _ in asked])
        for name, rules in _RULES.items():
            if k == 4 or not name:
                drawn = rules.model_copy(update={"seed": shift})
                found = await Neighbours(index, clip, store.blobs, drawn).find(queries, k=k)
                await score(f"{k} retrieved{name}", [[one.passage for one in each] for each in found])
        for other in ("no neighbours", f"{k} random"):
            gain = paired_gain(scores[other], scores[f"{k} retrieved"])
            figures.append(_figure(f"captions, {k} retrieved over {other}: kinds named", gain))
    for name in list(_RULES)[1:]:
        gain = paired_gain(scores["4 retrieved"], scores[f"4 retrieved{name}"])
        figures.append(_figure(f"captions, 4 retrieved{name} over 4 retrieved: kinds named", gain))
    await vqa.aclose()
    await index.close()
    return figures


async def _long_tail(store: Store, clip: ClipEmbedder, shift: int) -> list[Figure]:
    """32 things through the bad camera, 1 to 40 pictures a class, and a memory of captioned pictures of all 40 kinds."""
    rng = np.random.default_rng(shift + 6)
    names = [str(name) for name in rng.permutation(list(THINGS))]
    counts = [max(1, round(40 * (0.6 / 40) ** (place / 31))) for place in range(32)]
    train = captioned(store.blobs, shift + 61, each=of_kinds(names, counts, shift + 61), blur=True)
    test = captioned(store.blobs, shift + 62, each=of_kinds(names, [25] * 32, shift + 62), blur=True)
    held = captioned(store.blobs, shift + 63, each=of_kinds(list(KINDS), [30] * 40, shift + 63), blur=True)
    noise = captioned(store.blobs, shift + 64, each=of_kinds(list(KINDS), [30] * 40, shift + 64), blur=True)
    wrong = [noise[place].caption for place in rng.permutation(len(noise))]
    shuffled = [held[place].caption for place in rng.permutation(len(held))]
    memory = await _index(clip, passages(held, "m"))
    noisy = await _index(clip, [*passages(held, "m"), *passages(noise, "n", wrong)])
    senseless = await _index(clip, passages(held, "m", shuffled))
    images, truth = [one.image for one in test], [_thing(one) for one in test]
    few = {name for name, count in zip(names, counts, strict=True) if count <= 2}
    head = {name for name, count in zip(names, counts, strict=True) if count >= 15}
    parts = {"all classes": set(names), f"{len(few)} few-shot classes": few, f"{len(head)} head classes": head}
    right: dict[str, list[float]] = {}

    async def fitted(index: Index | None, classes: set[str]) -> MemoryClassifier:
        made = MemoryClassifier(index, clip, recipe=MemoryRecipe(seed=shift))
        shown = [one for one in train if _thing(one) in classes]
        await made.fit([one.image for one in shown], [_thing(one) for one in shown])
        return made

    async def judged(name: str, classifier: MemoryClassifier) -> None:
        right[name] = _right([one.text for one in await classifier.predict(images)], truth)

    vectors = await class_vectors(clip, [f"a {name}" for name in names], _TEMPLATES)
    said = await classify(clip, images, [f"a {name}" for name in names], templates=_TEMPLATES)
    right["zero-shot"] = _right([one.text[2:] for one in said], truth)
    right["kNN vote"] = _right(await vote(memory, clip, images, names, vectors), truth)
    right["kNN vote, 50 % irrelevant"] = _right(await vote(noisy, clip, images, names, vectors), truth)
    trained = await fitted(memory, set(names))
    await judged("linear probe", await fitted(None, set(names)))
    await judged("memory", trained)
    await judged("shuffled memory", await fitted(senseless, set(names)))
    trained.index = noisy
    await judged("memory, 50 % irrelevant, not trained with it", trained)
    await judged("memory, 50 % irrelevant", await fitted(noisy, set(names)))
    figures = []
    for part, kinds in parts.items():
        places = [place for place, kind in enumerate(truth) if kind in kinds]
        chosen = {name: [values[place] for place in places] for name, values in right.items()}
        figures += [_figure(f"long tail, {part}: {name}", estimate(values)) for name, values in chosen.items()]
        for one, other in _COMPARED:
            figures.append(_figure(f"long tail, {part}: {one} over {other}", paired_gain(chosen[other], chosen[one])))

    new = set(names[3::8])
    figures += await _new_classes(clip, held, fitted, set(names) - new, images, truth)
    for index in (memory, noisy, senseless):
        await index.close()
    return figures


async def _new_classes(
    clip: ClipEmbedder,
    held: Sequence[Shown],
    fitted: Callable[[Index | None, set[str]], Awaitable[MemoryClassifier]],
    known: set[str],
    images: Sequence[BlobRef],
    truth: Sequence[str],
) -> list[Figure]:
    """Classes that were neither trained nor in the memory, added by their captioned pictures."""
    new = sorted(set(truth) - known)
    memory = await _index(clip, passages([one for one in held if _thing(one) not in new], "m"))
    figures = []
    for name, index in (("linear probe", None), ("memory", memory)):
        classifier = await fitted(index, known)
        before = _right([one.text for one in await classifier.predict(images)], truth)
        for kind in new:
            await classifier.add_class(kind, passages([one for one in held if _thing(one) == kind], kind))
        after = _right([one.text for one in await classifier.predict(images)], truth)
        old, added = ([p for p, kind in enumerate(truth) if (kind in new) == is_new] for is_new in (False, True))
        told = f"long tail, {name}, {len(new)} classes added without training"
        figures.append(_figure(f"{told}: they", estimate([after[p] for p in added])))
        figures.append(
            _figure(f"{told}: change of the others", paired_gain([before[p] for p in old], [after[p] for p in old]))
        )
    await memory.close()
    return figures


async def _react(store: Store, settings: Settings, clip: ClipEmbedder, shift: int) -> list[Figure]:
    """Nine animals through the bad camera, from class names and an index that holds such pictures among ordinary ones."""
    test = captioned(store.blobs, shift + 72, each=of_kinds(_ANIMALS, [40] * 9, shift + 72), blur=True)
    others = [kind for kind in THINGS if kind not in _ANIMALS]
    other_test = captioned(store.blobs, shift + 73, each=of_kinds(others, [15] * 23, shift + 73))
    animals: dict[str, list[float]] = {}
    rest: dict[str, list[float]] = {}
    losses = {}
    recipe = _RECIPE.model_copy(update={"seed": shift})

    async def judged(name: str, model: ClipEmbedder) -> None:
        for shown, kinds, right in ((test, _ANIMALS, animals), (other_test, others, rest)):
            names = [f"a {kind}" for kind in kinds]
            said = await classify(model, [one.image for one in shown], names, templates=_TEMPLATES)
            right[name] = _right([one.text[2:] for one in said], [_thing(one) for one in shown])

    await judged("zero-shot", clip)
    for place, (each, scenes, blur) in _WORLDS.items():
        held = passages(captioned(store.blobs, shift + (76 if blur else 75), scenes, blur=blur), "web")
        if each:
            seen = captioned(store.blobs, shift + 74, each=of_kinds(_ANIMALS, [each] * 9, shift + 74), blur=True)
            held += passages(seen, "camera")
        index = await open_index("memory:")  # searched by words alone
        await index.upsert(held)
        pairs = await retrieve_pairs(index, _ANIMALS, templates=("{}",), per_class=each or 40, mode="bm25")
        order = np.random.default_rng(shift + 7).permutation(len(pairs))
        ways = {f"REACT{place}": pairs, f"random pairs{place}": await random_pairs(index, len(pairs), seed=shift + 7)}
        texts = [pairs[other].text for other in order]
        ways[f"shuffled pairs{place}"] = [
            pair.model_copy(update={"text": text}) for pair, text in zip(pairs, texts, strict=True)
        ]
        for name, given in ways.items():
            folder = settings.runs_dir / name.replace(" ", "-")
            card = await adapt("mini", given, folder, store, settings, recipe=recipe)
            losses[name] = f"{card.pairs} pairs, loss {card.losses[0]:.2f} to {card.losses[-1]:.2f}"
            adapted = open_clip(f"mini?adapter={folder}", store, settings)
            await judged(name, adapted)
            await adapted.aclose()
        await index.close()
    figures = [_figure(f"REACT, animals: {name}", estimate(v), losses.get(name, "")) for name, v in animals.items()]
    figures += [_figure(f"REACT, other things, clean: {name}", estimate(values)) for name, values in rest.items()]
    compared = [
        (f"{one}{place}", other)
        for place in _WORLDS
        for one, other in (("REACT", "zero-shot"), ("REACT", f"random pairs{place}"), ("shuffled pairs", "zero-shot"))
    ]
    for one, other in compared:
        figures.append(_figure(f"REACT, animals: {one} over {other}", paired_gain(animals[other], animals[one])))
    return figures


async def _index(clip: ClipEmbedder, held: Sequence[Passage]) -> Index:
    index = await open_index("memory:", text=clip, image=clip)
    await index.upsert(held)
    return index


def _right(said: Sequence[str], truth: Sequence[str]) -> list[float]:
    return [float(one == other) for one, other in zip(said, truth, strict=True)]


def _thing(one: Shown) -> str:
    return one.spec.groups[0].kind


def _kinds(one: Shown) -> set[str]:
    return {group.kind for group in one.spec.groups}


def _entities(caption: str) -> set[str]:
    """The plain kinds that a caption names; what the world has no word for counts under its own name."""
    try:
        nodes = [node.tuple for node in simple_scene_graph(caption).nodes]
    except NotUnderstood:
        return {caption}
    names = [fact.partition(" (")[2][:-1] for fact in nodes if fact.startswith("entity")]
    return {_plain(name) for name in names}


def _plain(name: str) -> str:
    for words in (name, " ".join(name.split()[1:])):  # two of one noun carry their colours
        found = plain_of(KINDS, words) or plain_of(KINDS, _SINGULAR.get(words, ""))
        if found is not None:
            return found
    return name


def _share(wanted: set[str], found: set[str]) -> float:
    return len(wanted & found) / len(wanted)


def _figure(name: str, given: Estimate, note: str = "") -> Figure:
    low, high = given.ci or (None, None)
    value = given.value if given.value is not None else float("nan")
    return Figure(name=name, value=100 * value, unit="%", low=low and 100 * low, high=high and 100 * high, note=note)
