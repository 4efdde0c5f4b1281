"""What texts are worth: their artefacts judged, on the seeds that are optimised on and on those that nothing is chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...evaluators.run import checked_scores
from ...evaluators.stats import Verdict, mean, verdict_of
from ...runtime.records import BlobRef, Part, Sample, Score
from .result import HeldOut, TrialImage
from .search import Objective, SearchContext

__all__ = ["assess", "differences", "hold_out", "verdict_on"]


async def assess(
    search: SearchContext, texts: Sequence[str], images: Sequence[Sequence[BlobRef | None]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Score every artefact of every text with every evaluator in one batch each; fields of a `Trial` for each text.

    A trial's scores are means over what could be made and scored; its `note` says what could not be made.
    """
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
    out = []
    for i, _ in enumerate(texts):
        mine = [k for k, (owner, _, _) in enumerate(made) if owner == i]
        scores = {name: mean([found[k].value for k in mine]) for name, found in by_evaluator.items()}
        pictures = tuple(
            TrialImage(
                seed=made[k][1], image=made[k][2], scores={name: found[k] for name, found in by_evaluator.items()}
            )
            for k in mine
        )
        parts = {name: _mean_parts([found[k] for k in mine]) for name, found in by_evaluator.items()}
        note = "" if len(mine) == len(seeds) else f"{len(seeds) - len(mine)} of {len(seeds)} could not be made"
        objective = search.climbed(scores)
        out.append({"scores": scores, "objective": objective, "images": pictures, "parts": parts, "note": note})
    return out


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
        text: HeldOut(text=text, scores=fields["scores"], images=fields["images"])
        for text, fields in zip(texts, found, strict=True)
    }


def verdict_on(objective: Objective, before: HeldOut, after: HeldOut) -> Verdict:
    """What the held-out seeds say of a text against another, seed by seed."""
    return verdict_of(differences(objective, before, after))


def differences(objective: Objective, before: HeldOut, after: HeldOut) -> list[float | None]:
    """The objective of `after` less that of `before`, seed by seed; None where one of them could not be scored."""

    def by_seed(held: HeldOut) -> dict[int, float | None]:
        return {i.seed: objective({name: score.value for name, score in i.scores.items()}) for i in held.images}

    old, new = by_seed(before), by_seed(after)
    pairs = [(old[seed], new.get(seed)) for seed in old]
    return [None if a is None or b is None else b - a for a, b in pairs]
