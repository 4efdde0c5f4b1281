"""Tags of pictures: the names of the things that an object detector finds, as PICa (Yang et al. 2022) puts them beside a caption."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import BadInput
from ...runtime.protocols import Detector
from ...runtime.records import BlobRef
from ..models import options_of
from .detector import COCO, FLOOR, open_detector

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["DetectorTags", "is_detector", "open_tagger"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")
_SURE = 0.5  # scores of different detectors are on different scales: ?threshold= is the user's to set
_MOST = 10  # names that are told


def is_detector(spec: str) -> bool:
    """Whether a text is a detector's name and no tags: `ssd`, a hub id `owner/name`, or a folder with a `/` (`./detr`)."""
    name = spec.strip().partition("?")[0]
    return name.lower() == "ssd" or bool(_HUB_ID.fullmatch(name)) or ("/" in name and Path(name).expanduser().is_dir())


def open_tagger(spec: str, store: Store, settings: Settings) -> DetectorTags:
    """The tagger behind a detector's name (see `tools.vision.detector`); `?threshold=0.5` sets how sure of a thing it has to be.

    A detector that looks for any words is asked for the 80 classes of COCO.

    Raises:
        BadInput: no such model, a model of another kind, or options that mean nothing.
        PrerequisiteError: the model or OpenCV cannot be had.
    """
    name, _, query = spec.strip().partition("?")
    options = options_of(spec, query)
    given = options.pop("threshold", str(_SURE))
    try:
        threshold = float(given)
    except ValueError:
        threshold = -1.0
    if options or not FLOOR <= threshold <= 1:
        raise BadInput(f"{spec!r}: a detector of tags takes threshold, a number from {FLOOR} to 1, and nothing else.")
    known = name.lower() if name.lower() == "ssd" else name
    return DetectorTags(open_detector(known, store, settings), threshold=threshold)


class DetectorTags:
    """A `Tagger` that tells what `detector` is sure of, at `threshold` or above; each name once, at most ten."""

    def __init__(self, detector: Detector, *, threshold: float = _SURE) -> None:
        self.detector, self.threshold = detector, threshold

    @property
    def model(self) -> str:
        """The detector's name."""
        return self.detector.model

    @property
    def revision(self) -> str:
        """The detector's revision."""
        return self.detector.revision

    async def tags(self, images: Sequence[BlobRef]) -> list[str]:
        """The names of the things in each picture, comma separated, the surest first.

        Raises:
            CallFailed: a picture could not be worked on; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        labels = self.detector.labels or COCO
        found = await self.detector.detect([(image, labels) for image in images])
        sure = [[one.label for one in seen if one.score >= self.threshold] for seen in found]
        return [", ".join(list(dict.fromkeys(names))[:_MOST]) for names in sure]

    async def aclose(self) -> None:
        """Free the detector."""
        if hasattr(self.detector, "aclose"):
            await self.detector.aclose()
