"""What texts are worth: their artefacts judged, on the seeds that are optimised on and on those that nothing is chosen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluators.run import checked_scores
from ...evaluators.stats import Verdict, mean, verdict_of
from ...runtime.records import BlobRef, Part, Sample, Score
from .floors import Floors
from .races import Standing
from .result import HeldOut, Trial, TrialImage
from .search import Objective, SearchContext

__all__ = ["assess", "differences", "hold_out", "judge", "mended", "rescored", "standing", "summed", "verdict_on"]


async def assess(
    search: SearchContext, texts: Sequence[str], images: Sequence[Sequence[BlobRef | None]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Every artefact of every text scored with every evaluator in one batch each; fields of a `Trial` for each text."""
    return [summed(search, shots, len(seeds)) for shots in await judge(search, texts, images, seeds)]


async def judge(
    search: SearchContext, texts: Sequence[str], images: Sequence[Sequence[BlobRef | None]], seeds: Sequence[int]
) -> list[tuple[TrialImage, ...]]:
    """For each text what could be made of it, with its scores."""
    made = [
        (i, seed, image)
        for i, row in enumerate(images)
        for seed, image in zip(seeds, row, strict=True)
        if image is not None
    ]
    samples = [Sample(id=f"{i}/{seed}", text=texts[i], image=image) for i, seed, image in made]
    by_evaluator = {
        name: await checked_scores(name, evaluator, samples) for name, evaluator in search.evaluators.items()
    }
    shots: list[list[TrialImage]] = [[] for _ in texts]
    for k, (i, seed, image) in enumerate(made):
        shots[i].append(
            TrialImage(seed=seed, image=image, scores={name: found[k] for name, found in by_evaluator.items()})
        )
    return [tuple(row) for row in shots]


def summed(search: SearchContext, shots: Sequence[TrialImage], seeds: int) -> dict[str, Any]:
    """The fields of a `Trial`: means over what could be made and scored; its `note` says what could not be made."""
    by_evaluator = {name: [shot.scores[name] for shot in shots] for name in search.evaluators}
    scores = {name: mean([score.value for score in found]) for name, found in by_evaluator.items()}
    return {
        "scores": scores,
        "objective": search.climbed(scores),
        "broken": search.floors.broken(scores),
        "images": tuple(shots),
        "parts": {name: _mean_parts(found) for name, found in by_evaluator.items()},
        "note": "" if len(shots) == seeds else f"{seeds - len(shots)} of {seeds} could not be made",
    }


async def rescored(trial: Trial, search: SearchContext) -> Trial:
    """A trial with what is asked by now; answers that were paid for are in the ledger."""
    seeds = [shot.seed for shot in trial.images]
    [shots] = await judge(search, [trial.text], [[shot.image for shot in trial.images]], seeds)
    fields = summed(search, shots, len(seeds)) | {"note": trial.note}
    if trial.objective is None and trial.note:
        fields["objective"] = None  # it left the race, or nothing could be made of it
    return trial.model_copy(update=fields)


def standing(search: SearchContext, shots: Sequence[TrialImage], to_come: int) -> Standing:
    """Where a text stands while `to_come` seeds are not tried; no score is above 1."""
    values = {name: [shot.scores[name].value for shot in shots] for name in search.evaluators}
    now = {name: mean(found) for name, found in values.items()}
    # one that is not made or not scored does not count, so that a perfect one for each is the most
    most = {name: mean([*found, *[1.0] * to_come]) for name, found in values.items()}
    return Standing(objective=search.climbed(now), most=search.climbed(most), short=search.floors.short(now))


def _mean_parts(scores: Sequence[Score]) -> tuple[Part, ...]:
    names = list(dict.fromkeys(part.name for score in scores for part in score.parts))
    values = {name: [part.value for score in scores for part in score.parts if part.name == name] for name in names}
    return tuple(Part(name=name, value=mean(values[name])) for name in names)


async def hold_out(
    search: SearchContext, texts: Sequence[str], *, seeds: Sequence[int] | None = None
) -> dict[str, HeldOut]:
    """Each text on the held-out seeds (or on `seeds`), with every evaluator."""
    seeds = search.heldout_seeds if seeds is None else seeds
    found = await assess(search, texts, await search.artefacts(texts, seeds), seeds)
    return {
        text: HeldOut(text=text, scores=fields["scores"], images=fields["images"], broken=fields["broken"])
        for text, fields in zip(texts, found, strict=True)
    }


def verdict_on(objective: Objective, before: HeldOut, after: HeldOut) -> Verdict:
    """What the held-out seeds say of a text against another, seed by seed."""
    return verdict_of(differences(objective, before, after))


def mended(floors: Floors, user: HeldOut, best: HeldOut) -> bool:
    """Whether the scores whose floors the user's text breaks are better of the best one, by more than luck."""
    names = floors.those_broken(user.scores)

    def of_them(scores: Mapping[str, float | None]) -> float | None:
        values = [scores.get(name) for name in names]
        return None if None in values else mean(values)

    return bool(names) and verdict_on(of_them, user, best) == "gain"


def differences(objective: Objective, before: HeldOut, after: HeldOut) -> list[float | None]:
    """The objective of `after` less that of `before`, seed by seed; None where one of them could not be scored."""

    def by_seed(held: HeldOut) -> dict[int, float | None]:
        return {i.seed: objective({name: score.value for name, score in i.scores.items()}) for i in held.images}

    old, new = by_seed(before), by_seed(after)
    pairs = [(old[seed], new.get(seed)) for seed in old]
    return [None if a is None or b is None else b - a for a, b in pairs]
