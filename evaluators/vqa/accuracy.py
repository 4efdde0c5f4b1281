"""VQA accuracy: how well a short answer agrees with the answers that people gave, under every rule in use.

The rule has no default. One prediction file differs by a point between rules, so a figure without its rule says
nothing. A rule is made of three things: how texts are normalised, how agreement is counted, which questions count.

- official normalisation (GT-Vision-Lab `vqaEval.py`): punctuation, digits, articles and contractions, **only where
  the people did not all give the very same answer**; otherwise nothing is touched, not even capitals.
- always: the same in every case, as lmms-eval does it; on OK-VQA this is also what the port in Prophet gives.
- SQuAD (Rajpurkar et al. 2016): lower case, no ASCII punctuation, no articles.
- leave one out: the mean over the people of min(1, matches among the others / 3); else min(1, matches / 3).

These rules are made for ten answers a question. Of fewer than `VQARule.people` an answer cannot score 1, though everybody gave it; of
one answer alone, leave one out is 0 whatever is answered. `any_human_answer` is for such questions.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = [
    "RULES",
    "Accuracy",
    "Asked",
    "Human",
    "VQARule",
    "accuracy_of",
    "find_rule",
    "official_form",
    "vqa_accuracy",
]


class Human(Record):
    """One person's answer. `id` tells equal answers of two people apart; the official rule compares it too."""

    text: str
    id: int | str


class Asked(Record):
    """One question with what people answered. `difficult` and `choices` are of A-OKVQA; `correct` is the right choice."""

    id: str
    humans: tuple[Human, ...]
    question: str = ""
    difficult: bool = False
    choices: tuple[str, ...] = ()
    correct: str | None = None


Normal = Literal["official", "always", "squad", "lower", "none"]
Count = Literal["leave one out", "thirds", "tenths", "any", "choice"]
_PEOPLE: dict[Count, int] = {"leave one out": 4, "thirds": 3, "tenths": 4, "any": 1, "choice": 0}


@dataclass(frozen=True)
class VQARule:
    """A rule: `normal` is how texts are made comparable, `count` how agreement is counted."""

    name: str
    normal: Normal
    count: Count
    easy_only: bool
    about: str

    @property
    def people(self) -> int:
        """The fewest people whose agreement is a full score."""
        return _PEOPLE[self.count]

    def can_score(self, asked: Asked) -> bool:
        """Whether the question has what the rule needs: the right choice, or a human answer."""
        return asked.correct is not None if self.count == "choice" else bool(asked.humans)

    def lacks_people(self, asked: Asked) -> bool:
        """Whether so few people answered the question that no answer can score 1."""
        return self.can_score(asked) and len({(human.text, human.id) for human in asked.humans}) < self.people


_AOKVQA: tuple[tuple[tuple[str, str], Normal, Count, str], ...] = (
    (
        ("official_exact_easy_only", "exact_all"),
        "none",
        "thirds",
        "the very same text; min(1, matches / 3), as in allenai/aokvqa's eval_predictions.py",
    ),
    (
        ("exact_strip_lower_easy_only", "exact_strip_lower_all"),
        "lower",
        "thirds",
        "stripped and lower case; min(1, matches / 3)",
    ),
    (
        ("normalised_easy_only", "normalised_all"),
        "always",
        "thirds",
        "official normalisation, always; min(1, matches / 3)",
    ),
    (
        ("vqa_leave_one_out_easy_only", "vqa_leave_one_out_all"),
        "always",
        "leave one out",
        "official normalisation, always; leave one out",
    ),
    (
        ("squad_norm_min_count_over_3_easy_only", "squad_norm_min_count_over_3_all"),
        "squad",
        "thirds",
        "SQuAD normalisation; min(1, matches / 3)",
    ),
)
_EASY = "; questions with difficult_direct_answer left out"
_THIRDS, _OTHERS = "min(1, matches / 3)", "the mean over the people of min(1, matches among the others / 3)"
RULES: dict[str, VQARule] = {
    rule.name: rule
    for rule in (
        # for VQA and OK-VQA
        VQARule("official_leave_one_out", "official", "leave one out", False, f"GT-Vision-Lab's vqaEval.py: {_OTHERS}"),
        VQARule("prophet_port_always_normalise_run", "always", "leave one out", False, f"normalised always; {_OTHERS}"),
        VQARule("min_count_over_3", "official", "thirds", False, f"official normalisation; {_THIRDS}"),
        VQARule("raw_exact_min_count_over_3", "none", "thirds", False, f"the very same text; {_THIRDS}"),
        VQARule("quick_0_3_rule", "none", "tenths", False, "the very same text; min(1, 0.3 x matches), as in PICa"),
        VQARule("squad_norm_min_count_over_3", "squad", "thirds", False, f"SQuAD normalisation; {_THIRDS}"),
        # for A-OKVQA, whose own evaluation leaves the difficult questions out
        *(
            VQARule(name, normal, count, easy, about + _EASY * easy)
            for names, normal, count, about in _AOKVQA
            for name, easy in zip(names, (True, False), strict=True)
        ),
        VQARule("multiple_choice", "none", "choice", False, "the very text of the right choice"),
        VQARule("multiple_choice_easy_only", "none", "choice", True, "the very text of the right choice" + _EASY),
        VQARule(
            "any_human_answer", "always", "any", False, "normalised always; 1 where anybody said so, for few people"
        ),
    )
}

