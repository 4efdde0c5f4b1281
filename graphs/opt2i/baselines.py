"""What else the same pictures could have bought: the equal-budget baselines that a result is shown beside.

- *blind paraphrases*: rewrites without any feedback, the best of them by the same score (the paper's own baseline, table 1)
- *more seeds*: the user's prompt painted again and again, the best pictures kept

Every gain is over the user's prompt on the held-out seeds, and before the gate: the gate looks at these very seeds, so what it
lets pass would flatter.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.opt2i import Rewriter
from ...evaluators.stats import estimate, mean
from ...runtime.records import Record
from .result import Comparison, HeldOut, TaskOutcome, Trial, TrialImage
from .search import Ports, assess, hold_out

__all__ = ["Rival", "blind_paraphrases", "compare", "more_seeds"]

_FLATTERING = "chosen by the score it is measured with: flattering on the objective, fair on the other scorer"


class Rival(Record):
    """What another way of spending the same pictures gained on one prompt; `gains` by evaluator, in its own unit."""

    way: str
    text: str
    gains: dict[str, float | None]
    images: int
    note: str = ""


async def blind_paraphrases(ports: Ports, rewriter: Rewriter, trials: Sequence[Trial], user: HeldOut) -> Rival:
    """As many paraphrases as the loop had candidates, painted with its seeds; the best one (or the user's text) held out."""
    own, count = trials[0], len(trials) - 1
    texts: dict[str, None] = {}
    for turn in range(-(-count // ports.candidates)):
        found = await rewriter.paraphrase(own.text, ports.candidates, ports.seed * 10_000 + 5_000 + turn)
        texts.update(dict.fromkeys(found.texts))
    tried = list(texts)[:count]
    scored = await assess(ports, tried, await ports.realiser.realise(tried, ports.seeds), ports.seeds) if tried else []
    ranked = [
        (own.objective, own.text),
        *((fields["objective"], text) for text, fields in zip(tried, scored, strict=True)),
    ]
    known = [(value, -place, text) for place, (value, text) in enumerate(ranked) if value is not None]
    best = max(known)[2] if known else own.text
    after = (await hold_out(ports, [best]))[best]
    note = "" if len(tried) == count else f"only {len(tried)} of {count} paraphrases differed"
    return Rival(
        way="blind paraphrases", text=best, gains=_gains(user, after), images=len(tried) * len(ports.seeds), note=note
    )


async def more_seeds(ports: Ports, extra: Sequence[int], trials: Sequence[Trial], user: HeldOut) -> Rival:
    """The best of many pictures of the user's prompt: chosen pictures, so only the other scorer is unbiased."""
    own = trials[0]
    seeds = tuple(extra[: (len(trials) - 1) * len(ports.seeds)])
    pictures = (await assess(ports, [own.text], await ports.realiser.realise([own.text], seeds), seeds))[0]["images"]

    def rank(image: TrialImage) -> tuple[float, float]:
        scores = image.scores
        value = ports.objective({name: score.value for name, score in scores.items()})
        sure = [ports.certainty(name, score) for name, score in scores.items()]
        return (-1.0 if value is None else value, mean(sure) or 0.0)

    kept = sorted(pictures, key=rank)[-len(ports.seeds) :]
    scores = {name: mean([image.scores[name].value for image in kept]) for name in ports.evaluators}
    after = HeldOut(text=own.text, scores=scores, images=tuple(kept))
    return Rival(way="more seeds", text=own.text, gains=_gains(user, after), images=len(seeds), note=_FLATTERING)


def compare(tasks: Sequence[TaskOutcome], rivals: Sequence[Sequence[Rival]]) -> list[Comparison]:
    """Each way by its gain in points, with an interval over prompts (over seeds where there is one prompt)."""
    held = [(task, group) for task, group in zip(tasks, rivals, strict=True) if task.heldout]
    if not held:
        return []
    painted = sum(len(trial.images) for task, _ in held for trial in task.trials[1:])
    rows = []
    for name in held[0][0].heldout["user"].scores:
        own = [_gains(task.heldout["user"], task.heldout["best"])[name] for task, _ in held]
        if len(held) == 1:
            user, best = (_by_seed(held[0][0].heldout[which], name) for which in ("user", "best"))
            own = [_less(best.get(seed), user.get(seed)) for seed in held[0][0].heldout_seeds]
        rows.append(_row("inloop", name, own, painted, ""))
        for way in dict.fromkeys(rival.way for _, group in held for rival in group):
            mine = [next((rival for rival in group if rival.way == way), None) for _, group in held]
            # a prompt that was perfect at once has no rivals: nothing was spent, nothing gained
            gains = [rival.gains[name] if rival else 0.0 for rival in mine]
            notes = dict.fromkeys(rival.note for rival in mine if rival and rival.note)
            images = sum(rival.images for rival in mine if rival)
            rows.append(_row(way, name, gains, images, next(iter(notes)) if len(notes) == 1 else ""))
    return rows


def _by_seed(held: HeldOut, name: str) -> dict[int, float | None]:
    return {image.seed: image.scores[name].value for image in held.images}


def _gains(before: HeldOut, after: HeldOut) -> dict[str, float | None]:
    return {name: _less(after.scores[name], value) for name, value in before.scores.items()}


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _row(way: str, evaluator: str, gains: Sequence[float | None], images: int, note: str) -> Comparison:
    found = estimate([None if gain is None else 100 * gain for gain in gains])
    return Comparison(way=way, evaluator=evaluator, gain=found.value, ci=found.ci, n=found.n, images=images, note=note)
