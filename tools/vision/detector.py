"""Object detection behind the call ledger: which objects are in a picture, where, and how sure the model is.

`ssd` is SSD-MobileNetV2 trained on COCO, from a package registry, run by OpenCV: 80 classes, photographs. Any detector of
transformers is taken by folder or hub id: closed ones know their own classes (DETR, RT-DETR, YOLOS, ...), open ones look for
any words (OWL-ViT, OWLv2, Grounding DINO). Their scores are not on one scale: a threshold belongs to a detector.
`mini` looks for things of the drawn world, and says so of any other picture by finding nothing.

Invariants: pictures are looked at one at a time, so what is found does not depend on the company; the labels of one request
to an open detector compete for its boxes, so they are part of the ledger key; what is surer than `FLOOR` is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime import models
from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.protocols import Detector
from ...runtime.records import BlobRef, Cost, Detection
from ...runtime.roles import Role
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights
from .drawn_detector import DrawnDetector

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["COCO", "FLOOR", "ObjectDetector", "coco_name", "open_detector"]

Asked = tuple[BlobRef, tuple[str, ...]]

COCO = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant"),
    *("bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard"),
    *("sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle"),
    *("wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli"),
    *("carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet"),
    *("tv", "laptop", "computer mouse", "tv remote", "computer keyboard", "cell phone", "microwave", "oven", "toaster"),
    *("sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
)
"""The 80 classes of COCO under the names that GenEval uses."""

FLOOR = 0.05
"""Detections below this score are not kept."""

_MOST = 100  # detections of one picture that are kept, the surest
_OTHER_NAMES = {
    "mouse": "computer mouse",
    "remote": "tv remote",
    "keyboard": "computer keyboard",
    "sofa": "couch",
    "tvmonitor": "tv",
    "motorbike": "motorcycle",
    "aeroplane": "airplane",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "hair dryer": "hair drier",
}
_UNUSED = frozenset([12, 26, 29, 30, 45, 66, 68, 69, 71, 83])  # of the numbers 1 to 90 that COCO gave its classes
_NUMBERS = dict(zip((number for number in range(1, 91) if number not in _UNUSED), COCO, strict=True))
_OWL, _GROUNDING = frozenset(["owlvit", "owlv2"]), frozenset(["grounding-dino", "mm-grounding-dino"])


def coco_name(label: str) -> str:
    """The name of a class as `COCO` has it, for what other label lists call it; other labels stay as they are."""
    plain = " ".join(label.lower().split())
    return _OTHER_NAMES.get(plain, plain)


DETECTOR: Role[Detector] = Role("detector", Detector, own=("ssd", "mini"))


@DETECTOR.opener
def open_detector(spec: str, store: Store, settings: Settings) -> Detector:
    """The detector behind `spec`: "mini" (drawn pictures alone), "ssd", a folder, a hub id such as `google/owlv2-base-patch16-ensemble`, or your own.

    Options after a `?` are left to the caller (`weights.options`).

    Raises:
        BadInput: no such model, or a model of another kind.
        PrerequisiteError: the model or OpenCV cannot be had.
    """
    name, _, query = spec.strip().partition("?")
    if name == "mini":
        return DrawnDetector(store, settings)
    if name == "ssd":
        return SSD(_ssd_weights(spec, query, settings), store, settings)
    weights = find_weights(spec, "detector", settings.cache_dir)
    if str(weights.config().get("model_type")) in _OWL | _GROUNDING:
        return OpenDetector(weights, store, settings)
    return ClosedDetector(weights, store, settings)


class ObjectDetector(LocalModel[Asked, list[Detection]]):
    """A `Detector`; see `open_detector`. `labels` are its classes, None where it looks for any words."""

    labels: tuple[str, ...] | None = None

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8, linger=0.02)

    async def detect(self, asked: Sequence[Asked]) -> list[tuple[Detection, ...]]:
        """What was found of the labels of each (picture, labels), in order; the surest first.

        Raises:
            BadInput: no label, an empty one, or one that a closed detector does not know.
            CallFailed: a picture could not be worked on; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        wanted = [tuple(dict.fromkeys(coco_name(label) for label in labels)) for _, labels in asked]
        for labels in wanted:
            if not labels or not all(labels):
                raise BadInput(f"the labels {labels!r} hold nothing to look for: name the objects.")
            unknown = [label for label in labels if self.labels is not None and label not in self.labels]
            if unknown:
                raise BadInput(
                    f"{self.model} does not know {unknown[0]!r}; it knows {', '.join(self.labels or ())}."
                    " Open detectors such as google/owlv2-base-patch16-ensemble look for any words."
                )
        return await settled([self._found(image, labels) for (image, _), labels in zip(asked, wanted, strict=True)])

    async def _found(self, image: BlobRef, labels: tuple[str, ...]) -> tuple[Detection, ...]:
        order = tuple(sorted(labels)) if self.labels is None else ()
        inputs: dict[str, Any] = {"image": image.sha256} | ({"labels": order} if order else {})
        params = {"floor": FLOOR, "most": _MOST}
        call = Call(kind="detection", model=self.model, revision=self.revision, params=params, inputs=inputs)

        async def keep(found: list[Detection]) -> Any:
            return [detection.model_dump() for detection in found]

        rows = await self._once(call, (image, order), keep, cost=Cost(calls=1))
        found = [Detection.model_validate(row) for row in rows]
        return tuple(detection for detection in found if detection.label in labels)

    def _look(self, picture: Any, labels: tuple[str, ...]) -> list[tuple[str, float, list[float]]]:
        """(label, score, box) of everything in an RGB picture; boxes in pixels."""
        raise NotImplementedError

    def _serve(self, items: list[Asked]) -> list[list[Detection] | InloopError]:
        outcomes: list[list[Detection] | InloopError] = []
        for image, labels in items:
            try:
                picture = self._store.blobs.get_image(image).convert("RGB")
            except InloopError as error:
                outcomes.append(error)
                continue
            rows = self._look(picture, labels)
            if not all(math.isfinite(value) for _, score, box in rows for value in (score, *box)):
                outcomes.append(CallFailed(f"{self.model} gave NaN for the picture {image.sha256[:12]}"))
                continue
            found = [_detection(label, score, box, picture.size) for label, score, box in rows if score >= FLOOR]
            outcomes.append(sorted(found, key=lambda detection: -detection.score)[:_MOST])
        return outcomes


