"""What the teachers are asked in a step, and what they write."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from ...agents.rows import Ask, Written
from ...evaluators.rows import Judged
from .context import ArmContext
from .result import Mistake

__all__ = ["ask_about", "missing_asks", "write_rows"]

_ALIKE, _UNLIKE = 5, 3  # rows of a class that the teacher is shown


def missing_asks(
    context: ArmContext, mistakes: Sequence[Mistake], judged: Sequence[Judged], *, step: int, size: int
) -> list[tuple[Ask, int]]:
    """What is still missing in a step: each mistake with too few accepted rows, with how many.

    Where fewer rows may be added than all mistakes want, they are asked for mistakes drawn blindly, and no more than may be added: the
    first ones in the file would be those of its first classes. `size`: rows that earlier steps added.
    """
    accepted = Counter(entry.seed for entry in judged if entry.outcome == "accepted")
    texts: dict[str, list[str]] = {}
    for entry in judged:
        texts.setdefault(entry.seed, []).append(entry.text)
    order = list(mistakes)
    room = len(order) * context.per_error
    if context.cap is not None and context.cap - size < room:
        room = context.cap - size
        random.Random(f"room/{context.seed}/{step}").shuffle(order)
    room -= accepted.total()
    asks = []
    for mistake in order:
        missing = min(context.per_error - accepted[mistake.seed.id], room)
        if missing > 0:
            asks.append((ask_about(context, mistake, texts.get(mistake.seed.id, ())), missing))
            room -= missing
    return asks


def ask_about(context: ArmContext, mistake: Mistake, avoid: Sequence[str] = ()) -> Ask:
    """What the teacher is asked for a mistake; `avoid`: what was written for it before.

    A class is told by its name and by other seeds of it: a small teacher that knows the name alone writes what it suggests to
    it ("SearchCreativeWork": whatever one may search). Which seeds are shown changes with what was written before.
    """
    others = [row for row in context.seeds if row.id != mistake.seed.id] if context.task.classes else []
    rng = random.Random(f"shown/{context.seed}/{mistake.seed.id}/{len(avoid)}")

    def some(label: str | None, most: int) -> tuple[str, ...]:
        texts = [row.text for row in others if row.label == label]
        return tuple(rng.sample(texts, min(most, len(texts))))

    return Ask(
        seed=mistake.seed, wrong=mistake.said, unreadable=mistake.outcome == "format", avoid=tuple(avoid),
        alike=some(mistake.seed.label, _ALIKE), unlike=some(mistake.said, _UNLIKE),
    )  # fmt: skip


async def write_rows(
    context: ArmContext, asks: Sequence[tuple[Ask, int]], *, step: int, attempt: int, taken: frozenset[str]
) -> list[Written]:
    """What the teachers write: for each ask as many rows as it says, none with a text of `taken`.

    Asks are dealt to the teachers in turn, and at the next attempt to the next one.
    """
    groups: dict[tuple[int, int], list[Ask]] = {}
    for place, (ask, n) in enumerate(asks):
        groups.setdefault(((place + attempt) % len(context.teachers), n), []).append(ask)
    written: list[Written] = []
    for (teacher, n), group in sorted(groups.items(), key=lambda item: item[0]):
        seed = ((context.seed * 100 + step) * 10 + attempt) * 10 + teacher
        replies = await context.teachers[teacher].write(group, n=n, seed=seed, taken=taken)
        taken |= {draft.text for reply in replies for draft in reply.drafts}
        written += replies
    return written
