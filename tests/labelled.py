"""What tests of labellings share: drawn pictures with their truth, a detector and a segmenter of known quality, a person who knows, and a run to kill."""

from __future__ import annotations

import hashlib
import io
import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inloop.graphs.label import Offer, Review, label
from inloop.mini.world import Truth, draw, scenes
from inloop.runtime.records import Answer, BlobRef, Cost, Detection, Segment
from inloop.runtime.settings import Settings
from inloop.runtime.store import Call, Store
from inloop.tools.segmentation import get_mask, mask_iou

__all__ = ["DegradedSegmenter", "Person", "TruthDetector", "drawn_folder", "go", "truth_of"]

CLASSES = "star; heart; circle; cat; ring; fish; square; bell"


def drawn_folder(folder: Path, count: int, seed: int = 5) -> Path:
    """`photos/` of so many pictures, and `truth/` with the masks and names of what is in each, by the hash of its file."""
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    (folder / "truth").mkdir(exist_ok=True)
    names = CLASSES.split("; ")
    wanted = (scene for scene in scenes(seed) if all(each.kind in names for each in scene.objects))
    for number, scene in enumerate(itertools.islice(wanted, count)):
        out = io.BytesIO()
        draw(scene).save(out, "PNG")
        (folder / "photos" / f"{number:02}.png").write_bytes(out.getvalue())
        sha = hashlib.sha256(out.getvalue()).hexdigest()
        np.savez(
            folder / "truth" / f"{sha}.npz", masks=Truth.of(scene).visible, names=[each.kind for each in scene.objects]
        )
    TruthDetector.truth = DegradedSegmenter.truth = Person.truth = folder / "truth"
    return folder / "photos"


def truth_of(image: BlobRef, truth: Path) -> list[tuple[str, Any]]:
    """(name, mask) of all that is in a picture."""
    with np.load(truth / f"{image.sha256}.npz") as kept:
        return list(zip(kept["names"].tolist(), kept["masks"], strict=True))


def _box(mask: Any) -> tuple[float, float, float, float]:
    ys, xs = np.nonzero(mask)
    return (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def _draw(*parts: object) -> float:
    return int(hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:8], 16) / 2**32


class TruthDetector:
    """Finds all that is there, through the ledger; `wrong`: the share of things that it calls by another name."""

    model, revision = "truth", "1"
    labels = None
    truth: Path
    wrong, pause = 0.0, 0.0
    log: Path | None = None

    def __init__(self, store: Store) -> None:
        self._store = store

    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]:
        return [await self._one(image, labels) for image, labels in asked]

    async def _one(self, image: BlobRef, labels: tuple[str, ...]) -> tuple[Detection, ...]:
        async def look() -> tuple[Any, Cost]:
            time.sleep(self.pause)
            if self.log is not None:
                with self.log.open("a", encoding="utf-8") as log:
                    log.write(f"{image.sha256}\n")
            found = []
            for place, (name, mask) in enumerate(truth_of(image, self.truth)):
                called = (
                    next(each for each in labels if each != name)
                    if _draw(image.sha256, place, "name") < self.wrong
                    else name
                )
                found.append(
                    Detection(
                        label=called, score=0.6 + 0.3 * _draw(image.sha256, place, "score"), box=_box(mask)
                    ).model_dump()
                )
            return found, Cost(calls=1)

        call = Call(
            kind="detection", model=self.model, revision=self.revision, params={}, inputs=[image.sha256, *labels]
        )
        rows, _ = await self._store.ledger.once(call, look)
        return tuple(Detection.model_validate(row) for row in rows)


class DegradedSegmenter:
    """The true mask where a box is that of a thing; of a share `bad` only half of it. Its estimate of the fit is true but for some noise.

    A box that a person gives has its true mask.
    """

    model, revision = "degraded", "1"
    truth: Path
    bad, noise = 0.3, 0.05

    def __init__(self, store: Store) -> None:
        self._store = store

    async def segment(self, asked: Sequence[tuple[BlobRef, tuple[Any, ...]]]) -> list[tuple[Segment, ...]]:
        return [tuple([await self._one(image, box) for box in boxes]) for image, boxes in asked]

    async def _one(self, image: BlobRef, box: tuple[float, ...]) -> Segment:
        async def cut() -> tuple[Any, Cost]:
            within = np.zeros((96, 96), dtype=bool)
            within[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
            masks = [mask for _, mask in truth_of(image, self.truth)]
            true = max(masks, key=lambda mask: mask_iou(mask, within))
            mask = true.copy()
            if _draw(image.sha256, *box, "bad") < self.bad and _box(true) == tuple(box):
                mask[:, : int((box[0] + box[2]) / 2)] = False
            said = mask_iou(mask, true) + self.noise * (2 * _draw(image.sha256, *box, "said") - 1)
            blob = self._store.blobs.put_image(Image.fromarray(mask))
            return Segment(mask=blob, iou=min(max(said, 0.0), 1.0), stability=0.96).model_dump(), Cost(calls=1)

        call = Call(
            kind="segmentation", model=self.model, revision=self.revision, params={}, inputs=[image.sha256, *box]
        )
        value, _ = await self._store.ledger.once(call, cut)
        return Segment.model_validate(value)


class Judge:
    """Says yes to what the script says."""

    model, revision = "judge", "1"

    def __init__(self, sure: float) -> None:
        self.sure, self.asked = sure, list[tuple[BlobRef, str]]()

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        self.asked += asked
        return [Answer(text="yes" if self.sure > 0.5 else "no", p_yes=self.sure) for _ in asked]


class Person:
    """Knows what is true: a mask that fits is right, one of the right thing that fits badly gets its box, a wrong name the right one."""

    truth: Path

    def __init__(self, blobs: Any) -> None:
        self.blobs, self.offers = blobs, list[Offer]()

    async def __call__(self, question: Mapping[str, Any]) -> Review:
        offer = Offer.model_validate(question)
        self.offers.append(offer)
        given: dict[str, Any] = {"wrong": [], "label": {}, "box": {}}
        for number, item in enumerate(offer.items, start=1):
            mask = get_mask(item.mask, self.blobs)
            name, true = max(truth_of(item.image, self.truth), key=lambda pair: mask_iou(pair[1], mask))
            if mask_iou(mask, true) < 0.75:
                x0, y0, x1, y1 = _box(true)
                given["box"][number] = (max(0.0, x0 - 1), y0, min(96.0, x1 + 1), y1)
            elif name != item.label:
                given["label"][number] = name
        return Review.model_validate(given)


def go(runs_dir: str, photos: str, truth: str, log: str, pause: float, run: str = "") -> None:
    """A labelling in a process of its own, which may be killed; `run`: one to go on with."""
    TruthDetector.truth = DegradedSegmenter.truth = Path(truth)
    TruthDetector.pause, TruthDetector.log = pause, Path(log)
    settings, models = Settings(runs_dir=Path(runs_dir)), {"detector": TruthDetector, "segmenter": DegradedSegmenter}
    if run:
        label.resume(run, settings=settings, models=models)
    else:
        label(photos, classes=CLASSES, settings=settings, models=models)
