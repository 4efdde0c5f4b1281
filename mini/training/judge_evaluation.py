"""What the judges say of pictures, beside the world's own truth and, of painted pictures, beside the exact reader."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..world import KINDS, NEAR, Scene, Spec, article, ask, check, draw, plain, read, scenes, spoil, word
from .painter_evaluation import Paint, rate

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, VisualQA
    from ...runtime.store import Store

__all__ = ["measure_clip", "measure_vqa"]


async def measure_vqa(
    model: VisualQA, store: Store, paint: Paint, captions: Sequence[Spec], count: int
) -> dict[str, float]:
    """Balanced yes/no on drawn scenes in every domain, on smudges and on kinds that look alike; agreement on painted pictures."""
    rng = np.random.default_rng(902)
    out: dict[str, float] = {}

    async def says_yes(pictures: Sequence[Image.Image], questions: Sequence[str]) -> list[bool]:
        refs = [store.blobs.put_image(picture) for picture in pictures]
        answers = await model.answer(list(zip(refs, questions, strict=True)))
        return [answer.text == "yes" for answer in answers]

    for name, flat, held in (
        ("drawn", 1.0, False),
        ("drawn, unseen words", 1.0, True),
        ("sketched or noisy", 0.0, False),
    ):
        drawn = [scene for scene in itertools.islice(scenes(903, flat=flat, held_out=True), count) for _ in range(4)]
        asked = [ask(scene, rng, looseness=0.6, held_out=held, open_share=0.0) for scene in drawn]
        said = await says_yes([draw(scene) for scene in drawn], [qa.question for qa in asked])
        right = [yes == (qa.answer == "yes") for yes, qa in zip(said, asked, strict=True)]
        out[name] = rate(right)
        for skill in ("existence", "color", "relation", "count") if name == "drawn" else ():
            out[f"drawn, {skill}"] = rate([ok for ok, qa in zip(right, asked, strict=True) if qa.skill == skill])
    spoilt = [spoil(scene, rng) for scene in itertools.islice(scenes(909, held_out=True), count)]
    lost = [each for each in spoilt if all(thing.kind != each.lost.kind for thing in each.scene.objects)]
    said = await says_yes([each.picture() for each in lost], [_is_there(each.lost.kind) for each in lost])
    out["a smudge is not the thing"] = rate([not yes for yes in said])
    alike = [(scene, kind) for scene in itertools.islice(scenes(910, held_out=True), count) for kind in _alike(scene)]
    said = await says_yes([draw(scene) for scene, _ in alike], [_is_there(kind) for _, kind in alike])
    out["what looks alike is not the thing"] = rate([not yes for yes in said])

    painted = await paint([plain(spec).text for spec in captions])
    asked_of, questions, truths = [], [], []
    for spec, picture in zip(captions, painted, strict=True):
        for question, holds in _checked(picture, spec):
            asked_of.append(picture)
            questions.append(question)
            truths.append(holds)
    said = await says_yes(asked_of, questions)
    out["agreement on painted"] = rate([yes == holds for yes, holds in zip(said, truths, strict=True)])
    painted += await paint([word(spec, rng, looseness=1.0).text for spec in captions])
    there: list[tuple[Image.Image, str]] = []
    absent: list[tuple[Image.Image, str]] = []
    for picture in painted:
        shown = {thing.kind for thing in read(picture).objects} - {""}
        kinds = sorted(shown) + [str(kind) for kind in rng.choice(sorted(set(KINDS) - shown), 4, replace=False)]
        kinds += sorted({kind for row in NEAR if shown & set(row) for kind in row} - shown)[:4]
        for kind in dict.fromkeys(kinds):
            (there if kind in shown else absent).append((picture, kind))
    for name, pairs, wanted in (("there", there, True), ("not there", absent, False)):
        said = await says_yes([picture for picture, _ in pairs], [_is_there(kind) for _, kind in pairs])
        out[f"painted, {name}: agrees with the reader"] = rate([yes == wanted for yes in said])
    return out


async def measure_clip(model: Embedder, store: Store, count: int) -> dict[str, float]:
    """Recall@1 in batches of 64 held-out captions, both ways, and how often a whole picture is preferred to the same with a smudge."""
    rng, to_caption, to_picture = np.random.default_rng(904), [], []
    drawn = scenes(905, held_out=True)

    async def pictures(shown: Sequence[Image.Image]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.array(await model.images([store.blobs.put_image(picture) for picture in shown]))

    for _ in range(max(4, count // 64)):
        batch: dict[Spec, Scene] = {}
        while len(batch) < 64:
            scene = next(drawn)
            batch.setdefault(scene.spec, scene)
        texts = [word(spec, rng, looseness=0.5).text for spec in batch]
        cosines = await pictures([draw(scene) for scene in batch.values()]) @ np.array(await model.texts(texts)).T
        to_caption += list(cosines.argmax(1) == np.arange(64))
        to_picture += list(cosines.argmax(0) == np.arange(64))
    whole = list(itertools.islice(scenes(911, held_out=True), count))
    captions = await model.texts([plain(scene.spec).text for scene in whole])
    of_whole = (await pictures([draw(scene) for scene in whole]) * np.array(captions)).sum(1)
    of_spoilt = (await pictures([spoil(scene, rng).picture() for scene in whole]) * np.array(captions)).sum(1)
    return {
        "picture to caption": rate(to_caption),
        "caption to picture": rate(to_picture),
        "the whole thing before its smudge": rate(list(of_whole > of_spoilt)),
    }


def _is_there(kind: str) -> str:
    return f"Is there {article(kind)} {kind}?"


def _alike(scene: Scene) -> list[str]:
    """At most two kinds that look like one of the scene and are not there."""
    shown = {thing.kind for thing in scene.objects}
    return sorted({kind for row in NEAR if shown & set(row) for kind in row} - shown)[:2]


def _checked(picture: Image.Image, spec: Spec) -> list[tuple[str, bool]]:
    """The questions of a plain scene graph with what the reader answers, but those to which it has no answer."""
    verdict, said = check(picture, spec), plain(spec)
    bound = iter(verdict.bound)
    shown = dict(zip(range(len(spec.groups)), verdict.present, strict=True))
    found: list[tuple[str, bool | None]] = []
    entity = 0
    distinct = len({group.kind for group in spec.groups}) == len(spec.groups)
    whole = all(verdict.present) and all(verdict.bound)
    for node in said.scene_graph():
        match node.fact.split(" (")[0]:
            case "entity - whole":
                found.append((node.question, shown[entity] if distinct else None))
                entity += 1
            case "attribute - color":
                seen = next(bound, None)
                # a question about the colour of what is not there has no true answer
                found.append((node.question, seen if all(verdict.present) else None))
            case "relation - spatial":
                found.append((node.question, verdict.relation if whole else None))
            case "other - count":
                found.append((node.question, verdict.count if whole else None))
            case "global - background":
                found.append((node.question, verdict.background))
    return [(question, holds) for question, holds in found if holds is not None]
