"""Which words did it: a prompt without each of its pieces, on the seeds that it was held out on; and the prompt without its idle ones.

The difference is taken seed by seed, so that what a seed does to all pictures drops out. An interval is of its piece alone: of twenty
idle pieces one lies outside 0 by luck.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.scene import pieces_of
from ...evaluators.stats import estimate, verdict_of
from .assessment import differences, hold_out
from .result import Effect, HeldOut, Shortened
from .search import SearchContext

__all__ = ["effects_of", "shorten"]


async def effects_of(search: SearchContext, text: str, held: HeldOut) -> list[Effect]:
    """What each piece of `text` adds to the objective; `held` is the whole text on the held-out seeds."""
    pieces = pieces_of(text)
    without = await hold_out(search, [piece.without for piece in pieces]) if pieces else {}
    effects = []
    for piece in pieces:
        gains = differences(search.climbed, without[piece.without], held)
        points = estimate([None if gain is None else 100 * gain for gain in gains])
        effects.append(Effect(phrase=piece.text, without=piece.without, effect=points.value, ci=points.ci, n=points.n))
    return effects


async def shorten(
    search: SearchContext, text: str, effects: Sequence[Effect], held: HeldOut, fresh: Sequence[int]
) -> Shortened | None:
    """`text` without its idle pieces, held against the whole on the `fresh` seeds; None where every piece adds something.

    The pieces go one after another, those that add least first, as long as the mean on the held-out seeds does not fall: of two pieces
    that say the same only one is idle.
    """
    short, worth = text, search.climbed(held.scores)
    scored = [(effect.effect, effect.phrase) for effect in effects if effect.effect is not None and effect.effect <= 0]
    for _, phrase in sorted(scored, key=lambda entry: entry[0]):
        piece = next((piece for piece in pieces_of(short) if piece.text == phrase), None)
        if piece is None:  # it went with a longer one
            continue
        without = search.climbed((await hold_out(search, [piece.without]))[piece.without].scores)
        if without is not None and worth is not None and without >= worth - 1e-9:
            short, worth = piece.without, without
    if short == text:
        return None
    both = await hold_out(search, [text, short], seeds=fresh)
    changes = differences(search.climbed, both[text], both[short])
    points = estimate([None if change is None else 100 * change for change in changes])
    return Shortened(
        text=short,
        change=points.value,
        ci=points.ci,
        n=points.n,
        kept=points.value is not None and points.value >= -1e-9 and verdict_of(changes) != "loss",
    )
