"""Which seeds rows are written for.

Mistakes are found in one of three ways: "seeds", as the paper does it, on the rows that the student was trained on; "out of fold",
each seed by a student that was trained on the other folds and on all added rows, because a student that has fitted its seeds shows
no mistakes; "random", seeds drawn blindly, for comparison.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ...runtime.records import Prediction, Row
from ...tools.data import folds
from .context import ArmContext
from .result import Mistake

__all__ = ["find_mistakes"]

_LONGEST = 500  # characters of an answer that is kept


async def find_mistakes(context: ArmContext, added: Sequence[Row], step: int, wanted: int | None) -> list[Mistake]:
    """The seeds to write rows for, in the order of the seeds; [] when the student makes no mistakes on them.

    `wanted`: how many rows may still be added (None: any number); a random choice draws as many seeds as that needs.
    """
    if context.mining == "random":
        return _drawn(context, step, wanted)
    seeds = list(context.seeds)
    if context.mining == "seeds":
        predictions = dict(
            zip((row.id for row in seeds), await context.predictions([*seeds, *added], seeds), strict=True)
        )
    else:
        predictions = await _out_of_fold(context, added)
    mistakes = []
    for row in seeds:
        prediction = predictions[row.id]
        grade = context.task.grade(prediction, row)
        if not grade.right:
            answer = prediction.text if grade.answer is None else grade.answer
            outcome = "format" if grade.outcome == "format" else "wrong"
            mistakes.append(Mistake(seed=row, said=answer[:_LONGEST], outcome=outcome))
    return mistakes


async def _out_of_fold(context: ArmContext, added: Sequence[Row]) -> dict[str, Prediction]:
    predictions: dict[str, Prediction] = {}
    for train, held in folds(list(context.seeds), min(context.folds, len(context.seeds)), context.seed):
        rows = [*train, *added]
        classes = {row.label for row in rows} if context.task.classes else set()
        if len(classes) == 1:  # one class alone cannot be trained on, and whoever knows one class says it
            answers = [Prediction(text=classes.pop())] * len(held)
        else:
            answers = await context.predictions(rows, held)
        predictions |= dict(zip((row.id for row in held), answers, strict=True))
    return predictions


def _drawn(context: ArmContext, step: int, wanted: int | None) -> list[Mistake]:
    """Seeds at random, each at most once: the next step draws again."""
    rng = random.Random(f"random/{context.seed}/{step}")
    count = len(context.seeds) if wanted is None else -(-wanted // context.per_error)
    drawn = rng.sample(context.seeds, min(len(context.seeds), count))
    return [Mistake(seed=row, outcome="not asked") for row in drawn]
