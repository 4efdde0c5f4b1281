"""GenEval: whether objects are there, how many, of which colour, and where (Ghosh et al. 2023, arXiv 2310.11513).

The published rule. A detector finds the objects; kept are those surer than `threshold` (prompts that count:
`counting_threshold`), the 16 surest of a class. Every object of `include` must be there, none of `exclude`. Colours are
judged on the surest ones: CLIP compares the cut-out box with "a photo of a <colour> <object>" and two more wordings in ten
colours. A place holds where the centres are apart by more than `position_threshold` of both sizes, mostly in that direction.

Not comparable with the published figures unless detector and CLIP are those of the paper (Mask2Former, whose masks grey
out the background before CLIP looks; ViT-L/14): the thresholds, too, were set for that detector. The published overall score
is the mean of the six tags' means; see the slices.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence

from pydantic import ValidationError

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Detector, Embedder
from ...runtime.records import BlobRef, Detection, Part, Record, Sample, Score
from ...runtime.session import each, settled
from ...runtime.store import BlobStore
from ..stats import unscored
from .geneval_prompts import COLORS, Requirements, requirements_of

__all__ = ["GenEval", "Thresholds", "judge", "keep", "relations"]

Box = tuple[float, float, float, float]
_MOST = 16
_WORDINGS = ("a photo of a {color} {name}", "a photo of a {color}-colored {name}", "a photo of a {color} object")


class Thresholds(Record):
    """GenEval's options with its defaults. `overlap` below 1 drops boxes of a class that overlap a surer one by that IoU."""

    detection: float = 0.3
    counting: float = 0.9
    overlap: float = 1.0
    position: float = 0.1

    @classmethod
    def of(cls, options: Mapping[str, str], spec: str) -> Thresholds:
        """From the options behind a detector's `?`, as in `ssd?detection=0.4&counting=0.6`; `BadInput` names `spec`."""
        try:
            made = cls.model_validate(dict(options))
        except ValidationError as error:
            raise BadInput(
                f"{spec!r}: the option {error.errors()[0]['loc'][0]!r} cannot be used ({error.errors()[0]['msg']});"
                f" the options are {', '.join(cls.model_fields)}."
            ) from None
        if not all(0 <= value <= 1 for value in made.model_dump().values()):
            raise BadInput(f"{spec!r}: every one of {', '.join(cls.model_fields)} lies between 0 and 1.")
        return made


def keep(found: Sequence[Detection], requirements: Requirements, thresholds: Thresholds) -> dict[str, list[Detection]]:
    """By object, the detections that count, the surest first."""
    floor = thresholds.counting if requirements.tag == "counting" else thresholds.detection
    kept: dict[str, list[Detection]] = {}
    for name in requirements.labels:
        ranked = sorted((d for d in found if d.label == name and d.score > floor), key=lambda d: -d.score)
        chosen: list[Detection] = []
        for detection in ranked[:_MOST]:
            if thresholds.overlap >= 1 or all(_iou(other.box, detection.box) < thresholds.overlap for other in chosen):
                chosen.append(detection)
        kept[name] = chosen
    return kept


def relations(one: Box, other: Box, threshold: float = 0.1) -> frozenset[str]:
    """Where `one` is, seen from `other`: "left of", "right of", "above", "below"; none for boxes that lie together."""
    gaps = [(one[axis] + one[axis + 2] - other[axis] - other[axis + 2]) / 2 for axis in (0, 1)]
    distance = math.hypot(*gaps)
    if not distance:
        return frozenset()
    shares = []
    for axis, gap in enumerate(gaps):
        sizes = abs(one[axis + 2] - one[axis]) + abs(other[axis + 2] - other[axis])
        shares.append(math.copysign(max(abs(gap) - threshold * sizes, 0.0), gap))
    if all(abs(share) < 1e-3 for share in shares):
        return frozenset()
    across, down = (share / distance for share in shares)
    said = {"left of": -across, "right of": across, "above": -down, "below": down}
    return frozenset(name for name, amount in said.items() if amount > 0.5)


def judge(
    requirements: Requirements,
    kept: Mapping[str, Sequence[Detection]],
    colors: Mapping[int, Sequence[str]],
    position_threshold: float = 0.1,
) -> Score:
    """1 where every requirement holds, else 0; a part for each with what was found instead.

    `colors`: for the place of a requirement with a colour whose objects are there, the colour of each of its `count` surest.
    """
    parts: list[Part] = []
    groups: list[Sequence[Detection] | None] = []

    def part(name: str, holds: bool, found: str) -> bool:
        parts.append(Part(name=name, value=float(holds), detail=f"found {found}"))
        return holds

    for place, wanted in enumerate(requirements.include):
        here = kept.get(wanted.name, ())
        group = here[: wanted.count]
        matched = part(f"{wanted.count} {wanted.name}", len(group) >= wanted.count, str(len(here)))
        if wanted.color is not None:
            seen = list(colors.get(place, ())) if matched else []
            right = matched and seen.count(wanted.color) >= wanted.count
            part(f"{wanted.color} {wanted.name}", right, ", ".join(seen) or "none to look at")
            matched = matched and right
        if wanted.position is not None:
            relation, target = wanted.position
            others = groups[target]
            told = f"{wanted.name} {relation} {requirements.include[target].name}"
            if not matched or others is None:
                part(told, False, "not both of them as they should be")
                matched = False
            else:
                seen_at = [relations(one.box, other.box, position_threshold) for one in group for other in others]
                wrong = next((at for at in seen_at if relation not in at), None)
                matched = part(
                    told, wrong is None, relation if wrong is None else " and ".join(sorted(wrong)) or "together"
                )
        groups.append(group if matched else None)
    for unwanted in requirements.exclude:
        count = len(kept.get(unwanted.name, ()))
        part(f"fewer than {unwanted.count} {unwanted.name}", count < unwanted.count, str(count))
    wrong_parts = [f"{made.name}: {made.detail}" for made in parts if made.value == 0]
    return Score(
        value=float(not wrong_parts), explanation="; ".join(wrong_parts) or "all as required", parts=tuple(parts)
    )


