"""dCS, the decomposed CLIPScore: the mean cosine of a picture and the prompt's noun phrases (arXiv 2403.17804, 3.3).

Raw cosines, neither weighted by 2.5 nor cut at 0 as in CLIPScore (arXiv 2104.08718): the values of the paper's
figure 12, 0.17 to 0.27, are raw. CLIPScore's prefix "A photo depicts " is an option.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import Part, Sample, Score
from ...runtime.session import each
from ..stats import unscored

__all__ = ["DCS", "PREFIX"]

PREFIX = "A photo depicts "


class DCS:
    """An `Evaluator` of pictures for the noun phrases of one prompt; the texts of the samples are not looked at."""

    name = "dcs"

    def __init__(self, embedder: Embedder, phrases: Sequence[str], *, prefix: str = "") -> None:
        if not phrases or not all(phrase.strip() for phrase in phrases):
            raise BadInput(
                f"the noun phrases {list(phrases)!r} cannot be scored: give one or more, none of them empty."
            )
        self.embedder = embedder
        self.phrases = tuple(phrases)
        self.prefix = prefix

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A cosine from -1 to 1 for each picture, with one part a phrase; None where it could not be embedded."""
        try:
            texts = await self.embedder.texts([self.prefix + phrase for phrase in self.phrases])
        except (BadInput, CallFailed) as error:
            return [Score(value=None, explanation=f"the noun phrases could not be embedded: {error}") for _ in samples]
        pictures = list({sample.image.sha256: sample.image for sample in samples if sample.image is not None}.values())
        found = await each(self.embedder.images, pictures)
        vectors = dict(zip([picture.sha256 for picture in pictures], found, strict=True))
        return [self._score(sample, texts, vectors) for sample in samples]

    def _score(
        self, sample: Sample, texts: list[list[float]], vectors: dict[str, list[float] | CallFailed | BadInput]
    ) -> Score:
        if sample.image is None:
            return unscored(sample)
        vector = vectors[sample.image.sha256]
        if isinstance(vector, Exception):
            return Score(value=None, explanation=f"the picture could not be embedded: {vector}")
        cosines = [sum(a * b for a, b in zip(vector, text, strict=True)) for text in texts]
        parts = tuple(Part(name=phrase, value=value) for phrase, value in zip(self.phrases, cosines, strict=True))
        worst = min(parts, key=lambda part: part.value if part.value is not None else 0.0)
        told = f"mean cosine of {len(parts)} noun phrases; the weakest is {worst.name!r}"
        return Score(value=sum(cosines) / len(cosines), explanation=told, parts=parts)
