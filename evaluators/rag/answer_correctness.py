"""Answer correctness: exact match and token F1 of short answers (SQuAD), and the stance of an answer to a claim.

SQuAD's normalisation (Rajpurkar et al. 2016, arXiv 1606.05250): small letters, no punctuation, no articles, one blank between
words; the best of several gold answers counts. A long answer is not made wrong by what it says besides: `contains` is 1 when
a gold answer stands in it as whole words.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from ...runtime.answers import CitedAnswer
from ...runtime.records import Part, Record, Score

__all__ = ["Correctness", "correctness", "normalised", "stance_correct", "token_f1"]

Label = Literal["SUPPORT", "CONTRADICT", "NOT_ENOUGH_INFO"]
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Correctness(Record):
    """Of one answer against its gold answers; all from 0 to 1."""

    exact: float
    f1: float
    contains: float


def normalised(text: str) -> str:
    """`text` as SQuAD compares it."""
    bare = re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())


def token_f1(said: str, gold: str) -> float:
    """The harmonic mean of token precision and recall; two empty texts are equal."""
    ours, theirs = normalised(said).split(), normalised(gold).split()
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))


def correctness(said: str, golds: Sequence[str]) -> Correctness | None:
    """The best over the gold answers; None where there is none to compare with."""
    if not golds:
        return None
    text = normalised(said)
    return Correctness(
        exact=max(float(text == normalised(gold)) for gold in golds),
        f1=max(token_f1(said, gold) for gold in golds),
        contains=max(float(bool(normalised(gold)) and f" {normalised(gold)} " in f" {text} ") for gold in golds),
    )


def stance_correct(answer: CitedAnswer, label: Label) -> Score:
    """Whether an answer to a claim takes the right side; unscored where it abstained or could not tell the side."""
    if label == "NOT_ENOUGH_INFO":
        return Score(value=None, explanation="the claim has no side to take")
    if not answer.answered or answer.stance is None:
        return Score(value=None, explanation="it abstained" if not answer.answered else "the side could not be told")
    right = (answer.stance == "supports") == (label == "SUPPORT")
    return Score(value=float(right), parts=(Part(name=answer.question, value=float(right), detail=answer.stance),))