class GenEval:
    """An `Evaluator`: 1 or 0 a picture.

    What a sample requires is in its `meta` (`include`, `exclude`, `tag`), else in `table` under its text, else read off its
    text. `embedder` is asked for colours only; its blob store must be `blobs`, for the cut-outs.
    """

    name = "geneval"

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        blobs: BlobStore,
        *,
        thresholds: Thresholds | None = None,
        table: Mapping[str, Requirements] | None = None,
        on_color: Callable[[], None] = lambda: None,
    ) -> None:
        self.detector = detector
        self.embedder = embedder
        self.blobs = blobs
        self.thresholds = thresholds or Thresholds()
        self.table = table or {}
        self._on_color = on_color

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """1 or 0 a sample; None where it has no picture, its requirements cannot be read or a model failed."""
        scores: dict[int, Score] = {}
        asked: list[tuple[int, BlobRef, Requirements]] = []
        for place, sample in enumerate(samples):
            if sample.image is None:
                scores[place] = unscored(sample)
                continue
            try:
                asked.append((place, sample.image, self._requirements(sample)))
            except BadInput as error:
                scores[place] = unscored(sample, error)
        found = await each(self.detector.detect, [(image, wanted.labels) for _, image, wanted in asked])

        async def one(
            place: int, image: BlobRef, wanted: Requirements, seen: Sequence[Detection] | CallFailed | BadInput
        ) -> None:
            try:
                if isinstance(seen, Exception):
                    raise seen
                kept = keep(seen, wanted, self.thresholds)
                colors = await self._colors(image, wanted, kept)
                scores[place] = judge(wanted, kept, colors, self.thresholds.position)
            except (BadInput, CallFailed) as error:
                scores[place] = unscored(samples[place], error)

        await settled([one(*row, seen) for row, seen in zip(asked, found, strict=True)])
        return [scores[place] for place in range(len(samples))]

    def _requirements(self, sample: Sample) -> Requirements:
        if "include" in sample.meta:
            return Requirements.of(sample.meta, f"the meta of sample {sample.id!r}")
        return self.table.get(sample.text) or requirements_of(sample.text)

    async def _colors(
        self, image: BlobRef, wanted: Requirements, kept: Mapping[str, Sequence[Detection]]
    ) -> dict[int, list[str]]:
        """By the place of a requirement with a colour whose objects are there: the colours of its surest objects."""
        places = {
            place: kept[one.name][: one.count]
            for place, one in enumerate(wanted.include)
            if one.color is not None and len(kept[one.name]) >= one.count
        }
        if not places:
            return {}
        self._on_color()
        boxes = [detection.box for group in places.values() for detection in group]
        names = list(dict.fromkeys(wanted.include[place].name for place in places))
        crops = await asyncio.to_thread(self._cut, image, boxes)
        pairs = [(name, color) for name in names for color in COLORS]
        texts = [wording.format(color=color, name=name) for name, color in pairs for wording in _WORDINGS]
        seen, words = await settled([self.embedder.images(crops), self.embedder.texts(texts)])
        step = len(_WORDINGS)
        classes = {pair: _mean(words[step * row : step * (row + 1)]) for row, pair in enumerate(pairs)}
        vectors = iter(seen)
        return {
            place: [_nearest(next(vectors), wanted.include[place].name, classes) for _ in group]
            for place, group in places.items()
        }

    def _cut(self, image: BlobRef, boxes: Sequence[Box]) -> list[BlobRef]:
        picture = self.blobs.get_image(image).convert("RGB")
        crops = []
        for box in boxes:
            x0, y0, x1, y1 = (round(value) for value in box)
            # a box thinner than a pixel is one pixel, inside the picture
            x0, y0 = min(x0, picture.width - 1), min(y0, picture.height - 1)
            crops.append(self.blobs.put_image(picture.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))))
        return crops


def _nearest(vector: Sequence[float], name: str, classes: Mapping[tuple[str, str], Sequence[float]]) -> str:
    return max(COLORS, key=lambda color: sum(a * b for a, b in zip(vector, classes[name, color], strict=True)))


def _mean(vectors: Sequence[Sequence[float]]) -> list[float]:
    """The unit vector in the middle of some."""
    total = [sum(values) for values in zip(*vectors, strict=True)]
    norm = math.sqrt(sum(value * value for value in total)) or 1.0
    return [value / norm for value in total]


def _iou(one: Box, other: Box) -> float:
    """Intersection over union, a pixel counted as a whole (as GenEval does)."""
    inner = [max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])]
    shared, *areas = (max(b[2] - b[0] + 1, 0.0) * max(b[3] - b[1] + 1, 0.0) for b in (inner, one, other))
    return shared / (areas[0] + areas[1] - shared)
