"""What `mini-answerer` is taught: short answers to questions about pictures, in the very words that `inloop vqa` sends.

The context holds what is asked for (a caption of the drawn world, a passage of its corpus), or it does not, and then the answer is "unknown".
Beside the drawn world there are captions of everyday things, so that answers are read from the caption and not known by heart.

Invariants: no phrasing, no (thing, fact) pair and no set of things of the test questions is taught, and none of `HELD_OUT_KINDS` is the answer
or stands in a context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...agents.captions import PRESETS, answering_messages
from ...runtime.records import Message
from ...tools.data import Shot
from ..world import COLORS, KINDS, SHAPES, Asked, article, corpus, facts, items, views
from .answerer_case import UNKNOWN, Case
from .everyday_cases import everyday_case

__all__ = [
    "HELD_OUT_KINDS",
    "AnswerRow",
    "answer_rows",
    "known_case",
    "lacking_case",
    "messages_of",
    "seen_case",
]

HELD_OUT_KINDS = frozenset(["panda", "cherry", "bus", "bell", "cross", "robot"])
_SEEING = (
    "what is {x}?", "which thing is {x}?", "what do you call {x}?", "tell me what {x} is.", "what is shown as {x}?", "name {x}.",
    "what can be seen {where}?", "what is {where}?", "what stands {where}?", "what do you see {where}?", "can you tell me what {x} is?",
    "identify {x}.", "say what {x} is.", "what might {x} be?", "do you know what {x} is?", "what {kind} is {where}?", "which {kind} is {where}?",
    "what {kind} can you see {where}?", "which {kind} stands {where}?", "name the {kind} {where}.",
)  # fmt: skip
_CLASSES = {
    "animal": frozenset("cat dog pig cow frog lion panda rabbit fish".split()),
    "fruit": frozenset("apple banana cherry strawberry".split()),
    "food": frozenset("pizza cake carrot mushroom".split()),
    "plant": frozenset("tree sunflower cactus".split()),
    "vehicle": frozenset("car bus rocket".split()),
}
_COLOR = ("what color is {x}?", "which color has {x}?", "what is the color of {x}?", "what colour is {x}?")
_WHERE = ("where is the {name}?", "in which place is the {name}?", "where do you see the {name}?")


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One exchange: what the model is sent, and its answer."""

    kind: str
    messages: tuple[Message, ...]
    answer: str


def answer_rows(seed: int) -> Iterator[AnswerRow]:
    """An endless stream of rows."""
    rng = np.random.default_rng([seed, 57])
    cases = _cases(seed, rng)
    for case in cases:
        count = int(rng.choice([0, 1, 2, 4], p=[0.85, 0.08, 0.04, 0.03]))
        yield _row(case, [next(cases) for _ in range(count)], rng)


def _row(case: Case, examples: list[Case], rng: np.random.Generator) -> AnswerRow:
    choices: list[str] = []
    answer = case.answer
    if case.lures and answer != UNKNOWN and rng.random() < 0.12:
        choices = [str(each) for each in rng.permutation([answer, *case.lures])]
        if rng.random() < 0.5:  # as a server writes it that is held to the choices
            answer = f'{{"answer": "{answer}"}}'
    messages = messages_of(case, examples, choices=choices, prophet=rng.random() < 0.05, rng=rng)
    return AnswerRow(kind=case.kind, messages=tuple(messages), answer=answer)


def messages_of(
    case: Case,
    examples: list[Case],
    *,
    choices: list[str] | None = None,
    prophet: bool = False,
    rng: np.random.Generator | None = None,
) -> list[Message]:
    """What `inloop vqa` sends for a case, with worked examples."""
    shots = [
        Shot(
            id=str(place), question=each.question, answer=each.answer, caption=each.context[0], known=each.context[1:],
            candidates=_candidates(each, rng) if prophet and rng else (),
        )
        for place, each in enumerate(examples)
    ]  # fmt: skip
    return answering_messages(
        PRESETS["prophet" if prophet else "promptcap"], case.question, case.context, shots, choices=choices or (),
        candidates=_candidates(case, rng) if prophet and rng else (),
    )  # fmt: skip