_SHORT = {
    "official": "official_leave_one_out",
    "always": "prophet_port_always_normalise_run",
    "min3": "min_count_over_3",
    "squad": "squad_norm_min_count_over_3",
    "aokvqa": "official_exact_easy_only",
    "mc": "multiple_choice",
}


def find_rule(name: str) -> VQARule:
    """The rule of that name or short name; `BadInput` lists them."""
    rule = RULES.get(_SHORT.get(name, name))
    if rule is None:
        short = ", ".join(f"{key} = {value}" for key, value in _SHORT.items())
        raise BadInput(f"there is no VQA rule {name!r}. The rules are {', '.join(RULES)} (short: {short}).")
    return rule


def vqa_accuracy(prediction: str, asked: Asked, *, rule: str) -> float:
    """The accuracy from 0 to 1 of one predicted answer.

    Raises:
        BadInput: no such rule, or the question has nothing that the rule needs (human answers, the right choice).
    """
    how = find_rule(rule)
    if how.count == "choice":
        if asked.correct is None:
            raise BadInput(f"the question {asked.id!r} has no choices: the rule {how.name!r} needs them.")
        return float(prediction == asked.correct)
    if not asked.humans:
        raise BadInput(f"the question {asked.id!r} has no human answers: the rule {how.name!r} needs them.")
    said, humans = _normalised(prediction, asked.humans, how.normal)
    matches = sum(text == said for text, _ in humans)
    if how.count == "thirds":
        return min(1.0, matches / 3)
    if how.count == "any":
        return float(matches > 0)
    if how.count == "tenths":
        return min(1.0, 0.3 * matches)
    # whoever gave the same answer under the same id counts as the same person, as in the official script
    shares = [min(1.0, sum(other[0] == said for other in humans if other != human) / 3) for human in humans]
    return sum(shares) / len(shares)


class Accuracy(Record):
    """What a prediction file comes to. `score` in percent; `missing` questions had no prediction and count 0.

    `left_out`: questions that the rule does not count; `unknown`: predictions for questions that are not there; `sparse`: questions
    with so few human answers that none can score in full.
    """

    rule: str
    score: float
    n: int
    missing: int
    left_out: int
    unknown: int
    sparse: int = 0


def accuracy_of(predictions: Mapping[str, str], asked: Sequence[Asked], *, rule: str) -> Accuracy:
    """The mean accuracy in percent of `predictions` (question id to answer); a missing one counts 0, and is counted.

    Raises:
        BadInput: no such rule, or no prediction is for any of the questions.
    """
    how = find_rule(rule)
    known = {question.id for question in asked}
    if not known.intersection(predictions):
        raise BadInput(
            f"none of the {len(predictions)} predictions is for one of the {len(known)} annotated questions"
            f" (such as {next(iter(predictions), None)!r} and {next(iter(known), None)!r}): the files do not belong together."
        )
    counted = [question for question in asked if not (how.easy_only and question.difficult)]
    shares = [
        vqa_accuracy(predictions[question.id], question, rule=rule) if question.id in predictions else 0.0
        for question in counted
    ]
    return Accuracy(
        rule=how.name,
        score=100 * sum(shares) / len(shares) if shares else 0.0,
        n=len(shares),
        missing=sum(question.id not in predictions for question in counted),
        left_out=len(asked) - len(counted),
        unknown=len(set(predictions) - known),
        sparse=sum(how.lacks_people(question) for question in counted),
    )


def _normalised(prediction: str, humans: Sequence[Human], normal: Normal) -> tuple[str, list[tuple[str, int | str]]]:
    if normal in ("official", "always"):
        said = _stripped(prediction)
        answers = [_stripped(human.text) for human in humans]
        if normal == "always" or len(set(answers)) > 1:  # blanks around an answer make no difference to the script
            said, answers = official_form(said), [official_form(text) for text in answers]
    else:
        change = _CHANGES[normal]
        said, answers = change(prediction), [change(human.text) for human in humans]
    return said, [(text, human.id) for text, human in zip(answers, humans, strict=True)]


def _stripped(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _squad(text: str) -> str:
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


_CHANGES: dict[Any, Callable[[str], str]] = {
    "squad": _squad,
    "lower": lambda text: text.strip().lower(),
    "none": lambda text: text,
}

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_NUMBER_COMMA = re.compile(r"\d,\d")
# meant as "no digit before", which would be (?<!\d): as it stands, a period goes unless a digit follows it
_PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
_MOST_PERIODS = 32  # re.UNICODE, passed where the count belongs
_DIGITS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}  # fmt: skip
# the table holds each of these with any one of its apostrophes left out
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
""".split()
_CONTRACTIONS = {
    word[:place] + word[place + 1 :]: word for word in _CONTRACTED for place, letter in enumerate(word) if letter == "'"
} | {"somebody'd": "somebodyd"}  # the wrong way round in the original


@lru_cache(maxsize=1 << 16)  # an annotation file repeats itself, and `rule all` reads it six times
def official_form(text: str) -> str:
    """Punctuation, then digits, articles and contractions, as `processPunctuation` and `processDigitArticle` do it."""
    out = text
    numbers = _NUMBER_COMMA.search(text) is not None
    for mark in _MARKS:
        beside_blank = mark + " " in text or " " + mark in text
        out = out.replace(mark, "" if beside_blank or numbers else " ")
    out = _PERIOD.sub("", out, count=_MOST_PERIODS)
    words = [_DIGITS.get(word, word) for word in out.lower().split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in ("a", "an", "the"))
