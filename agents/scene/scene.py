"""What the rules for simple English read off a prompt, and the questions that it makes.

Entities come first, then their counts, colours and sizes, what ties them, what is denied, and what is said of the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .noun_phrases import NotUnderstood, Noun
from .scene_graph import Question
from .vocabulary import NUMBER_WORDS

__all__ = ["Scene", "Tie", "questions_of"]


@dataclass
class Tie:
    """What is said of things: a relation to others, an action, a state; `negated`: that it is not so."""

    kind: str
    words: str
    subjects: list[Noun]
    objects: list[Noun] = field(default_factory=list)
    negated: bool = False


@dataclass
class Scene:
    """What was read so far."""

    nouns: list[Noun] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    absent: list[tuple[Noun, list[Noun]]] = field(default_factory=list)
    whole: list[tuple[str, str]] = field(default_factory=list)
    background: str = ""
    subjects: list[Noun] = field(default_factory=list)
    open_object: str = ""
    replaced: list[str] = field(default_factory=list)
    """Words whose sense is asked in others ("backdrop"), and wishes for quality."""


def _told_apart(nouns: Sequence[Noun]) -> None:
    """Give things of one name their colours or sizes as part of it."""
    names = [noun.name for noun in nouns]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [noun for noun in nouns if noun.name == name]
        by_color = len({noun.color for noun in alike}) == len(alike)
        for noun in alike:
            if by_color and noun.color:
                noun.name, noun.color = f"{noun.color} {noun.name}", ""
            elif not by_color and noun.size:
                noun.name, noun.size = f"{noun.size} {noun.name}", ""
    names = [noun.name for noun in nouns]
    if len(set(names)) < len(names):
        raise NotUnderstood(f"two things are called {next(name for name in names if names.count(name) > 1)!r}")


def questions_of(scene: Scene) -> list[Question]:
    _told_apart(scene.nouns)
    nodes: list[Question] = []
    ids = {id(noun): place for place, noun in enumerate(scene.nouns, start=1)}

    def add(fact: str, question: str, *parents: int, negated: bool = False) -> None:
        nodes.append(
            Question(
                id=len(nodes) + 1, tuple=fact, question=question, parents=parents, expected="no" if negated else "yes"
            )
        )

    for noun in scene.nouns:
        add(f"entity - whole ({noun.name})", noun.existence)
    for noun in scene.nouns:
        if noun.vague:
            add(f"other - count ({noun.name}, {noun.vague})", f"Are there {noun.vague} {noun.name}?", ids[id(noun)])
        elif noun.count is not None:
            number = NUMBER_WORDS.get(noun.count, str(noun.count))
            verb = "Are" if noun.count > 1 else "Is"
            add(
                f"other - count ({noun.name}, =={noun.count})",
                f"{verb} there exactly {number} {noun.name}?",
                ids[id(noun)],
            )
    for noun in scene.nouns:
        for kind, value in (("color", noun.color), ("size", noun.size)):
            if value:
                add(
                    f"attribute - {kind} ({noun.name}, {value})", f"{noun.verb} the {noun.name} {value}?", ids[id(noun)]
                )
    for tie in scene.ties:
        things = [*tie.subjects, *tie.objects]
        subject = " and ".join(_the(noun) for noun in tie.subjects)
        verb = "Are" if len(tie.subjects) > 1 or tie.subjects[0].plural else "Is"
        names = ", ".join([*(noun.name for noun in things), tie.words])
        # what is denied need not be there: its question is of "a hat", and hangs on the one without it alone
        parents = tuple(ids[id(noun)] for noun in things if id(noun) in ids)
        objects = " and ".join(_the(noun) if id(noun) in ids else noun.indefinite for noun in tie.objects)
        if tie.kind == "with":
            does = "Do" if verb == "Are" else "Does"
            add(f"relation - part ({names})", f"{does} {subject} have {objects}?", *parents, negated=tie.negated)
        elif tie.kind == "writing":
            does = "Do" if verb == "Are" else "Does"
            add(
                f"other - text rendering ({names})",
                f'{does} {subject} say "{tie.words}"?',
                *parents,
                negated=tie.negated,
            )
        elif tie.objects:
            question = f"{verb} {subject} {tie.words} {objects}?"
            add(f"relation - {tie.kind} ({names})", question, *parents, negated=tie.negated)
        else:
            add(f"attribute - {tie.kind} ({names})", f"{verb} {subject} {tie.words}?", *parents, negated=tie.negated)
    for noun, owners in scene.absent:
        whole = " ".join(word for word in (noun.size, noun.color, noun.name) if word)
        if any(other.name == noun.name and noun.color in ("", other.color) for other in scene.nouns):
            raise NotUnderstood(f"{noun.name!r} is there and not there")
        if len(owners) == 1 and len(scene.nouns) > 1:
            # others may have one
            owner = owners[0]
            question = f"{'Do' if owner.plural else 'Does'} {_the(owner)} have {replace(noun, name=whole).indefinite}?"
            add(f"relation - absent ({owner.name}, {whole})", question, ids[id(owner)], negated=True)
        else:
            add(f"entity - absent ({whole})", replace(noun, name=whole).existence, negated=True)
    if scene.background:
        add(f"global - background ({scene.background})", f"Is the background {scene.background}?")
    for fact, question in dict(scene.whole).items():
        add(fact, question)
    return nodes


def _the(noun: Noun) -> str:
    return noun.proper or f"the {noun.name}"