class SSD(ObjectDetector):
    """SSD-MobileNetV2 of the TensorFlow model zoo, run by OpenCV on the CPU."""

    labels = COCO

    def _load(self, device: str) -> None:
        import cv2

        if self._settings.threads is not None:
            cv2.setNumThreads(self._settings.threads)
        graph, text = (str(self.weights.root / file.name) for file in models.MODELS["ssd"].files)
        self._net = cv2.dnn.readNetFromTensorflow(graph, text)

    def _look(self, picture: Any, labels: tuple[str, ...]) -> list[tuple[str, float, list[float]]]:
        import cv2
        import numpy as np

        # the graph scales the values itself, and wants the picture squeezed into a square
        self._net.setInput(cv2.dnn.blobFromImage(np.asarray(picture), size=(300, 300), swapRB=False))
        width, height = picture.size
        return [
            (_NUMBERS[int(row[1])], float(row[2]), [float(v) * s for v, s in zip(row[3:], (width, height) * 2, strict=True)])
            for row in self._net.forward()[0, 0]
            if int(row[1]) in _NUMBERS
        ]  # fmt: skip


class ClosedDetector(ObjectDetector):
    """A detector of transformers with classes of its own (`AutoModelForObjectDetection`)."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings)
        names = weights.config().get("id2label") or {}
        self._names = {int(number): coco_name(str(name)) for number, name in names.items()}
        self.labels = tuple(dict.fromkeys(self._names.values()))

    def _load(self, device: str) -> None:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        self._processor = self.weights.load(AutoImageProcessor)
        self._model = self.weights.load_model(AutoModelForObjectDetection).float().eval().to(device)

    def _look(self, picture: Any, labels: tuple[str, ...]) -> list[tuple[str, float, list[float]]]:
        import torch

        with torch.inference_mode():
            made = self._model(**self._processor(images=picture, return_tensors="pt").to(self._device))
        [found] = self._processor.post_process_object_detection(
            made, threshold=FLOOR, target_sizes=[(picture.height, picture.width)]
        )
        rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        return [(self._names[number], score, box) for number, score, box in rows if number in self._names]


class OpenDetector(ObjectDetector):
    """A detector of transformers that looks for words (`AutoModelForZeroShotObjectDetection`)."""

    def _load(self, device: str) -> None:
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

        self._processor = self.weights.load(AutoProcessor)
        self._model = self.weights.load_model(AutoModelForZeroShotObjectDetection).float().eval().to(device)

    def _look(self, picture: Any, labels: tuple[str, ...]) -> list[tuple[str, float, list[float]]]:
        import torch

        words = str(self.weights.config()["model_type"]) in _GROUNDING
        asked = " ".join(f"{label}." for label in labels) if words else [[f"a photo of a {label}" for label in labels]]
        inputs = self._processor(text=asked, images=picture, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            made = self._model(**inputs)
        if words:
            return self._of_words(made, inputs.input_ids[0].tolist(), labels, picture)
        [found] = self._processor.post_process_grounded_object_detection(
            made, threshold=FLOOR, target_sizes=[(picture.height, picture.width)]
        )
        rows = zip(found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        return [(labels[number], score, box) for number, score, box in rows]

    def _of_words(
        self, made: Any, ids: list[int], labels: tuple[str, ...], picture: Any
    ) -> list[tuple[str, float, list[float]]]:
        """A box goes to the label whose likeliest token it fits best (a phrase read off the tokens may mix two labels)."""
        tokenizer = self._processor.tokenizer
        end = tokenizer.convert_tokens_to_ids(".")
        spans, begun = [], 1  # after the mark that opens the text
        for place, token in enumerate(ids):
            if token == end:
                spans.append(range(begun, place))
                begun = place + 1
        if len(spans) != len(labels) or not all(spans):
            raise BadInput(f"the labels {labels!r} cannot be told apart by {self.model}: leave '.' and odd signs out.")
        fits = made.logits[0].sigmoid()
        rows = []
        for values, (x, y, w, h) in zip(fits.tolist(), made.pred_boxes[0].tolist(), strict=True):
            scores = [max(values[place] for place in span) for span in spans]
            top = max(range(len(labels)), key=scores.__getitem__)
            box = [(x - w / 2) * picture.width, (y - h / 2) * picture.height]
            box += [(x + w / 2) * picture.width, (y + h / 2) * picture.height]
            rows.append((labels[top], scores[top], box))
        return rows


def _detection(label: str, score: float, box: list[float], size: tuple[int, int]) -> Detection:
    """Inside the picture, and rounded: the last bits differ between machines."""
    x0, y0, x1, y1 = (round(min(max(value, 0.0), size[place % 2]), 2) for place, value in enumerate(box))
    return Detection(label=label, score=round(min(score, 1.0), 6), box=(x0, y0, max(x0, x1), max(y0, y1)))


def _ssd_weights(spec: str, query: str, settings: Settings) -> Weights:
    from importlib.util import find_spec

    from ..models import options_of

    if find_spec("cv2") is None:
        raise PrerequisiteError(
            "the detector 'ssd' is run by OpenCV, which is not installed",
            remedy="pip install 'inloop[detect]', or take a detector of transformers: --detector hustvl/yolos-tiny",
        )
    known = models.MODELS["ssd"]
    return Weights(
        spec=spec,
        model="ssd-mobilenet-v2-coco",
        revision=str(known.sha256),
        source=known.source,
        commit=None,
        root=models.fetch("ssd", settings.cache_dir),
        marker=known.files[0].name,
        options=options_of(spec, query),
    )
