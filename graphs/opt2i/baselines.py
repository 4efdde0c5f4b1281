"""What else the same pictures could have bought: the equal-budget baselines that a result is shown beside.

- *blind paraphrases*: rewrites without any feedback, the best of them by the same score (the paper's own baseline, table 1)
- *more seeds*: the user's prompt painted again and again, the best pictures kept

Every gain is over the user's prompt on the held-out seeds, and before the gate: the gate looks at these very seeds, so what it
lets pass would flatter.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.opt2i import Rewriter
from ...evaluators.stats import estimate, mean, verdict_of
from ...runtime.errors import CallFailed
from .assessment import assess, hold_out
from .result import Baseline, Comparison, HeldOut, Opt2iTask, Trial, TrialImage
from .search import SearchContext

__all__ = ["blind_paraphrases", "compare", "more_seeds"]

_FLATTERING = "chosen by the score it is measured with: flattering on the objective, fair on the other scorer"


async def blind_paraphrases(
    search: SearchContext, rewriter: Rewriter, trials: Sequence[Trial], user: HeldOut
) -> Baseline:
    """As many paraphrases as the loop had candidates, painted with its seeds; the best one (or the user's text) held out.

    Raises:
        CallFailed: no paraphrase could be had.
    """
    own, count = trials[0], len(trials) - 1
    texts: dict[str, None] = {}
    failure: CallFailed | None = None
    for turn in range(-(-count // search.candidates)):
        try:
            proposals = await rewriter.paraphrase(own.text, search.candidates, search.seed * 10_000 + 5_000 + turn)
        except CallFailed as error:
            if error.retryable:
                raise
            failure = error  # there are fewer paraphrases, which the note says
            continue
        texts.update(dict.fromkeys(proposals.texts))
    if failure is not None and not texts:
        raise failure
    tried = list(texts)[:count]
    scored = await assess(search, tried, await search.artefacts(tried, search.seeds), search.seeds) if tried else []
    ranked = [
        (own.objective, own.text),
        *((fields["objective"], text) for text, fields in zip(tried, scored, strict=True)),
    ]
    known = [(value, -place, text) for place, (value, text) in enumerate(ranked) if value is not None]
    best = max(known)[2] if known else own.text
    after = (await hold_out(search, [best]))[best]
    note = "" if len(tried) == count else f"only {len(tried)} of {count} paraphrases differed"
    return Baseline(
        way="blind paraphrases", text=best, gains=_gains(user, after), images=len(tried) * len(search.seeds), note=note
    )


async def more_seeds(search: SearchContext, extra: Sequence[int], trials: Sequence[Trial], user: HeldOut) -> Baseline:
    """The best of many pictures of the user's prompt: chosen pictures, so only the other scorer is unbiased."""
    own = trials[0]
    seeds = tuple(extra[: (len(trials) - 1) * len(search.seeds)])
    pictures = (await assess(search, [own.text], await search.artefacts([own.text], seeds), seeds))[0]["images"]

    def rank(image: TrialImage) -> tuple[float, float]:
        scores = image.scores
        value = search.climbed({name: score.value for name, score in scores.items()})
        sure = [search.certainty(name, score) for name, score in scores.items()]
        return (-1.0 if value is None else value, mean(sure) or 0.0)

    kept = sorted(pictures, key=rank)[-len(search.seeds) :]
    scores = {name: mean([image.scores[name].value for image in kept]) for name in search.evaluators}
    after = HeldOut(text=own.text, scores=scores, images=tuple(kept))
    return Baseline(way="more seeds", text=own.text, gains=_gains(user, after), images=len(seeds), note=_FLATTERING)


def compare(tasks: Sequence[Opt2iTask]) -> list[Comparison]:
    """Each way by its gain in points, with an interval over prompts (over seeds where there is one prompt)."""
    held = [task for task in tasks if task.heldout]
    if not held:
        return []
    painted = sum(len(trial.images) for task in held for trial in task.trials[1:])
    rows = []
    for name in held[0].heldout["user"].scores:
        own = [_gains(task.heldout["user"], task.heldout["best"])[name] for task in held]
        if len(held) == 1:
            user, best = (_by_seed(held[0].heldout[which], name) for which in ("user", "best"))
            own = [_less(best.get(seed), user.get(seed)) for seed in held[0].heldout_seeds]
        rows.append(_row("inloop", name, own, painted, ""))
        for way in dict.fromkeys(baseline.way for task in held for baseline in task.baselines):
            mine = [next((baseline for baseline in task.baselines if baseline.way == way), None) for task in held]
            # a prompt that was perfect at once has no baselines: nothing was spent, nothing gained
            gains = [baseline.gains[name] if baseline else 0.0 for baseline in mine]
            notes = dict.fromkeys(baseline.note for baseline in mine if baseline and baseline.note)
            images = sum(baseline.images for baseline in mine if baseline)
            rows.append(_row(way, name, gains, images, next(iter(notes)) if len(notes) == 1 else ""))
    return rows


def _by_seed(held: HeldOut, name: str) -> dict[int, float | None]:
    return {image.seed: image.scores[name].value for image in held.images}


def _gains(before: HeldOut, after: HeldOut) -> dict[str, float | None]:
    return {name: _less(after.scores[name], value) for name, value in before.scores.items()}


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _row(way: str, evaluator: str, gains: Sequence[float | None], images: int, note: str) -> Comparison:
    mean_gain = estimate([None if gain is None else 100 * gain for gain in gains])
    return Comparison(
        way=way,
        evaluator=evaluator,
        gain=mean_gain.value,
        ci=mean_gain.ci,
        n=mean_gain.n,
        images=images,
        note=note,
        verdict=verdict_of(gains),
    )
