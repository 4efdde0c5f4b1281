"""What a person's looks are worth: mIoU against effort, by the router and by uniform review, on drawn pictures with a segmenter of known quality.

- ranking: each look puts a mask right, in the order of the router's confidence before anybody has answered, or in any order; no loop is run
- loop: the whole loop with a person who knows the truth and answers pages, whose answers set the router; a mask that is bad gets a box, whose mask is true
  and is looked at again. Beside it as many looks at masks drawn at random, by the same person

The detector finds everything and calls 6 % by another name; of the masks 70 % are nearly right, the others too small, too large, shifted or half of
the thing; the estimates of their fit are true but for noise. The judge is mini-vqa. mIoU: over pictures, the mean over their things of the IoU of
the label that covers each best, 0 where its name is wrong or there is none. Intervals are over pictures.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inloop.evaluators.stats import paired_gain
from inloop.graphs.label import LabelledObject, Offer, Review, label, read_objects
from inloop.mini.world import KINDS, Truth, draw, scenes
from inloop.runtime.records import BlobRef, Detection, Segment
from inloop.runtime.settings import Settings
from inloop.runtime.store import BlobStore, StoreLocation
from inloop.tools.segmentation import box_of, get_mask, mask_iou

from .figures import Figure, Options

_PICTURES, _EFFORTS, _DRAWS = 200, (0.1, 0.2, 0.3, 0.5), 2000
_RIGHT = 0.75
_WRONG_NAMES, _NOISE = 0.06, 0.1


@dataclass(frozen=True)
class World:
    """By the sha256 of a picture's file, the names and masks of its things."""

    truth: Mapping[str, list[tuple[str, Any]]]

    def nearest(self, image: str, mask: Any) -> tuple[str, Any, float]:
        """Name and mask of the thing that a mask covers best, and the IoU."""
        name, true = max(self.truth[image], key=lambda pair: mask_iou(pair[1], mask))
        return name, true, mask_iou(true, mask)


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:15], 16))


class _Detector:
    model, revision, labels = "drawn truth", "1", None

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed

    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]:
        found = []
        for image, labels in asked:
            here = []
            for place, (name, mask) in enumerate(self.world.truth[image.sha256]):
                rng = _rng(self.seed, image.sha256, place)
                wrong = rng.random() < _WRONG_NAMES
                called = str(rng.choice([each for each in labels if each != name])) if wrong else name
                score = float(np.clip(rng.normal(0.55 if wrong else 0.75, 0.13), 0.31, 0.99))
                here.append(Detection(label=called, score=round(score, 4), box=box_of(mask)))
            found.append(tuple(here))
        return found


class _Segmenter:
    model, revision = "degraded truth", "1"

    def __init__(self, world: World, blobs: BlobStore, seed: int) -> None:
        self.world, self.blobs, self.seed = world, blobs, seed

    async def segment(self, asked: Sequence[tuple[BlobRef, tuple[Any, ...]]]) -> list[tuple[Segment, ...]]:
        return [tuple(self._one(image, box) for box in boxes) for image, boxes in asked]

    def _one(self, image: BlobRef, box: tuple[float, ...]) -> Segment:
        rng = _rng(self.seed, image.sha256, *box)
        own = [mask for _, mask in self.world.truth[image.sha256] if box_of(mask) == tuple(box)]
        if own:
            mask = _degraded(own[0], rng)
            fit = mask_iou(mask, own[0])
        else:  # of a person's box
            within = np.zeros((96, 96), dtype=bool)
            within[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
            mask, fit = self.world.nearest(image.sha256, within)[1], 1.0
        said = float(np.clip(fit + rng.normal(0, _NOISE), 0, 1))
        steady = float(np.clip(0.8 + 0.18 * fit + rng.normal(0, 0.05), 0, 1))
        blob = self.blobs.put_image(Image.fromarray(np.ascontiguousarray(mask)))
        return Segment(mask=blob, iou=round(said, 4), stability=round(steady, 4))


def _degraded(mask: Any, rng: np.random.Generator) -> Any:
    kind = rng.random()
    if kind < 0.7:
        out = _grown(mask, int(rng.integers(-1, 2)))
    elif kind < 0.8:
        out = _grown(mask, -int(rng.integers(2, 5)))
    elif kind < 0.88:
        out = _grown(mask, int(rng.integers(2, 5)))
    elif kind < 0.95:
        out = np.roll(mask, rng.integers(4, 11, size=2) * rng.choice([-1, 1], size=2), axis=(0, 1))
    else:
        out = mask.copy()
        x0, _, x1, _ = box_of(mask)
        out[:, : int((x0 + x1) / 2)] = False
    return out if out.any() else mask


def _grown(mask: Any, by: int) -> Any:
    out = mask if by >= 0 else ~mask
    for _ in range(abs(by)):
        near = np.pad(out, 1)
        out = out | near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:]
    return out if by >= 0 else ~out


