"""Rows of a small data set about captions of the drawn world: a caption, a question and its answer, all by rule.

They are what `mini-writer` is taught to write as the teacher of LLM2LLM: rows like one row, about other scenes. `true_answer` reads
such a row back, so that what a model writes can be held against the truth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ...agents.scene import NotUnderstood, simple_scene_graph
from ..world import COLORS, COUNTS, KINDS, RELATIONS, Wording, article, plural, spec_of

__all__ = ["SKILLS", "CaptionRow", "caption_row", "skill_of", "true_answer"]

_RELATIONS = sorted((words for known in RELATIONS.values() for words in known), key=len, reverse=True)
SKILLS = ("color", "number", "place", "presence")
_FORMS = {
    "color": re.compile(r"what color (?:is|are) the (?P<name>.+)\?"),
    "number": re.compile(r"how many (?P<name>.+) are there\?"),
    "place": re.compile(rf"what is (?P<relation>{'|'.join(_RELATIONS)}) the (?P<name>.+)\?"),
    "presence": re.compile(r"is there an? (?P<name>.+)\?"),
}


@dataclass(frozen=True, kw_only=True)
class CaptionRow:
    """`text` is the caption, a full stop and the question; `skill` is color, number, place or presence."""

    text: str
    answer: str
    skill: str


def caption_row(wording: Wording, skill: str, rng: np.random.Generator) -> CaptionRow | None:
    """A row of `skill` about the caption; None where the caption does not say what is asked."""
    names = wording.entities()
    place = int(rng.integers(len(names)))
    phrase, name = wording.phrases[place], names[place]
    many = phrase.count > 1
    question = answer = None
    if skill == "color" and phrase.color and name == phrase.noun:
        question, answer = f"what color {'are' if many else 'is'} the {plural(name) if many else name}?", phrase.color
    elif skill == "number" and many:
        question, answer = f"how many {plural(phrase.noun)} are there?", COUNTS[phrase.count][0]
    elif skill == "place" and wording.relation:
        question, answer = f"what is {wording.relation} the {names[1]}?", names[0]
    elif skill == "presence" and not many:
        answer = "yes" if rng.random() < 0.5 else "no"
        if answer == "no":
            shown = {phrase.noun for phrase in wording.phrases}
            kinds = [words for words in KINDS.values() if not shown & set(words)]
            name = str(rng.choice(kinds[int(rng.integers(len(kinds)))]))
        question = f"is there {article(name)} {name}?"
    if question is None or answer is None:
        return None
    return CaptionRow(text=f"{wording.text}. {question}", answer=answer, skill=skill)


def skill_of(text: str) -> str | None:
    """The skill of a row's text, by the form of its question; None for any other question."""
    _, _, question = text.partition(". ")
    return next((skill for skill, form in _FORMS.items() if form.fullmatch(question)), None)


def true_answer(text: str) -> str | None:
    """The answer to a row's text, read from its caption by rule.

    None where the caption is none of the world's, or does not hold the answer.
    """
    caption, _, question = text.partition(". ")
    skill = skill_of(text)
    if skill is None or spec_of(caption) is None:
        return None
    asked = _FORMS[skill].fullmatch(question)
    assert asked is not None
    try:
        nodes = simple_scene_graph(caption).nodes
    except NotUnderstood:
        return None
    terms = [(kind, inside[:-1].split(", ")) for kind, _, inside in (node.tuple.partition(" (") for node in nodes)]
    for kind, inside in terms:
        if skill == "color" and kind == "attribute - color" and inside[0] == asked["name"]:
            return inside[1]
        if skill == "number" and kind == "other - count" and inside[0].endswith(asked["name"]):
            return COUNTS[int(inside[1].lstrip("="))][0]
        if skill == "place" and kind == "relation - spatial" and inside[1:] == [asked["name"], asked["relation"]]:
            return inside[0]
    if skill != "presence":
        return None
    name = asked["name"]
    shade, _, noun = name.partition(" ")
    if not any(name in words for words in KINDS.values()) and not (
        any(shade in words for words in COLORS.values()) and any(noun in words for words in KINDS.values())
    ):
        return None
    return "yes" if ("entity - whole", [name]) in terms else "no"