def _candidates(case: Case, rng: np.random.Generator) -> tuple[tuple[str, float], ...]:
    texts = [str(text) for text in rng.permutation([case.answer, *case.lures[:3]])]
    shares = np.sort(rng.dirichlet(np.ones(len(texts))))[::-1]
    return tuple((text, float(share)) for text, share in zip(texts, shares, strict=True))


def _cases(seed: int, rng: np.random.Generator) -> Iterator[Case]:
    makers: list[Callable[[Asked, np.random.Generator], Case | None]] = [
        seen_case, known_case, by_heart_case, lacking_case, _color_case, _place_case, _closed_case, _beside_case,
    ]  # fmt: skip
    for item in items("train", 1_000_000, seed):
        if HELD_OUT_KINDS & {thing.kind for thing in item.scene.objects}:
            continue
        if rng.random() < 0.5:
            yield everyday_case(rng)
        maker = makers[int(rng.choice(len(makers), p=[0.3, 0.2, 0.06, 0.2, 0.08, 0.05, 0.06, 0.05]))]
        if (case := maker(item, rng)) is not None:
            yield case


def seen_case(item: Asked, rng: np.random.Generator, templates: tuple[str, ...] = _SEEING) -> Case:
    """What a thing is, which the caption says."""
    context = [item.view.caption]
    if rng.random() < 0.2:
        context.append(str(rng.choice(item.generic)))
    if rng.random() < 0.15:
        context.append(", ".join(thing.kind for thing in item.scene.objects))
    return _seeing(item, context, "seen", rng, templates)


def known_case(item: Asked, rng: np.random.Generator, passages: int | None = None) -> Case:
    """A fact about a thing that the caption names, with the passage that holds it, among `passages` of them (default: 1 to 3)."""
    count = int(rng.integers(1, 4)) if passages is None else passages
    others = [each["_id"] for each in corpus() if each["_id"] != item.passage and each["_id"] not in HELD_OUT_KINDS]
    shown = [item.passage, *(str(each) for each in rng.choice(others, size=count - 1, replace=False))]
    if rng.random() < 0.3:
        shown = [str(each) for each in rng.permutation(shown)]
    texts = tuple(facts()[kind]["text"] for kind in shown)
    return Case(
        kind="known",
        question=item.question,
        context=(item.view.caption, *texts),
        answer=item.answers[0],
        lures=_same_fact(item, rng),
    )


def by_heart_case(item: Asked, rng: np.random.Generator) -> Case:
    """A fact about a thing that the caption names, without a passage."""
    return Case(
        kind="by heart",
        question=item.question,
        context=(item.view.caption,),
        answer=item.answers[0],
        lures=_same_fact(item, rng),
    )


def lacking_case(item: Asked, rng: np.random.Generator, templates: tuple[str, ...] = _SEEING) -> Case | None:
    """A question whose thing the caption does not name; now and then the picture was asked on, and that gives the answer.

    None where every caption of the scene names it.
    """
    kind = item.view.thing.kind
    captions = [view.caption for view in views(item.scene, rng)] + list(item.generic)
    captions = [caption for caption in captions if kind not in caption.split()]
    if not captions:
        return None
    caption = str(rng.choice(captions))
    if rng.random() < 0.6:
        case = _seeing(item, [caption], "lacking", rng, templates)
        if rng.random() < 0.15:
            return Case(
                kind="asked on", question=case.question, context=(caption, f"{case.question} {kind}"), answer=kind
            )
        return Case(kind="lacking", question=case.question, context=case.context, answer=UNKNOWN)
    texts: list[str] = []
    if rng.random() < 0.5:
        named = [other for other in KINDS if other in caption.split()]
        texts = [facts()[other]["text"] for other in named if item.relation not in facts()[other]]
    return Case(kind="lacking", question=item.question, context=(caption, *texts), answer=UNKNOWN)


