"""CLIPScore: 2.5 x max(cosine, 0) of a picture and "A photo depicts <text>" (Hessel et al. 2021, arXiv 2104.08718).

The released figures are of ViT-B/32 in fp32 on a CPU; fp16 on a GPU differs in the third decimal. Not comparable to
torchmetrics' `CLIPScore` (100 x max(cosine, 0), no prefix) nor to `raw_cosine=True`, the plain cosine from -1 to 1.

A text that is longer than the text encoder is refused (its score is None) or, with `long="window"`, cut into windows of
whole words; the score is the mean over the windows. It is never cut in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import BlobRef, Part, Sample, Score
from ...runtime.session import both, each, settled
from ..stats import unscored

__all__ = ["PREFIX", "WEIGHT", "ClipScore"]

PREFIX = "A photo depicts "
WEIGHT = 2.5


class ClipScore:
    """An `Evaluator` of pictures for their texts."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        raw_cosine: bool = False,
        prefix: str | None = None,
        long: Literal["refuse", "window"] = "refuse",
    ) -> None:
        if long not in ("refuse", "window"):
            raise BadInput(f"long={long!r} is unknown: give 'refuse' or 'window'.")
        self.name = "cosine" if raw_cosine else "clipscore"
        self.embedder = embedder
        self.raw_cosine = raw_cosine
        self.prefix = prefix if prefix is not None else "" if raw_cosine else PREFIX
        self.long = long

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A score from 0 to 2.5 (raw: from -1 to 1) a sample; None where it has no picture or could not be embedded."""
        pictures = list({s.image.sha256: s.image for s in samples if s.image is not None}.values())
        texts = list(dict.fromkeys(s.text for s in samples if s.image is not None))
        seen, read = await both(each(self.embedder.images, pictures), settled([self._windows(text) for text in texts]))
        images = dict(zip([picture.sha256 for picture in pictures], seen, strict=True))
        windows = dict(zip(texts, read, strict=True))
        return [self._score(s, s.image, images, windows) for s in samples]

    def _score(
        self,
        sample: Sample,
        picture: BlobRef | None,
        images: dict[str, list[float] | CallFailed | BadInput],
        windows: dict[str, list[tuple[str, list[float]]] | CallFailed | BadInput],
    ) -> Score:
        if picture is None:
            return unscored(sample)
        image, read = images[picture.sha256], windows[sample.text]
        if isinstance(image, Exception):
            return unscored(sample, image)
        if isinstance(read, Exception):
            return unscored(sample, read)
        parts = []
        for text, vector in read:
            cosine = sum(a * b for a, b in zip(image, vector, strict=True))
            value = cosine if self.raw_cosine else WEIGHT * max(cosine, 0.0)
            parts.append(Part(name=text, value=value, detail=f"cosine={cosine:.6f}"))
        value = sum(part.value for part in parts if part.value is not None) / len(parts)
        how = f"mean of {len(parts)} windows of a long text; " if len(parts) > 1 else ""
        return Score(value=value, explanation=f"{how}{parts[0].detail}", parts=tuple(parts))

    async def _windows(self, text: str) -> list[tuple[str, list[float]]] | CallFailed | BadInput:
        """The text's windows with their vectors, one where it fits; halved at a blank until each fits."""
        [vector] = await each(self.embedder.texts, [self.prefix + text])
        if not isinstance(vector, Exception):
            return [(text, vector)]
        words = text.split()
        if self.long == "refuse" or not isinstance(vector, BadInput) or len(words) < 2:
            return vector
        halves = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
        found = []
        for half in await settled([self._windows(half) for half in halves]):
            if isinstance(half, Exception):
                return half
            found += half
        return found
