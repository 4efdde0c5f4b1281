"""Captions of everyday scenes by rule, and questions about them, so that `mini-answerer` reads captions and knows none by heart.

A question asks for one part of a scene ("two brown dogs chasing a frisbee on a beach") in one of several wordings; about one in five asks for
what the caption does not tell.

Invariants: the answer stands in the context, or it is yes, no, "one" or "unknown". "Is there a dog?" is answered with no where none is told of, as
by people who see the picture; a colour that is not told is unknown. The facts of passages are drawn by lot, so that they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...agents.captions import written_there
from ..world import article
from .answerer_case import UNKNOWN, Case
from .everyday_scenes import (
    ALONE,
    COLORED,
    KINDS,
    NEAR,
    NUMBERS,
    PEOPLE,
    PLACES,
    Scene,
    absent,
    everyday_scene,
    one_of,
    plural_of,
)  # fmt: skip

__all__ = ["everyday_case"]

_SIGNS = "stop exit open closed bakery library danger hotel museum parking sale welcome police pharmacy cinema".split()
_SIGN_BESIDE = ("sign", "board", "poster", "wall", "door")
_COUNTRIES = "france japan brazil egypt norway kenya peru india greece canada poland turkey".split()
_MATERIALS = "wood glass silver leather paper copper wool clay plastic steel".split()
_USERS = "bakers miners pilots monks hunters tailors clowns doctors gardeners musicians".split()
_FACTS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "country": (
        "The {name} was first seen in {value}.", ("which country does {x} come from?", "where was {x} first seen?", "in which country does {x} originate?"),
        tuple(_COUNTRIES),
    ),
    "material": (
        "Most of them are made of {value}.", ("what is {x} made of?", "which material is {x} of?", "what is the material of {x}?"), tuple(_MATERIALS)
    ),
    "user": ("They are used by {value} above all.", ("who uses {x}?", "by whom is {x} used?", "which people work with {x}?"), tuple(_USERS)),
    "day": (
        "There is a feast of them in {value}.", ("in which month is the feast of {x}?", "when is {x} celebrated?"),
        ("january", "march", "may", "june", "august", "october"),
    ),
}  # fmt: skip
_LACKING = 0.2


_Asked = tuple[str, str, Sequence[str]]
"""A question, its answer, and answers of its kind."""


def everyday_case(rng: np.random.Generator) -> Case:
    """A caption of everyday things, and a question about it; sometimes one that it does not answer."""
    scene = everyday_scene(rng)
    if rng.random() < 0.15:
        return _case_of_passages(scene, rng)
    if rng.random() < 0.04:
        return _case_of_sign(scene, rng)
    lacking = bool(rng.random() < _LACKING)
    ways = [_color, _number, _near, _near_to, _of_kind, _doing, _who, _place, _closed, _closed, _either, _whole]
    while True:
        way = ways[int(rng.integers(len(ways)))]
        if (asked := way(scene, lacking, rng)) is not None:
            break
    question, answer, pool = asked
    context = [scene.caption]
    if rng.random() < 0.1:
        context.append(
            everyday_scene(rng).caption
            if lacking is False and way is _color
            else ", ".join(part.noun for part in scene.parts)
        )
    lures = () if answer in (UNKNOWN, "yes", "no") else _lures(answer, pool, scene.caption, rng)
    return Case(kind="everyday", question=question, context=tuple(context), answer=answer, lures=lures)


def _color(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    fitting = [part for part in scene.parts if part.kind != "person" and bool(part.look) != lacking]
    if not fitting:
        return None
    part = fitting[int(rng.integers(len(fitting)))]
    forms = (
        "what color {be} the {x}?",
        "what is the color of the {x}?",
        "which color {has} the {x}?",
        "what colour {be} the {x}?",
        "the {x} {be} of what color?",
    )
    question = one_of(forms, rng).format(x=part.name, be=part.verb, has="have" if part.number else "has")
    return question, UNKNOWN if lacking else part.look, COLORED


def _number(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    part = max(scene.parts, key=lambda each: bool(each.number))
    if not part.number and (lacking or rng.random() < 0.7):
        return None
    noun = absent(scene, part.kind, rng) if lacking else part.noun
    forms = (
        "how many {x} are there?",
        "how many {x} can you see?",
        "how many {x} are in the picture?",
        "what is the number of {x}?",
        "count the {x}.",
    )
    return one_of(forms, rng).format(x=plural_of(noun)), UNKNOWN if lacking else part.number or "one", NUMBERS


def _near(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """What stands where, by its place beside another thing."""
    if not scene.near or scene.other is None:
        return None
    near = one_of(NEAR[scene.near], rng)
    other = absent(scene, scene.other.kind, rng) if lacking else scene.other.name
    asked = scene.one.kind if scene.one.kind != "thing" and rng.random() < 0.4 else ""
    forms = (
        f"what {asked} is {near} the {other}?", f"which {asked or 'thing'} is {near} the {other}?", f"what {asked} do you see {near} the {other}?",
        f"name the {asked or 'thing'} {near} the {other}.", f"what is the {asked or 'thing'} {near} the {other}?",
    )  # fmt: skip
    question = " ".join(one_of(forms, rng).split())
    return question, UNKNOWN if lacking else scene.one.name, KINDS[scene.one.kind]


def _near_to(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """Beside what a thing stands."""
    if not scene.near or scene.other is None:
        return None
    near = one_of(NEAR[scene.near], rng)
    name = absent(scene, scene.one.kind, rng) if lacking else scene.one.name
    verb = "is" if lacking else scene.one.verb
    question = one_of((f"what {verb} the {name} {near}?", f"{near} what {verb} the {name}?"), rng)
    return question, UNKNOWN if lacking else scene.other.noun, KINDS[scene.other.kind]


def _of_kind(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """Which animal, fruit, ... there is, where there is one."""
    kinds = [part.kind for part in scene.parts]
    asked = [kind for kind in KINDS if kind != "thing" and kinds.count(kind) == (0 if lacking else 1)]
    if not asked:
        return None
    kind = one_of(asked, rng)
    forms = (
        "what {kind} is in the picture?",
        "which {kind} is shown?",
        "what {kind} is this?",
        "what kind of {kind} is there?",
        "which {kind} can you see?",
        "what type of {kind} is this?",
    )
    answer = UNKNOWN if lacking else next(part.name for part in scene.parts if part.kind == kind)
    return one_of(forms, rng).format(kind=kind), answer, KINDS[kind]


def _doing(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """What somebody does, or with what."""
    one = scene.one
    if not scene.doing:
        return None
    subject = absent(scene, one.kind, rng) if lacking else one.name
    verb = "is" if lacking else one.verb
    if scene.other is None:
        forms = ("what {be} the {x} doing?", "what does the {x} do?" if verb == "is" else "what do the {x} do?")
        return one_of(forms, rng).format(be=verb, x=subject), UNKNOWN if lacking else scene.doing, ALONE[one.kind]
    return (
        f"what {verb} the {subject} {scene.doing}?",
        UNKNOWN if lacking else scene.other.name,
        KINDS[scene.other.kind],
    )


def _who(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """Who does something."""
    if not scene.doing:
        return None
    doing = scene.doing + (f" the {scene.other.name}" if scene.other else "")
    if lacking:
        doing = one_of([each for each in ALONE[scene.one.kind] if each != scene.doing], rng)
    several = bool(scene.one.number) and not lacking
    who = "who" if scene.one.kind == "person" else one_of(("which animals" if several else "which animal", "what"), rng)
    return (
        f"{who} {'is' if lacking else scene.one.verb} {doing}?",
        UNKNOWN if lacking else scene.one.name,
        PEOPLE if who == "who" else KINDS["animal"],
    )


def _place(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    if bool(scene.place) == lacking or (lacking and scene.near):
        return None
    forms = (
        "where {be} the {x}?",
        "in which place {be} the {x}?",
        "where {be} this {x}?",
        "where can the {x} be seen?",
    )
    if scene.near:  # where a thing is, is then beside the other one
        return one_of(("where was this picture taken?", "where is this?"), rng), scene.place, list(PLACES)
    question = one_of((*forms, "where was this picture taken?", "where is this?"), rng).format(
        be=scene.one.verb, x=scene.one.name
    )
    return question, UNKNOWN if lacking else scene.place, list(PLACES)


def _closed(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """Yes or no; "unknown" for the colour of what has none."""
    part = scene.parts[int(rng.integers(len(scene.parts)))]
    right, colored = bool(rng.random() < 0.5), part.kind != "person" and rng.random() < 0.4
    if colored and bool(part.look) != lacking:
        look = part.look if right and part.look else one_of([each for each in COLORED if each != part.look], rng)
        return f"{part.verb} the {part.name} {look}?", UNKNOWN if lacking else "yes" if right else "no", ()
    if lacking:
        return None
    if scene.doing and scene.other is None and rng.random() < 0.4:
        doing = scene.doing if right else one_of([each for each in ALONE[scene.one.kind] if each != scene.doing], rng)
        return f"{scene.one.verb} the {scene.one.name} {doing}?", "yes" if right else "no", ()
    if part.number and rng.random() < 0.4:
        number = part.number if right else one_of([each for each in NUMBERS if each != part.number], rng)
        return f"are there {number} {part.name}?", "yes" if right else "no", ()
    # of people one may be several: a nurse, a woman
    noun = part.noun if right else absent(scene, part.kind if part.kind != "person" else "animal", rng)
    forms = (
        "is there {a} {x}?",
        "is there {a} {x} in the picture?",
        "can you see {a} {x}?",
        "does the picture show {a} {x}?",
    )
    return one_of(forms, rng).format(a=article(noun), x=noun), "yes" if right else "no", ()


def _either(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """Which of two."""
    part = scene.parts[int(rng.integers(len(scene.parts)))]
    if lacking:
        return None
    answer, other = part.noun, absent(scene, part.kind, rng)
    question = "is it {} or {}?"
    if part.look and rng.random() < 0.5:
        answer, other, question = (
            part.look,
            one_of([each for each in COLORED if each != part.look], rng),
            f"{part.verb} the {part.name} {{}} or {{}}?",
        )
    elif part.number:
        return None
    two = [f"{article(each)} {each}" if answer == part.noun else each for each in (answer, other)]
    return question.format(*(two if rng.random() < 0.5 else reversed(two))), answer, ()


def _whole(scene: Scene, lacking: bool, rng: np.random.Generator) -> _Asked | None:
    """What the picture shows, where that is one thing."""
    if lacking or scene.other is not None:
        return None
    forms = (
        "what is in the picture?",
        "what does the picture show?",
        "what is this?",
        "what can be seen here?",
        "what do you see?",
    )
    return one_of(forms, rng), scene.one.name, (*PEOPLE, *KINDS["animal"])


def _case_of_passages(scene: Scene, rng: np.random.Generator) -> Case:
    """A fact about a thing of the caption, from passages whose facts are drawn by lot."""
    parts = [part for part in scene.parts if part.kind != "person"]
    if not parts:
        return everyday_case(rng)
    part = parts[int(rng.integers(len(parts)))]
    others = [absent(scene, part.kind, rng) for _ in range(int(rng.integers(0, 3)))]
    wanted = one_of(list(_FACTS), rng)
    lacking, texts, answer = bool(rng.random() < _LACKING), list[str](), UNKNOWN
    for name in dict.fromkeys([part.noun, *others]):
        values = {
            fact: one_of(_FACTS[fact][2], rng)
            for fact in _FACTS
            if not (lacking and fact == wanted and name == part.noun)
        }
        if name == part.noun:
            answer = values.get(wanted, UNKNOWN)
        order = [str(each) for each in rng.permutation(list(values))][:3]
        if name == part.noun and not lacking and wanted not in order:
            order[0] = wanted
        texts.append(_passage(name, part.kind, {fact: values[fact] for fact in order}))
    by_place = scene.near and scene.other is not None and part is scene.one and rng.random() < 0.4
    x = (
        f"the {part.kind} {one_of(NEAR[scene.near], rng)} the {scene.other.name}"
        if by_place and scene.other
        else f"the {part.noun}"
    )
    question = one_of(_FACTS[wanted][1], rng).format(x=x)
    lures = () if answer == UNKNOWN else _lures(answer, _FACTS[wanted][2], " ".join(texts).lower(), rng)
    context = (scene.caption, *(str(text) for text in rng.permutation(texts)))
    return Case(kind="told", question=question, context=context, answer=answer, lures=lures)


def _passage(name: str, kind: str, facts: Mapping[str, str]) -> str:
    what = "something" if kind == "thing" else f"{article(kind)} {kind}"
    said = [
        _FACTS[fact][0].format(name=name, value=value.title() if fact in ("country", "day") else value)
        for fact, value in facts.items()
    ]
    return " ".join([f"{article(name).capitalize()} {name} is {what} that most people know.", *said])


def _case_of_sign(scene: Scene, rng: np.random.Generator) -> Case:
    """What is written in the picture."""
    word, thing = one_of(_SIGNS, rng), one_of(_SIGN_BESIDE, rng)
    forms = (
        "what does the {x} say?",
        "what is written on the {x}?",
        "which word is on the {x}?",
        "what does it say?",
        "what is the text?",
    )
    written = word.upper() if rng.random() < 0.5 else word.capitalize()
    question = one_of(forms, rng).format(x=thing)
    context = (f"{scene.caption} {one_of(('near', 'beside'), rng)} a {thing}", written_there(written))
    return Case(kind="sign", question=question, context=context, answer=word, lures=_lures(word, _SIGNS, word, rng))


def _lures(answer: str, pool: Sequence[str], told: str, rng: np.random.Generator) -> tuple[str, ...]:
    others = [each for each in pool if each != answer and each not in told]
    return tuple(str(each) for each in rng.permutation(others)[:3])