def _seeing(item: Asked, context: list[str], kind: str, rng: np.random.Generator, templates: tuple[str, ...]) -> Case:
    phrase, answer = item.view.phrase, item.view.thing.kind
    where = phrase.removeprefix("the thing ").removeprefix("the shape ")
    fitting = [template for template in templates if "{where}" not in template or where != phrase]
    question = str(rng.choice(fitting)).format(x=phrase, where=where, kind=_class_of(answer, rng))
    others = [other for other in KINDS if other not in HELD_OUT_KINDS and other != answer]
    lures = tuple(str(each) for each in rng.choice(others, 3, replace=False))
    return Case(kind=kind, question=question, context=tuple(context), answer=answer, lures=lures)


def _class_of(kind: str, rng: np.random.Generator) -> str:
    """What a question calls a thing that it does not name."""
    if kind in SHAPES:
        return "shape"
    return next((word for word, kinds in _CLASSES.items() if kind in kinds and rng.random() < 0.7), "thing")


def _same_fact(item: Asked, rng: np.random.Generator) -> tuple[str, ...]:
    """Wrong answers: the same fact of other things."""
    others = sorted(
        {known[item.relation][0] for known in facts().values() if item.relation in known} - set(item.answers)
    )
    return tuple(str(each) for each in rng.permutation(others)[:3])


def _color_case(item: Asked, rng: np.random.Generator) -> Case | None:
    """The color of a shape, by its name or by what is asked for; None where the caption names no shape."""
    thing = item.view.thing
    if thing.color is None or item.view.kind == "color":
        return None
    phrase = f"the {thing.kind}" if rng.random() < 0.5 else item.view.phrase
    lures = tuple(str(each) for each in rng.choice([c for c in COLORS if c != thing.color], 3, replace=False))
    return Case(
        kind="color",
        question=str(rng.choice(_COLOR)).format(x=phrase),
        context=(item.view.caption,),
        answer=thing.color,
        lures=lures,
    )


def _place_case(item: Asked, rng: np.random.Generator) -> Case | None:
    """Where a thing is; None where the caption does not say it."""
    _, _, where = item.view.caption.partition(f"{item.view.thing.kind} ")
    if item.view.kind not in ("corner", "relation") or not where:
        return None
    question = str(rng.choice(_WHERE)).format(name=item.view.thing.kind)
    return Case(kind="place", question=question, context=(item.view.caption,), answer=where)


def _closed_case(item: Asked, rng: np.random.Generator) -> Case | None:
    """Is there such a thing, or which of two; of what is not told of the answer is no."""
    kind, caption = item.view.thing.kind, item.view.caption
    absent = [each for each in KINDS if each not in caption.split() and each not in HELD_OUT_KINDS]
    other, answer = str(rng.choice(absent)), kind
    if rng.random() < 0.4:
        two = [f"{article(each)} {each}" for each in rng.permutation([kind, other])]
        form = str(rng.choice(("is it {} or {}?", "is {x} {} or {}?", "{} or {}: what is {x}?")))
        question = form.format(*two, x=item.view.phrase)
    else:
        asked, answer = (kind, "yes") if rng.random() < 0.5 else (other, "no")
        form = str(
            rng.choice(("is there {}?", "is there {} in the picture?", "can you see {}?", "does the picture show {}?"))
        )
        question = form.format(f"{article(asked)} {asked}")
    return Case(kind="closed", question=question, context=(caption,), answer=answer)


def _beside_case(item: Asked, rng: np.random.Generator) -> Case | None:
    """Beside what a thing is ("what is the cat above?"); None where the caption does not say it."""
    match = re.fullmatch(
        r"an? (?P<one>[\w ]+?) (?P<near>above|below|to the (?:left|right) of) an? (?P<other>[\w ]+)", item.view.caption
    )
    if match is None or HELD_OUT_KINDS & set(item.view.caption.split()):
        return None
    form = str(rng.choice(("what is the {one} {near}?", "{near} what is the {one}?", "the {one} is {near} what?")))
    return Case(
        kind="beside",
        question=form.format(**match.groupdict()),
        context=(item.view.caption,),
        answer=match["other"].split()[-1],
    )
