"""Why an answer is wrong, told by asking again with what an oracle knows.

    right                  it scores at least `RIGHT`
    normalisation          it scores too little under the rule, and yet another form of it is what people said
    caption                it is right once the caption says all that the picture shows: the caption lacked it
    knowledge              it is right once the passage that has to be known is there: retrieval lacked it
    caption and knowledge  it is right with both, and with neither alone
    caption or knowledge   it is right with either alone
    reasoning              it is wrong with both: the language model had what it needs
    unknown                there is no oracle to ask, or it was not asked to the end

Counterfactual runs change one thing and keep the rest: preset, shots, votes, seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

from ...agents.captions import stem
from .accuracy import Asked, official_form

__all__ = ["CAUSES", "RIGHT", "Cause", "cause_of", "counted", "same_meaning"]

RIGHT = 0.5
Cause = Literal[
    "right", "normalisation", "caption", "knowledge", "caption and knowledge", "caption or knowledge", "reasoning", "unknown"
]  # fmt: skip
CAUSES: tuple[Cause, ...] = get_args(Cause)


def cause_of(
    answer: str,
    asked: Asked,
    score: float,
    *,
    with_caption: float | None = None,
    with_passage: float | None = None,
    with_both: float | None = None,
) -> Cause:
    """The cause for one item; the scores of the counterfactual runs are None where they could not be had."""
    if score >= RIGHT:
        return "right"
    if same_meaning(answer, asked):
        return "normalisation"
    caption, passage, both = (
        None if value is None else value >= RIGHT for value in (with_caption, with_passage, with_both)
    )
    if caption and passage:
        return "caption or knowledge"
    if caption:
        return "caption"
    if passage:
        return "knowledge"
    if both:
        return "caption and knowledge"
    # wrong with either alone does not yet mean that nothing was lacking: both may be needed
    return "unknown" if both is None else "reasoning"


def same_meaning(answer: str, asked: Asked) -> bool:
    """Whether an answer differs from what at least two people said (or the only ones) in form alone.

    In form: number and tense endings, hyphens and blanks, and words before or after it. It is a rule of words, so it takes
    "a red bus" for "bus", and cannot tell that "couch" means "sofa".
    """
    needed = 2 if len(asked.humans) > 2 else 1
    said = Counter(official_form(human.text) for human in asked.humans)
    golds = [text for text, count in said.items() if count >= needed] or ([asked.correct] if asked.correct else [])
    mine = _stems(answer)
    return bool(mine) and any(_within(theirs, mine) for text in golds if (theirs := _stems(text)))


def counted(causes: Sequence[Cause]) -> dict[str, int]:
    """How many items have each cause, in the order of `CAUSES`; causes of none are left out."""
    found = Counter(causes)
    return {cause: found[cause] for cause in CAUSES if found[cause]}


def _stems(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", official_form(text).replace("'", ""))
    return [stem(word) for word in words]


def _within(theirs: list[str], mine: list[str]) -> bool:
    if "".join(theirs) == "".join(mine):
        return True
    size = len(theirs)
    return len(mine) <= size + 3 and any(mine[place : place + size] == theirs for place in range(len(mine) - size + 1))
