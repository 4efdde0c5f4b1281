"""Which captions do not fit their pictures, and what a captioner writes in their place: CapFilt (Li et al. 2022, arXiv 2201.12086).

A filter scores each caption with its picture, and captions of other pictures with it, which are wrong. The share of wrong ones among one's own follows from
how many score as the planted ones do, and the threshold is the one with the fewest mistakes at that share. Captions that score as some planted ones do are
borderline: where there is a model that answers questions, those of each such caption are asked (DSG), and what the answers say counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence, Set
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...agents.scene import NotUnderstood, simple_scene_graph
from ...evaluators.text_image import DSG
from ...runtime.protocols import Embedder, Rewarder, VisualQA
from ...runtime.records import BlobRef, Record, Sample
from ...runtime.session import Progressed, Session, each, gather
from .result import CaptionCheck

__all__ = ["Captioned", "Cut", "Filter", "Pair", "cut", "judged", "wrong_pairs"]

_FEWEST = 8
_WORD = re.compile(r"\w+")
_BORDERS = 1024
_LEAST_PLANTED = 0.3  # of the planted ones below a score, for a share to be had from it
_BORDER = 0.95  # of the planted ones score below a borderline caption's highest
_TELLS = 0.7  # a filter that parts right from wrong no better is not followed
_MIXED = 0.6  # the AUROC of one's own against planted ones that is the least: where half are wrong and all are told, it is .75
_SEEN = 0.25  # of right captions score as high as nothing else does; else they are not told from others well enough to be looked for
_ASKED = 100  # planted captions that questions are asked of

Pair = tuple[BlobRef, str]


class Filter:
    """Scores pairs of a picture and a text, higher where they fit: by the cosine of `clip`, or by `rewarder` (image-text matching) where there is one."""

    def __init__(self, clip: Embedder, rewarder: Rewarder | None = None) -> None:
        self._clip, self._rewarder = clip, rewarder

    async def scores(self, pairs: Sequence[Pair]) -> list[float | Exception]:
        """A score a pair, or why there is none."""
        if self._rewarder is not None:
            return list(await each(self._rewarder.rewards, pairs))
        pictures = await each(self._clip.images, [image for image, _ in pairs])
        texts = await each(self._clip.texts, [text for _, text in pairs])
        found: list[float | Exception] = []
        for image, text in zip(pictures, texts, strict=True):
            if isinstance(image, Exception) or isinstance(text, Exception):
                found.append(image if isinstance(image, Exception) else cast("Exception", text))
            else:
                found.append(float(np.dot(image, text)))
        return found


class Captioned(Record):
    """What is known of captions, by place of the picture: the filter's `own` scores, those that are `unfit`, the captions `written` in their place.

    `why`: of those that are unfit, in words; `notes`: what was not judged. `fits`: the score from which a text shows what a picture shows: half of the
    right captions score as high, and one of a hundred planted ones; None where there is none.
    """

    own: dict[int, float] = Field(default_factory=dict)
    why: dict[int, str] = Field(default_factory=dict)
    written: dict[int, tuple[str, float]] = Field(default_factory=dict)
    fits: float | None = None
    check: CaptionCheck | None = None
    notes: tuple[str, ...] = ()


class Cut(NamedTuple):
    """Where wrong ones are parted from right ones: below `threshold`. `wrong`: the share that is wrong.

    `auroc`: of right ones against wrong ones; `chance`: whether one's own score no higher than planted ones do but for chance.
    """

    threshold: float
    wrong: float
    auroc: float
    chance: bool

    @property
    def doubt(self) -> str:
        """Why it must not be followed; "" where it may."""
        if self.chance:
            return "captions score as those of other pictures do"
        return f"right ones are told from wrong ones with an AUROC of {self.auroc:.2f}" if self.auroc < _TELLS else ""


def wrong_pairs(texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """For each picture the place of a caption that is another picture's and says something else: captions planted to be wrong."""
    rng = np.random.default_rng([seed, 31])
    order = rng.permutation(len(texts))
    wrong = np.roll(order, 1)[np.argsort(order)]
    for place in range(len(texts)):
        for _ in range(20):
            if texts[int(wrong[place])] != texts[place]:
                break
            wrong[place] = rng.integers(len(texts))
    return np.asarray(wrong, dtype=np.int64)


