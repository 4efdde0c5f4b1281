"""Which captions are worth learning from: those that a reader answers right from, and that do not give the answer away.

The scores are PromptCap's (Hu et al. 2023): soft, `min(1, the mean of the three largest 1 - CER)` over the people's answers;
hard, `min(1, 0.3 x how many people answered so)`. CER is the edit distance in characters over the length of the person's
answer; both sides are written in lower case without '.', ',' and the words a, an, the, to.

A caption gives the answer away where it says nothing else (`restates`) or speaks of the task (`off_topic`), or where it holds an answer though none of the
picture's other captions holds it (`planted`): the former are refused, the latter is for a judge who sees this caption alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["cer", "hard_accuracy", "holds", "normal_answer", "off_topic", "planted", "restates", "soft_accuracy"]

_TEN = 10
_LEFT_OUT = frozenset(["a", "an", "the", "to"])
_EMPTY = frozenset(
    """is are was were be being been am do does did has have had it its this that these those there here in on at of for and
    or with by as from answer question called image picture photo shown shows seen yes no what which who whose where when how many
    much why i you we they he she""".split()
)
_TASK = frozenset(
    ["answer", "answers", "answered", "question", "questions", "context", "contexts", "summary", "caption"]
)
_WORD = re.compile(r"[\w'-]+")


def normal_answer(text: str) -> str:
    """An answer as the filter compares it."""
    words = text.lower().replace(".", "").replace(",", "").split()
    return " ".join(word for word in words if word not in _LEFT_OUT)


def cer(said: str, truth: str) -> float:
    """Edits in characters from `said` to `truth` over the length of `truth`; may exceed 1. An empty truth: 0 or 1."""
    if not truth:
        return float(bool(said))
    row = list(range(len(truth) + 1))
    for place, letter in enumerate(said, start=1):
        before, row[0] = row[0], place
        for column, other in enumerate(truth, start=1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (letter != other))
    return row[-1] / len(truth)


def _ten(answers: Sequence[str]) -> list[str]:
    """Ten people's answers; fewer stand for ten in turn."""
    found = [normal_answer(answer) for answer in answers]
    return [found[place % len(found)] for place in range(_TEN)] if 0 < len(found) < _TEN else found


def soft_accuracy(said: str, answers: Sequence[str]) -> float:
    """`min(1, mean of the top 3 of 1 - CER)`; below 0 for what is longer and quite different. 0 without answers."""
    best = sorted((1 - cer(normal_answer(said), answer) for answer in _ten(answers)), reverse=True)[:3]
    return min(1.0, sum(best) / len(best)) if best else 0.0


def hard_accuracy(said: str, answers: Sequence[str]) -> float:
    """`min(1, 0.3 x the number of people who answered so)`."""
    return min(1.0, 0.3 * _ten(answers).count(normal_answer(said)))


def restates(caption: str, question: str, answers: Sequence[str], others: Sequence[str] = ()) -> bool:
    """Whether a caption says nothing beyond an answer, or beyond question and answer where no other caption shows the answer.

    "a cactus at the bottom left" is a good caption for "what is at the bottom left?" if another one shows a cactus.
    """
    said = set(_words(caption)) - _EMPTY - _LEFT_OUT
    said -= {word for answer in answers for word in _words(answer)}
    if not said:
        return True
    return not said - set(_words(question)) and not any(holds(other, answers) for other in others)


def off_topic(caption: str, others: Sequence[str]) -> bool:
    """Whether a caption speaks of the task ("the answer to your question is ...") and not of the picture."""
    return bool(_TASK & set(_words(caption)) - {word for other in others for word in _words(other)})


def planted(caption: str, answers: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a caption holds answers of which none stands in the picture's other captions.

    That they say "an animal", as two people answered, does not show the "dog" of this one.
    """
    held = [answer for answer in answers if holds(caption, [answer])]
    return bool(held) and not any(holds(other, held) for other in others)


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether one of the answers stands in a text as whole words, or in the plural."""
    words = f" {' '.join(_words(text))} "
    for answer in answers:
        wanted = " ".join(_words(normal_answer(answer)))
        if wanted and (f" {wanted} " in words or f" {wanted}s " in words):
            return True
    return False


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
