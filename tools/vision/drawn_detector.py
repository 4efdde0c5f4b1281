"""Detection in drawn pictures without a detector's weights: what stands out from the plain ground, and what mini-vqa says that it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, Detection
from .drawn_world import drawn_ground, drawn_pieces, is_drawn
from .open import open_vqa

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DrawnDetector"]

_LEAST = 0.05
_EDGE = 1  # pixels around a piece, for the fringe of its outline


class DrawnDetector:
    """A `Detector` of the drawn world (see `tools.vision.drawn_world`), which takes any of its words: "star", "red circle".

    Each piece that stands out is asked about by itself, on the picture's ground, for each label; the score is mini-vqa's probability of yes. Of
    two things that touch it sees one. In a picture of another kind it finds nothing.
    """

    labels: tuple[str, ...] | None = None
    model = "mini-detector"

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._vqa = open_vqa("mini", store, settings)

    @property
    def revision(self) -> str:
        """That of mini-vqa, and of how pieces are found."""
        return f"1 {self._vqa.revision}"

    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]:
        """What was found of the labels of each (picture, labels), in order; the surest first.

        Raises:
            BadInput: no label, or an empty one.
            CallFailed: mini-vqa could not answer.
            PrerequisiteError: mini-vqa cannot be loaded, or a picture is not in the store.
        """
        for _, labels in asked:
            if not labels or not all(label.strip() for label in labels):
                raise BadInput(f"the labels {labels!r} hold nothing to look for: name the objects.")
        pieces = [await asyncio.to_thread(self._pieces, image) for image, _ in asked]
        questions = [
            (cut, f"is there a {label}?")
            for (_, labels), found in zip(asked, pieces, strict=True)
            for cut, _ in found
            for label in labels
        ]
        answers = iter(await self._vqa.answer(questions) if questions else [])
        results = []
        for (_, labels), found in zip(asked, pieces, strict=True):
            seen = [
                Detection(label=label, score=round(next(answers).p_yes or 0.0, 6), box=box)
                for _, box in found
                for label in labels
            ]
            results.append(tuple(sorted((each for each in seen if each.score >= _LEAST), key=lambda each: -each.score)))
        return results

    def _pieces(self, image: BlobRef) -> list[tuple[BlobRef, tuple[float, float, float, float]]]:
        """Each piece by itself in the middle of the picture's ground, and its box."""
        picture = self._store.blobs.get_image(image).convert("RGB")
        if not is_drawn(picture):
            return []
        pixels, ground = np.asarray(picture), drawn_ground(picture)
        height, width = pixels.shape[:2]
        found = []
        for box in drawn_pieces(picture):
            x0, y0, x1, y1 = (
                max(0, box[0] - _EDGE),
                max(0, box[1] - _EDGE),
                min(width, box[2] + _EDGE),
                min(height, box[3] + _EDGE),
            )
            alone = np.empty_like(pixels)
            alone[:] = ground.round().astype(np.uint8)
            left, top = (width - (x1 - x0)) // 2, (height - (y1 - y0)) // 2
            alone[top : top + y1 - y0, left : left + x1 - x0] = pixels[y0:y1, x0:x1]
            cut = self._store.blobs.put_image(Image.fromarray(alone))
            found.append((cut, (float(box[0]), float(box[1]), float(box[2]), float(box[3]))))
        return found

    async def aclose(self) -> None:
        """Free mini-vqa."""
        if hasattr(self._vqa, "aclose"):
            await self._vqa.aclose()