def cut(own: Sequence[float], planted: Sequence[float]) -> Cut:
    """The threshold with the fewest mistakes. `own`: scores of right and wrong ones, mixed; `planted`: of wrong ones.

    The share of wrong ones is the most that the lower scores leave room for: the least of own over planted ones below a score (as in mixture proportion
    estimation, Blanchard et al. 2010). Of these a threshold takes its share of the planted ones, and the rest of what lies below it is right.
    """
    mine, theirs = np.sort(np.asarray(own, dtype=np.float64)), np.sort(np.asarray(planted, dtype=np.float64))
    width = max(0.9 * min(mine.std(), theirs.std()) * len(theirs) ** -0.2, 1e-6)  # Silverman's rule
    borders = np.linspace(min(mine[0], theirs[0]) - 3 * width, max(mine[-1], theirs[-1]) + 3 * width, _BORDERS)
    below, caught = _smoothed(mine, borders, width), _smoothed(theirs, borders, width)
    enough = caught >= _LEAST_PLANTED
    wrong = float(min(1.0, (below[enough] / caught[enough]).min()))
    threshold = float(borders[int((2 * wrong * caught - below).argmax())])
    lower = np.searchsorted(theirs, mine, side="left") + np.searchsorted(theirs, mine, side="right")
    mixed = float(lower.mean()) / (2 * len(theirs))
    spread = float(np.sqrt((len(mine) + len(theirs) + 1) / (12 * len(mine) * len(theirs))))  # of `mixed` by chance
    auroc = min(1.0, max(0.0, (mixed - wrong / 2) / (1 - wrong))) if wrong < 1 else 0.5
    return Cut(threshold, wrong, auroc, mixed < max(_MIXED, 0.5 + 3 * spread))


