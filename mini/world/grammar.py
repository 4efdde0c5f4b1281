"""The world's English: captions of a spec in plain or loose wording, and the scene graph that each of them means.

A `Wording` is the choice of words for one spec; it knows its text (in several syntaxes) and its Davidsonian scene graph, so
training rows, questions and tests all come from one place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .drawing import Group, Spec
from .vocabulary import BACKGROUNDS, COLORS, COUNTS, HELD_OUT, KINDS, RELATIONS, SIZES, plural

__all__ = ["ORDERS", "Node", "Phrase", "Wording", "plain", "word"]

ORDERS = 4  # how many orders a sentence can have


@dataclass(frozen=True, kw_only=True)
class Node:
    """One tuple of a scene graph with its question and the ids of the tuples it depends on (0: none)."""

    id: int
    fact: str
    question: str
    parents: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """The words chosen for one group."""

    noun: str
    color: str | None
    size: str | None
    count: int
    counter: str | None

    @property
    def bare(self) -> str:
        """Colour and noun without an article: "crimson disc"."""
        return " ".join(word for word in (self.color, self.noun) if word)

    @property
    def text(self) -> str:
        """The noun phrase: "a tiny crimson disc", "a trio of golden stars"."""
        noun = plural(self.noun) if self.count > 1 else self.noun
        body = " ".join(word for word in (self.size, self.color, noun) if word)
        return f"{self.counter} {body}" if self.counter else f"{article(body)} {body}"


@dataclass(frozen=True, kw_only=True)
class Wording:
    """One way of saying a spec. `syntax` selects the order of the sentence, 0 being the plain one."""

    phrases: tuple[Phrase, ...]
    relation: str | None
    background: str | None
    syntax: int

    @property
    def text(self) -> str:
        """The caption."""
        first = self.phrases[0].text
        if len(self.phrases) == 1:
            verb = "is" if first.startswith(("a ", "an ")) else "are"
            body = (first, f"there {verb} {first}", f"a picture of {first}")[self.syntax % 3]
        elif self.relation is None:
            second = self.phrases[1].text
            body = (f"{first} and {second}", f"{first} together with {second}", f"{first} next to {second}")[
                self.syntax % 3
            ]
        else:
            second = self.phrases[1].text
            body = (
                f"{first} {self.relation} {second}",
                f"{first} placed {self.relation} {second}",
                f"{second} with {first} {self._seen_from_it}",
                f"{first} that is {self.relation} {second}",
            )[self.syntax % 4]
        if self.background is None:
            return body
        where = f"on {article(self.background)} {self.background} background"
        if self.syntax == 0:
            return f"{body} {where}"
        return f"{body} against {article(self.background)} {self.background} backdrop"

    @property
    def _seen_from_it(self) -> str:
        side = {"left": "on its left", "right": "on its right"}
        words = (self.relation or "").split()
        for name, phrase in side.items():
            if name in words:
                return phrase
        return {"above": "above it", "over": "over it", "higher": "higher up"}.get(words[0], f"{words[0]} it")

    def settled(self) -> Wording:
        """The same text with the relation that it says: "on its left" does not tell "left of" from "to the left of"."""
        words = (self.relation or "").split()
        if self.syntax != 2 or not {"left", "right"} & set(words):
            return self
        return replace(self, relation=f"to the {'left' if 'left' in words else 'right'} of")

    def entities(self) -> list[str]:
        """One name for each group, with the colour where two groups share a noun."""
        names = [phrase.noun for phrase in self.phrases]
        if len(set(names)) < len(names):
            return [phrase.bare for phrase in self.phrases]
        return names

    def scene_graph(self) -> list[Node]:
        """Entities, then counts, attributes, relation and background, in the words of the caption."""
        names = self.entities()
        nodes: list[Node] = []

        def add(text: str, question: str, *parents: int) -> None:
            nodes.append(Node(id=len(nodes) + 1, fact=text, question=question, parents=parents or (0,)))

        for name, phrase in zip(names, self.phrases, strict=True):
            if phrase.count > 1:
                many = _plural_name(name, phrase.noun)
                add(f"entity - whole ({many})", f"Are there {many}?")
            else:
                add(f"entity - whole ({name})", f"Is there {article(name)} {name}?")
        for i, (name, phrase) in enumerate(zip(names, self.phrases, strict=True), start=1):
            if phrase.count > 1:
                many = _plural_name(name, phrase.noun)
                add(
                    f"other - count ({many}, =={phrase.count})",
                    f"Are there exactly {COUNTS[phrase.count][0]} {many}?",
                    i,
                )
        for i, (name, phrase) in enumerate(zip(names, self.phrases, strict=True), start=1):
            verb, noun = ("Are", _plural_name(name, phrase.noun)) if phrase.count > 1 else ("Is", name)
            if phrase.color and name == phrase.noun:
                add(f"attribute - color ({noun}, {phrase.color})", f"{verb} the {noun} {phrase.color}?", i)
            if phrase.size:
                add(f"attribute - size ({noun}, {phrase.size})", f"{verb} the {noun} {phrase.size}?", i)
        if self.relation and len(names) == 2:
            add(
                f"relation - spatial ({names[0]}, {names[1]}, {self.relation})",
                f"Is the {names[0]} {self.relation} the {names[1]}?",
                1,
                2,
            )
        if self.background:
            add(f"global - background ({self.background})", f"Is the background {self.background}?")
        return nodes


def article(words: str) -> str:
    """The indefinite article before `words`."""
    return "an" if words[:1] in "aeio" else "a"


def _plural_name(name: str, noun: str) -> str:
    return name[: len(name) - len(noun)] + plural(noun)


def plain(spec: Spec) -> Wording:
    """The spec in the painter's words."""
    return word(spec, np.random.default_rng(0), looseness=0.0)


def word(spec: Spec, rng: np.random.Generator, *, looseness: float, held_out: bool = False) -> Wording:
    """Words for `spec`: each slot leaves plain wording with probability `looseness` (0 to 1).

    With `held_out` a shape takes a (noun, colour) pair of `HELD_OUT` where one fits its spec; otherwise those never occur.
    """

    def pick(words: tuple[str, ...]) -> str:
        return str(rng.choice(words[1:])) if len(words) > 1 and rng.random() < looseness else words[0]

    phrases = []
    for group in spec.groups:
        noun, color = _noun_and_color(group, rng, pick, held_out)
        counter = pick(COUNTS[group.count]) if group.count > 1 else None
        phrases.append(
            Phrase(
                noun=noun,
                color=color,
                size=pick(SIZES[group.size]) if group.size else None,
                count=group.count,
                counter=counter,
            )
        )
    return Wording(
        phrases=tuple(phrases),
        relation=pick(RELATIONS[spec.relation]) if spec.relation else None,
        background=pick(BACKGROUNDS[spec.background]) if spec.background else None,
        syntax=int(rng.integers(1, 4)) if rng.random() < looseness else 0,
    ).settled()


def _noun_and_color(group: Group, rng, pick, held_out: bool):  # type: ignore[no-untyped-def]
    if group.color is None:
        return pick(KINDS[group.kind]), None
    fitting = [(n, c) for n, c in sorted(HELD_OUT) if n in KINDS[group.kind] and c in COLORS[group.color]]
    if held_out and fitting:
        return fitting[int(rng.integers(len(fitting)))]
    while True:
        pair = pick(KINDS[group.kind]), pick(COLORS[group.color])
        if pair not in HELD_OUT:
            return pair
