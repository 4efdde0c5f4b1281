"""What else the same pictures could have bought: the equal-budget baselines that a result is shown beside.

- *blind paraphrases*: rewrites without any feedback, the best of them by the same score (the paper's own baseline, table 1)
- *one-shot feedback*: candidates from the feedback on the user's prompt alone, never on a candidate (table 5); where it is asked for
- *more seeds*: the user's prompt painted again and again, the best pictures kept

Every gain is over the user's prompt on the held-out seeds, and before the gate: the gate looks at these very seeds, so what it
lets pass would flatter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ...agents.opt2i import Rewriter
from ...evaluators.stats import estimate, mean, verdict_of
from ...runtime.errors import CallFailed
from .assessment import assess, hold_out
from .result import HeldOut, SearchedTask, Trial, TrialImage
from .search import SearchContext
from .ways import Baseline, Comparison, PaperGain

__all__ = ["blind_paraphrases", "compare", "more_seeds", "one_shot", "published"]

_FLATTERING = "chosen by the score it is measured with: flattering on the objective, fair on the other scorer"


async def blind_paraphrases(
    search: SearchContext, rewriter: Rewriter, trials: Sequence[Trial], user: HeldOut
) -> Baseline:
    """As many paraphrases as the pictures of the loop pay for, painted with its seeds; the best one (or the user's text) held out.

    Raises:
        CallFailed: no paraphrase could be had.
    """

    async def ask(seed: int) -> Sequence[str]:
        return (await rewriter.paraphrase(trials[0].text, search.candidates, seed)).texts

    return await _best_of(search, "blind paraphrases", ask, trials, user)


async def one_shot(search: SearchContext, trials: Sequence[Trial], user: HeldOut) -> Baseline:
    """As many candidates as the pictures of the loop pay for, from the feedback on the user's text alone: the in-context baseline of the paper's table 5.

    Raises:
        CallFailed: no candidate could be had.
    """

    async def ask(seed: int) -> Sequence[str]:
        return await search.proposer.propose(trials[0].text, trials[:1], n=search.candidates, seed=seed)

    return await _best_of(search, "one-shot feedback", ask, trials, user)


async def _best_of(
    search: SearchContext,
    way: str,
    ask: Callable[[int], Awaitable[Sequence[str]]],
    trials: Sequence[Trial],
    user: HeldOut,
) -> Baseline:
    """Ask for what the loop's pictures pay for, paint what is new with its seeds, and hold out the best text, or the user's own."""
    own, count = trials[0], -(-_painted(trials) // len(search.seeds))
    texts: dict[str, None] = {}
    failure: CallFailed | None = None
    for turn in range(-(-count // search.candidates)):
        try:
            texts.update(dict.fromkeys(await ask(search.seed * 10_000 + 5_000 + turn)))
        except CallFailed as error:
            if error.retryable:
                raise
            failure = error  # there are fewer, which the note says
    if failure is not None and not texts:
        raise failure
    tried = list(texts)[:count]
    scored = await assess(search, tried, await search.artefacts(tried, search.seeds), search.seeds) if tried else []
    ranked = [
        (own.objective, own.scores, own.text),
        *((fields["objective"], fields["scores"], text) for text, fields in zip(tried, scored, strict=True)),
    ]
    known = [
        (-search.floors.short(scores), value, -place, text)
        for place, (value, scores, text) in enumerate(ranked)
        if value is not None
    ]
    best = max(known)[-1] if known else own.text
    after = (await hold_out(search, [best]))[best]
    note = "" if len(tried) == count else f"only {len(tried)} of {count} differed"
    return Baseline(
        way=way,
        text=best,
        objective=max(known)[1] if known else None,
        gains=_gains(user, after),
        images=len(tried) * len(search.seeds),
        note=note,
    )


async def more_seeds(search: SearchContext, extra: Sequence[int], trials: Sequence[Trial], user: HeldOut) -> Baseline:
    """The best of many pictures of the user's prompt: chosen pictures, so only the other scorer is unbiased."""
    own = trials[0]
    seeds = tuple(extra[: _painted(trials)])
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


def compare(tasks: Sequence[SearchedTask]) -> list[Comparison]:
    """Each way by its gain in points, with an interval over prompts (over seeds where there is one prompt)."""
    held = [task for task in tasks if task.heldout]
    if not held:
        return []
    painted = sum(_painted(task.trials) for task in held)
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


def published(tasks: Sequence[SearchedTask], objective: str) -> list[PaperGain]:
    """What the paper's tables report of a run: the best score found less that of the user's text, on the seeds that were optimised on.

    Relative for dCS (best / first - 1), absolute for all others, as there: a first DSG may be 0. It is chosen and told on the
    same pictures, so of equal candidates, too, the best one gains.
    """
    relative = objective == "dcs"

    def gain(first: float | None, best: float | None) -> float | None:
        if first is None or best is None or (relative and first <= 0):
            return None
        return 100 * (best / first - 1) if relative else 100 * (best - first)

    rows = []
    searched = [(task, trial.objective) for task in tasks if (trial := task.user_trial) is not None]
    ways = dict.fromkeys(
        baseline.way for task in tasks for baseline in task.baselines if baseline.objective is not None
    )
    for way in ("inloop", *ways):
        gains = []
        for task, first in searched:
            if way == "inloop":
                best = task.best_trial.objective if task.best_trial else None
            else:
                best = next((baseline.objective for baseline in task.baselines if baseline.way == way), first)
            gains.append(gain(first, best))
        points = estimate(gains)
        rows.append(PaperGain(way=way, relative=relative, gain=points.value, ci=points.ci, n=points.n))
    return rows


def _painted(trials: Sequence[Trial]) -> int:
    """The pictures that the loop spent on candidates, fewer than candidates times seeds where there is a race."""
    return sum(len(trial.images) for trial in trials[1:])


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