def _smoothed(scores: NDArray[np.float64], borders: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """The share of scores below each border, of a density smoothed by a normal one of that width."""
    step = borders[1] - borders[0]
    reach = int(np.ceil(4 * width / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / width) ** 2)
    counts = np.histogram(scores, bins=len(borders), range=(borders[0] - step / 2, borders[-1] + step / 2))[0]
    density = np.convolve(counts, kernel / kernel.sum())[reach : reach + len(borders)]
    return np.asarray(density.cumsum() / len(scores), dtype=np.float64)


async def judged(
    session: Session, filter: Filter, vqa: VisualQA | None, captioner: Any, pictures: Mapping[int, BlobRef], texts: Mapping[int, str],
    names: Mapping[int, str], copies: Mapping[int, Collection[int]], seed: int,
) -> Captioned:  # fmt: skip
    """Judge captions, and have those that do not fit written anew. By place: the `pictures`, their captions (`texts`) and `names`.

    `copies`: of which other pictures each is a copy, those first that would stay. The captioner is asked for no copy of a picture whose caption fits, nor
    for a copy of one that it is asked for.
    """
    places = list(texts)
    found = await filter.scores([(pictures[place], texts[place]) for place in places])
    refused = [
        f"the caption of {names[place]!r}: {score}"
        for place, score in zip(places, found, strict=True)
        if isinstance(score, Exception)
    ]
    notes = [f"{len(refused)} captions were not judged, and stay; the first is {refused[0]}"] if refused else []
    own = {place: score for place, score in zip(places, found, strict=True) if not isinstance(score, Exception)}
    different = len({texts[place] for place in own})
    if len(own) < _FEWEST or different < 2:
        return Captioned(
            notes=(*notes, f"captions were not judged: {len(own)}, of which {different} are different, are too few.")
        )
    session.emit(Progressed(text=f"{len(own)} captions scored"))
    order = list(own)
    given = [texts[place] for place in order]
    others = wrong_pairs(given, seed)
    planted = {
        order[at]: (pictures[order[at]], given[int(other)])
        for at, other in enumerate(others)
        if given[int(other)] != given[at]
    }
    if len(planted) < _FEWEST:
        return Captioned(notes=(*notes, f"captions were not judged: nearly all of the {len(own)} say the same."))
    strange = {
        place: score
        for place, score in zip(planted, await filter.scores(list(planted.values())), strict=True)
        if not isinstance(score, Exception)
    }
    told = cut(list(own.values()), list(strange.values()))
    if told.doubt:
        notes.append(f"no caption went for not fitting its picture: {told.doubt}.")
        check = CaptionCheck(
            judged=len(own),
            unfit=0,
            written=0,
            threshold=told.threshold,
            auroc=told.auroc,
            wrong=told.wrong,
            repeated=_repeated(texts),
            doubt=told.doubt,
        )
        return Captioned(own=own, check=check, notes=tuple(notes))
    unfit = {
        place: f"a score of {score:.3f}, below {told.threshold:.3f}"
        for place, score in own.items()
        if score < told.threshold
    }
    border = max(told.threshold, float(np.quantile(list(strange.values()), _BORDER)))
    asked = 0
    if vqa is not None:
        near = {place: (pictures[place], texts[place]) for place, score in own.items() if score < border}
        alike = {place: planted[place] for place in list(strange)[:_ASKED] if strange[place] < border}
        answered = await _answered(session, vqa, near)
        against = await _answered(session, vqa, alike)
        asked = len(answered)
        if len(answered) >= _FEWEST and len(against) >= _FEWEST:
            second = cut(list(answered.values()), list(against.values()))
            if second.doubt:
                notes.append(
                    f"questions about {len(answered)} borderline captions were asked for nothing: {second.doubt}."
                )
            else:
                for place, share in answered.items():
                    unfit.pop(place, None)
                    if share < second.threshold:
                        unfit[place] = f"{share:.0%} of its questions hold, below {second.threshold:.0%}"
        else:
            notes.append(
                f"no questions counted: of {len(near)} borderline captions the rules can read {len(answered)}, which are too few."
            )
    wanting = _wanting(unfit, copies, fit=own.keys() - unfit.keys())
    written = await _written(
        filter, vqa, captioner, {place: pictures[place] for place in wanting}, told.threshold, session
    )
    check = CaptionCheck(
        judged=len(own),
        unfit=len(unfit),
        written=len(written),
        threshold=told.threshold,
        auroc=told.auroc,
        wrong=told.wrong,
        asked=asked,
        repeated=_repeated(texts),
    )
    right = [score for place, score in own.items() if place not in unfit]
    fits = max(float(np.median(right)), float(np.quantile(list(strange.values()), 0.99))) if right else None
    if fits is not None and np.mean(np.array(right) >= fits) < _SEEN:
        fits = None
    return Captioned(own=own, why=unfit, written=written, fits=fits, check=check, notes=tuple(notes))


def _wanting(unfit: Container[int], copies: Mapping[int, Collection[int]], *, fit: Set[int]) -> list[int]:
    """The places of the captions to be written anew: none of a copy of a picture whose caption fits, or is written anew itself."""
    served = set(fit)
    for place, others in copies.items():
        if place in unfit and served.isdisjoint(others):
            served.add(place)
    return sorted(served - fit)


def _repeated(texts: Mapping[int, str]) -> tuple[tuple[str, int], ...]:
    """Captions of more than one picture, the commonest first; capitals and stops make no difference."""
    alike: dict[str, list[str]] = {}
    for text in texts.values():
        alike.setdefault(" ".join(_WORD.findall(text.casefold())), []).append(text)
    return tuple((same[0], len(same)) for same in sorted(alike.values(), key=len, reverse=True) if len(same) > 1)


async def _written(
    filter: Filter,
    vqa: VisualQA | None,
    captioner: Any,
    pictures: Mapping[int, BlobRef],
    threshold: float,
    session: Session,
) -> dict[int, tuple[str, float]]:
    """New captions that fit, and their scores: from `threshold` on, and where questions can be asked, all of them hold."""
    if captioner is None or not pictures:
        return {}
    session.emit(Progressed(text=f"{len(pictures)} captions to be written anew"))
    answers = await each(captioner.caption, [(image, None) for image in pictures.values()])
    fresh = {
        place: " ".join(text.split())
        for place, text in zip(pictures, answers, strict=True)
        if isinstance(text, str) and text.strip()
    }
    pairs = {place: (pictures[place], text) for place, text in fresh.items()}
    scores = dict(zip(pairs, await filter.scores(list(pairs.values())), strict=True))
    fits = {
        place: (fresh[place], score)
        for place, score in scores.items()
        if not isinstance(score, Exception) and score >= threshold
    }
    if vqa is None:
        return fits
    holds = await _answered(session, vqa, {place: pairs[place] for place in fits})
    return {place: value for place, value in fits.items() if holds.get(place, 1.0) == 1.0}


async def _answered(session: Session, vqa: VisualQA, pairs: Mapping[int, Pair]) -> dict[int, float]:
    """The share of the questions of a caption that hold (DSG), of those that the rules for simple English can read."""

    async def share(pair: Pair) -> float | None:
        image, text = pair
        [score] = await DSG(vqa, simple_scene_graph(text)).score([Sample(id=image.sha256, text=text, image=image)])
        return score.value

    readable = {}
    for place, (image, text) in pairs.items():
        try:
            simple_scene_graph(text)
        except NotUnderstood:
            continue
        readable[place] = (image, text)
    session.emit(Progressed(text=f"questions of {len(readable)} captions to ask"))
    values = await gather([share(pair) for pair in readable.values()])
    return {place: value for place, value in zip(readable, values, strict=True) if value is not None}
