"""Question and answer pairs about a scene, exact by construction: half of the yes/no questions are answered with yes.

A question is built by taking something true of the scene and, for a no, changing one word of it. The wrong word comes from
the scene's other object half of the time, so that "is the circle red" cannot be answered by seeing red anywhere, and the
wrong relation is mostly the opposite one, so that "is it left of that" cannot be answered by seeing two things side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .drawing import Placed, Scene
from .grammar import article
from .vocabulary import BACKGROUNDS, COLORS, COUNTS, HELD_OUT, KINDS, NEAR, RELATIONS, SHAPES, SIZES, plural

__all__ = ["OPPOSITE", "QA", "ask", "holds"]

OPPOSITE = {
    "to the left of": "to the right of",
    "to the right of": "to the left of",
    "above": "below",
    "below": "above",
}


@dataclass(frozen=True, kw_only=True)
class QA:
    """`skill`: existence, color, size, relation, nearness, count, background or open.

    `relation`: in a question after one, the relation in which the first thing named truly stands to the second.
    """

    question: str
    answer: str
    skill: str
    relation: str | None = None


def holds(relation: str, one: Placed, other: Placed) -> bool:
    """Whether `one` stands in the plain `relation` to `other`, by the centres of their boxes."""
    dx = (one.x + one.side / 2) - (other.x + other.side / 2)
    dy = (one.y + one.side / 2) - (other.y + other.side / 2)
    return {
        "to the left of": dx < 0 and abs(dx) >= abs(dy),
        "to the right of": dx > 0 and abs(dx) >= abs(dy),
        "above": dy < 0 and abs(dy) >= abs(dx),
        "below": dy > 0 and abs(dy) >= abs(dx),
    }[relation]


class _Asker:
    def __init__(
        self, scene: Scene, rng: np.random.Generator, looseness: float, held_out: bool, lost: Placed | None = None
    ) -> None:
        self.scene, self.rng, self.looseness, self.held_out, self.lost = scene, rng, looseness, held_out, lost
        self.groups = {thing.group: thing for thing in scene.objects}
        self.count = {g: sum(t.group == g for t in scene.objects) for g in self.groups}
        self.shown: str | None = None  # the relation that is there, once one was asked after

    def say(self, words: tuple[str, ...]) -> str:
        return str(self.rng.choice(words[1:])) if len(words) > 1 and self.rng.random() < self.looseness else words[0]

    def one_of(self, options: list[str], *, first: list[str] = []) -> str:  # noqa: B006
        preferred = [option for option in first if option in options]
        return str(self.rng.choice(preferred if preferred and self.rng.random() < 0.5 else options))

    def pair(self, kind: str, color: str | None) -> tuple[str, str | None]:
        """Words for kind and colour; held-out pairs only when asked for."""
        if color is None:
            return self.say(KINDS[kind]), None
        fitting = [(n, c) for n, c in sorted(HELD_OUT) if n in KINDS[kind] and c in COLORS[color]]
        if self.held_out and fitting and self.rng.random() < 0.7:
            return fitting[int(self.rng.integers(len(fitting)))]
        while True:
            words = self.say(KINDS[kind]), self.say(COLORS[color])
            if words not in HELD_OUT:
                return words

    def subject(self, thing: Placed) -> str:
        """The noun of a thing, with its colour where the noun alone is not unique, and sometimes anyway."""
        alone = sum(other.kind == thing.kind for other in self.groups.values()) == 1
        if thing.color and (not alone or self.rng.random() < 0.25):
            noun, color = self.pair(thing.kind, thing.color)
            return f"{color} {noun}"
        return self.say(KINDS[thing.kind])

    def existence(self, yes: bool) -> str | None:
        things = list(self.groups.values())
        if yes and not things:
            return None
        if not yes and self.lost and self.lost.kind not in {t.kind for t in things} and self.rng.random() < 0.7:
            noun, shade = self.pair(self.lost.kind, self.lost.color if self.rng.random() < 0.5 else None)
            name = f"{shade} {noun}" if shade else noun
            return f"Is there {article(name)} {name}?"
        thing = things[int(self.rng.integers(len(things)))] if things else self.lost
        assert thing is not None, "a scene shows something, or something was lost of it"
        many = self.count.get(thing.group, 1) > 1
        colored = thing.color is not None and self.rng.random() < 0.5
        kind, color = thing.kind, thing.color if colored else None
        if not yes:
            if colored and color and self.rng.random() < 0.6:
                seen = {(t.kind, t.color) for t in things}
                other_colors = [t.color for t in things if t.color]
                color = self.one_of([c for c in COLORS if (kind, c) not in seen], first=[c for c in other_colors if c])
            else:
                kinds = {t.kind for t in (*things, *([self.lost] if self.lost else []))}
                pool = list(SHAPES) if color else [k for k in KINDS if k in SHAPES or self.rng.random() < 0.7]
                alike = [k for row in NEAR if thing.kind in row for k in row]
                kind = self.one_of([k for k in pool if k not in kinds], first=alike)
        noun, shade = self.pair(kind, color)
        name = f"{shade} {noun}" if shade else noun
        if many and self.rng.random() < 0.8:
            return f"Are there {name[: len(name) - len(noun)]}{plural(noun)}?"
        return f"Is there {article(name)} {name}?"

    def color(self, yes: bool) -> str | None:
        things = [
            t for t in self.groups.values() if t.color and sum(o.kind == t.kind for o in self.groups.values()) == 1
        ]
        if not things:
            return None
        thing = things[int(self.rng.integers(len(things)))]
        others = [t.color for t in self.groups.values() if t.color and t is not thing]
        shade = (
            thing.color if yes else self.one_of([c for c in COLORS if c != thing.color], first=[c for c in others if c])
        )
        noun, said = self.pair(thing.kind, shade)
        if self.count[thing.group] > 1:
            return f"Are the {plural(noun)} {said}?"
        return f"Is the {noun} {said}?"

    def size(self, yes: bool) -> str | None:
        things = list(self.groups.values())
        if not things:
            return None
        thing = things[int(self.rng.integers(len(things)))]
        size = thing.size if yes else next(s for s in SIZES if s != thing.size)
        if self.count[thing.group] > 1:
            return f"Are the {plural(self.say(KINDS[thing.kind]))} {self.say(SIZES[size])}?"
        return f"Is the {self.subject(thing)} {self.say(SIZES[size])}?"

    def relation(self, yes: bool) -> str | None:
        if len(self.groups) != 2:
            return None
        one, other = (self.groups[0], self.groups[1]) if self.rng.random() < 0.5 else (self.groups[1], self.groups[0])
        true = [r for r in RELATIONS if holds(r, one, other)]
        self.shown = true[0]
        wanted = true[0] if yes else self.one_of([r for r in RELATIONS if r not in true], first=[OPPOSITE[true[0]]])
        return f"Is the {self.subject(one)} {self.say(RELATIONS[wanted])} the {self.subject(other)}?"

    def nearness(self, yes: bool) -> str | None:
        """Any two things are next to each other; what is not there is next to nothing."""
        if len(self.groups) != 2 and not (self.lost and self.groups and not yes):
            return None
        things = list(self.groups.values())
        one = things[int(self.rng.integers(len(things)))]
        if yes:
            other = self.subject(next(thing for thing in things if thing is not one))
        elif self.lost and self.lost.kind != one.kind:
            other = self.say(KINDS[self.lost.kind])
        else:
            kinds = {t.kind for t in things}
            alike = [k for row in NEAR if one.kind in row for k in row]
            other = self.say(KINDS[self.one_of([k for k in KINDS if k not in kinds], first=alike)])
        pair = [self.subject(one), other]
        if self.rng.random() < 0.5:
            pair.reverse()
        return f"Is the {pair[0]} next to the {pair[1]}?"

    def number(self, yes: bool) -> str | None:
        if len(self.groups) != 1 or self.lost:
            return None
        thing, count = self.groups[0], self.count[0]
        asked = count if yes else int(self.rng.choice([n for n in (1, *COUNTS) if n != count]))
        noun, color = self.pair(thing.kind, thing.color if self.rng.random() < 0.3 else None)
        prefix = f"{color} " if color else ""
        if asked == 1:
            return f"Is there exactly one {prefix}{noun}?"
        return f"Are there exactly {COUNTS[asked][0]} {prefix}{plural(noun)}?"

    def background(self, yes: bool) -> str:
        shown = (
            self.scene.background
            if yes
            else self.one_of([b for b in BACKGROUNDS if b != self.scene.background], first=["white"])
        )
        return f"Is the background {self.say(BACKGROUNDS[shown])}?"

    def open(self) -> tuple[str, str]:
        things = list(self.groups.values())
        thing = things[int(self.rng.integers(len(things)))]
        roll = self.rng.random()
        if roll < 0.35 and thing.color and sum(o.kind == thing.kind for o in things) == 1:
            return f"What color is the {self.say(KINDS[thing.kind])}?", thing.color
        if roll < 0.6:
            number = ["one", *[COUNTS[n][0] for n in COUNTS]][self.count[thing.group] - 1]
            if sum(o.kind == thing.kind for o in things) == 1:
                return f"How many {plural(self.say(KINDS[thing.kind]))} are there?", number
        if len(things) == 2:
            other = things[1] if thing is things[0] else things[0]
            relation = self.one_of([r for r in RELATIONS if holds(r, other, thing)])
            return f"What is {self.say(RELATIONS[relation])} the {self.subject(thing)}?", other.kind
        return "What is in the picture?", thing.kind


def ask(
    scene: Scene,
    rng: np.random.Generator,
    *,
    looseness: float = 0.5,
    held_out: bool = False,
    open_share: float = 0.15,
    lost: Placed | None = None,
) -> QA:
    """One question about `scene` with its answer ("yes", "no", a colour, a number word or a plain noun).

    `lost`: a thing of which the picture shows an unreadable smudge; many questions ask after it, and it is not there.
    """
    asker = _Asker(scene, rng, looseness, held_out, lost)
    if rng.random() < open_share and lost is None:
        question, answer = asker.open()
        return QA(question=question, answer=answer, skill="open")
    yes = bool(rng.random() < 0.5)
    pair, count = len(asker.groups) == 2, lost is None and asker.count[0] > 1
    weights = {
        "existence": 3 if lost is None else 6,
        "color": 3,
        "size": 1,
        "relation": 4 if pair else 0,
        "nearness": 0.7 if pair or lost else 0,
        "count": 0 if pair or lost else (4 if count else 2),
        "background": 1,
    }
    names = list(weights)
    while True:
        skill = str(rng.choice(names, p=np.array(list(weights.values())) / sum(weights.values())))
        make = {
            "existence": asker.existence, "color": asker.color, "size": asker.size,
            "relation": asker.relation, "nearness": asker.nearness, "count": asker.number, "background": asker.background,
        }[skill]  # fmt: skip
        if lost is not None:  # of what is left not every question can be asked with a yes
            yes = bool(rng.random() < 0.5)
        made = make(yes)
        if made is not None:
            shown = asker.shown if skill == "relation" else None
            return QA(question=made, answer="yes" if yes else "no", skill=skill, relation=shown)