class _Person:
    """Knows the truth: a wrong name is put right, a mask below an IoU of .75 gets a box."""

    def __init__(self, world: World, blobs: BlobStore) -> None:
        self.world, self.blobs = world, blobs

    async def __call__(self, question: Mapping[str, Any]) -> Review:
        named: dict[int, str] = {}
        boxes: dict[int, Any] = {}
        wrong: list[int] = []
        for number, item in enumerate(Offer.model_validate(question).items, start=1):
            name, true, fit = self.world.nearest(item.image.sha256, get_mask(item.mask, self.blobs))
            x0, y0, x1, y1 = box_of(true)
            if fit < _RIGHT and name == item.label:
                boxes[number] = (max(0.0, x0 - 1), max(0.0, y0 - 1), min(96.0, x1 + 1), min(96.0, y1 + 1))
            elif fit < _RIGHT:
                wrong.append(number)
            elif name != item.label:
                named[number] = name
        return Review(label=named, box=boxes, wrong=tuple(wrong))


def measure(options: Options) -> list[Figure]:
    """mIoU in percent, effort in masks that a person looks at for each 100 that there are."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "photos").mkdir()
        world = World(_pictures(place / "photos", options.draw))
        things = sum(map(len, world.truth.values()))
        figures = [Figure(name="pictures", value=len(world.truth), unit="", note=f"{things} things")]
        for judge in ("", "mini"):
            what = f"judge {judge}" if judge else "no judge"
            # what people said is remembered in a store: each run has one of its own
            settings = (Settings(runs_dir=place / f"{number} {judge}", device=options.device) for number in range(3))
            runs = (_Run(world, place / "photos", each, judge, options.draw) for each in settings)
            first = next(runs)
            before = first.work()
            fits, pictures = (
                np.array([first.fit(each) for each in before]),
                np.array([each.image.sha256 for each in before]),
            )
            said = np.corrcoef([each.iou for each in before], [first.overlap(each) for each in before])[0, 1]
            figures.append(
                Figure(name=f"{what}: mIoU unreviewed", value=100 * _by_picture(fits, pictures).mean(), unit="%",
                       note=f"estimates go along with the IoU, r = {said:.2f}")
            )  # fmt: skip
            figures += _ranking(before, fits, pictures, what)
            for precision in (0.8, 0.9):
                figures += _loop(next(runs), fits, pictures, before, f"{what}, promise {precision:.0%}", precision)
        return figures


class _Run:
    """One store, in which pictures are labelled with a segmenter of known quality."""

    def __init__(self, world: World, photos: Path, settings: Settings, judge: str, seed: int) -> None:
        self.world, self.photos, self.settings, self.judge, self.seed = world, photos, settings, judge, seed
        self.blobs = StoreLocation.named_by(settings).open_blobs()
        self.labelled: Any = None

    def work(self, **more: Any) -> list[LabelledObject]:
        models = {
            "detector": _Detector(self.world, self.seed),
            "segmenter": _Segmenter(self.world, self.blobs, self.seed),
        }
        result = label(
            self.photos, classes="; ".join(KINDS), judge=self.judge, models=models, settings=self.settings, **more
        )
        [self.labelled] = result.tasks
        return read_objects(self.blobs, self.labelled)

    def nearest(self, each: LabelledObject) -> tuple[str, Any, float]:
        return self.world.nearest(each.image.sha256, get_mask(each.mask, self.blobs))

    def overlap(self, each: LabelledObject) -> float:
        return self.nearest(each)[2]

    def fit(self, each: LabelledObject) -> float:
        """The IoU of a label with what it covers best; 0 for a wrong name."""
        name, _, fit = self.nearest(each)
        return fit if name == each.label else 0.0

    def best(self, image: str, objects: Sequence[LabelledObject]) -> float:
        """mIoU of a picture's things."""
        kept = [
            (each.label, get_mask(each.mask, self.blobs))
            for each in objects
            if each.kept and each.image.sha256 == image
        ]
        things = self.world.truth[image]
        return float(
            np.mean(
                [
                    max([mask_iou(mask, true) for called, mask in kept if called == name], default=0.0)
                    for name, true in things
                ]
            )
        )


def _pictures(folder: Path, seed: int) -> dict[str, list[tuple[str, Any]]]:
    truth = {}
    for number, scene in enumerate(itertools.islice(scenes(21 + 1000 * seed, flat=0.7, held_out=True), _PICTURES)):
        out = io.BytesIO()
        draw(scene).save(out, "PNG")
        (folder / f"{number:03}.png").write_bytes(out.getvalue())
        names = [each.kind for each in scene.objects]
        truth[hashlib.sha256(out.getvalue()).hexdigest()] = list(zip(names, Truth.of(scene).visible, strict=True))
    return truth


def _by_picture(values: Any, pictures: Any) -> Any:
    return np.array([values[pictures == each].mean() for each in dict.fromkeys(pictures.tolist())])


def _ranking(before: Sequence[LabelledObject], fits: Any, pictures: Any, what: str) -> list[Figure]:
    order = sorted(range(len(before)), key=lambda place: before[place].confidence)
    names = list(dict.fromkeys(pictures.tolist()))
    figures = []
    for effort in _EFFORTS:
        looked = np.zeros(len(before), dtype=bool)
        looked[order[: round(effort * len(before))]] = True
        by_router = _by_picture(np.where(looked, 1.0, fits), pictures)
        uniform = _by_picture(fits + effort * (1 - fits), pictures)  # what is expected of any order
        gain = paired_gain(uniform.tolist(), by_router.tolist())
        # bootstrapped over pictures: how much more a uniform review must look at for the same
        plain, rng = _by_picture(fits, pictures), np.random.default_rng(0)
        drawn = rng.integers(0, len(names), size=(_DRAWS, len(names)))
        needed = [(by_router[d].mean() - plain[d].mean()) / (1 - plain[d].mean()) - effort for d in drawn]
        low, high = np.quantile(needed, [0.025, 0.975])
        assert gain.value is not None and gain.ci is not None
        share = f"{effort:.0%}"
        figures += [
            Figure(name=f"ranking, {what}, {share} looked at: mIoU by the router", value=100 * by_router.mean(), unit="%",
                   note=f"uniform {100 * uniform.mean():.1f}"),
            Figure(name=f"ranking, {what}, {share} looked at: more than uniform", value=100 * gain.value, unit="points",
                   low=100 * gain.ci[0], high=100 * gain.ci[1]),
            Figure(name=f"ranking, {what}, {share} looked at: effort spared", value=100 * float(np.mean(needed)), unit="masks of 100",
                   low=100 * float(low), high=100 * float(high), note="a uniform review must look at so many more for the same mIoU"),
        ]  # fmt: skip
    return figures


def _loop(
    run: _Run, fits: Any, pictures: Any, before: Sequence[LabelledObject], what: str, precision: float
) -> list[Figure]:
    objects = run.work(review=True, reviewer=_Person(run.world, run.blobs), precision=precision)
    done, calibration = run.labelled, run.labelled.calibration
    names = list(dict.fromkeys(pictures.tolist()))
    ours = np.array([run.best(name, objects) for name in names])
    told = [run.nearest(each) for each in before]
    uniform = _uniform(told, before, fits, pictures, done.looks)
    low, high = done.looks, 2 * len(before)
    while low < high:  # more looks never make it worse by much
        middle = (low + high) // 2
        low, high = (
            (low, middle)
            if _uniform(told, before, fits, pictures, middle).mean() >= ours.mean()
            else (middle + 1, high)
        )
    needed = (
        f"uniform needs {100 * low / len(before):.0f} of 100 for the same mIoU"
        if low < 2 * len(before)
        else "uniform does not reach it"
    )
    gain = paired_gain(uniform.tolist(), ours.tolist())
    assert gain.value is not None and gain.ci is not None
    figures = [
        Figure(name=f"loop, {what}: masks looked at", value=100 * done.looks / len(before), unit="of 100",
               note=f"{needed}; {done.reviews} pages; {calibration.how}"),
        Figure(name=f"loop, {what}: mIoU", value=100 * ours.mean(), unit="%", note=f"uniform with as many looks {100 * uniform.mean():.1f}"),
        Figure(name=f"loop, {what}: more than uniform", value=100 * gain.value, unit="points", low=100 * gain.ci[0], high=100 * gain.ci[1]),
    ]  # fmt: skip
    if unseen := [run.fit(each) >= _RIGHT for each in objects if each.route == "accepted"]:
        figures.append(Figure.share(f"loop, {what}: accepted unseen and right", unseen))
    return figures


def _uniform(told: Sequence[Any], before: Sequence[LabelledObject], fits: Any, pictures: Any, looks: int) -> Any:
    """By picture, the mean over 20 orders of masks that the same person looks at.

    A bad mask of the right name costs two looks, as in the loop, and is true then; a bad one of a wrong name goes; a good one of a wrong name is renamed.
    """
    found = []
    for seed in range(20):
        left, values = looks, fits.copy()
        for place in np.random.default_rng(seed).permutation(len(before)).tolist():
            name, _, fit = told[place]
            bad, named = fit < _RIGHT, name == before[place].label
            left -= 2 if bad and named else 1
            if left < 0:
                break
            values[place] = fit if not bad else 1.0 if named else 0.0
        found.append(_by_picture(values, pictures))
    return np.mean(found, axis=0)
