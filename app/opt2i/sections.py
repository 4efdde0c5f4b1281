"""The part of a report about one user's text: its candidates, its questions, its images on unseen seeds.

Everything is ready to be shown: numbers are words, a score that is None is "not scored".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from ...graphs.opt2i import Effect, HeldOut, Opt2iTask, Trial, TrialImage, VotesSaid, evaluator_name, undominated
from ...runtime.records import Part
from ..cli import points, signed
from ..report import CurvePoint, Pictures, curve
from .format import drift_words, effect_words, review_words, shortened_words, stop_words, verdict_words, vote_words

__all__ = ["Section", "rising_of", "section_of"]


@dataclass(kw_only=True)
class Picture:
    """One image on the page."""

    uri: str | None
    alt: str
    caption: str
    level: str


@dataclass(kw_only=True)
class Card:
    """One candidate on the page. `diff` is against `parent`, or against the user's text."""

    id: str
    iteration: int
    text: str
    diff: list[tuple[str, str]]
    origin: str
    objective: str
    delta: str
    rising: str
    scores: list[tuple[str, str]]
    parts: list[tuple[str, str, str]]
    pictures: list[Picture]
    hidden: int
    note: str
    is_best: bool
    is_user: bool


@dataclass(kw_only=True)
class Row:
    """One question or phrase: what the user's prompt and the best one got for it, in points."""

    name: str
    tuple: str
    needs: str
    before: str
    after: str
    delta: str
    rising: str
    width: float

    @property
    def cells(self) -> list[str]:
        """The line of a table: the change with a bar as long as it is."""
        name = Markup.escape(self.name)
        if self.tuple:
            name += Markup('<br><span class="muted small mono">{}</span>').format(self.tuple)
        if self.needs:
            name += Markup('<br><span class="muted small">counts only after: {}</span>').format(self.needs)
        bar = (
            ""
            if self.rising == "flat"
            else Markup('<span class="bar" style="width:{}%"></span>').format(round(self.width))
        )
        change = Markup('<span class="{}">{}{}</span>').format(self.rising, self.delta, bar)
        return [name, self.before, self.after, change]


@dataclass(kw_only=True)
class Strip:
    """A text with its images on unseen seeds."""

    name: str
    text: str
    scores: list[tuple[str, str]]
    pictures: list[Picture]
    main: bool


@dataclass(kw_only=True)
class Section:
    """One user's text, from first score to held-out check."""

    anchor: str
    task: Opt2iTask
    best: str
    stop: str
    changed: bool
    gains: list[tuple[str, str, str, str, str]]
    curve: str
    strips: list[Strip]
    tables: list[tuple[str, str, list[Row]]]
    lineage: list[Card]
    rounds: list[tuple[int, str, list[Card]]]
    verdict: str
    verdict_kind: str
    drift: str = ""
    effects: list[list[str]] = field(default_factory=list)
    shortened: str = ""
    wishes: str = ""
    votes: list[str] = field(default_factory=list)
    voted: list[list[str]] = field(default_factory=list)
    scored: list[tuple[str, str]] = field(default_factory=list)
    choices: list[list[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def section_of(anchor: str, task: Opt2iTask, pictures: Pictures, said: VotesSaid | None = None) -> Section:
    user, best = task.user_trial, task.best_trial
    base = user.objective if user else None
    cards = {t.id: _card(t, task, base, pictures) for t in task.trials}
    lineage = [cards[t.id] for t in _lineage(task, best)]
    rounds: list[tuple[int, str, list[Card]]] = []
    for iteration in sorted({t.iteration for t in task.trials}):
        here = [t for t in task.trials if t.iteration == iteration]
        top = max((t.objective for t in here if t.objective is not None), default=None)
        rounds.append((iteration, points(top), [cards[t.id] for t in here]))
    strips = [_strip(key, held, task, pictures) for key, held in _ordered(task.heldout)]
    verdict, kind = verdict_words(task)
    return Section(
        anchor=anchor,
        task=task,
        best=task.best_text,
        stop=stop_words(task.stop),
        changed=task.best_text != task.text,
        gains=_gains(task),
        curve=curve(
            [CurvePoint(t.iteration, _hundred(t.objective), f"{points(t.objective)}: {t.text}") for t in task.trials],
            baseline=_hundred(base),
            name=f"Score of every candidate by iteration, for: {task.text}",
        ),
        strips=strips,
        tables=_tables(task, user, best),
        lineage=lineage,
        rounds=rounds,
        verdict=verdict,
        verdict_kind=kind,
        drift=drift_words(task),
        effects=[_effect(effect) for effect in task.effects],
        shortened=shortened_words(task),
        wishes=review_words(task.wishes) if task.wishes else "",
        votes=vote_words(said) if said else [],
        voted=[[said.texts[each.item], f"{100 * each.best:.0f} %"] for each in said.standings] if said else [],
        scored=[(evaluator_name(name), "num") for name in sorted(user.scores if user else ())],
        choices=_choices(task),
        warnings=list(task.warnings),
    )


def _effect(effect: Effect) -> list[str]:
    """The line of a table; what may be luck has no colour."""
    points, interval = effect_words(effect)
    sure = effect.ci is not None and not effect.ci[0] <= 0 <= effect.ci[1]
    colored = Markup('<span class="{}">{}</span>').format(rising_of(effect.effect) if sure else "flat", points)
    return [effect.phrase, colored, interval, effect.without]


def _choices(task: Opt2iTask) -> list[list[str]]:
    """A line of a table for each prompt that no other one beats in every score and in brevity; none where there is nothing to choose."""
    left = sorted(undominated(task.trials), key=lambda trial: trial.objective or 0.0, reverse=True)
    if len(left) < 2:
        return []
    return [
        [trial.text, *(points(value) for _, value in sorted(trial.scores.items())), str(len(trial.text.split()))]
        for trial in left
    ]


def _ordered(held: dict[str, HeldOut]) -> list[tuple[str, HeldOut]]:
    order = {"user": 0, "best": 1}
    return sorted(held.items(), key=lambda item: (order.get(item[0], 2), item[0]))


def _gains(task: Opt2iTask) -> list[tuple[str, str, str, str, str]]:
    user, best = task.heldout.get("user"), task.heldout.get("best")
    rows = []
    for name in dict.fromkeys([*(user.scores if user else {}), *(best.scores if best else {})]):
        before = user.scores.get(name) if user else None
        after = best.scores.get(name) if best else None
        change = None if before is None or after is None else (after - before) * 100
        rows.append((evaluator_name(name), points(before), points(after), signed(change), rising_of(change)))
    return rows


def _strip(key: str, held: HeldOut, task: Opt2iTask, pictures: Pictures) -> Strip:
    name = {"user": "your prompt", "best": "best prompt"}.get(key, key.replace("_", " "))
    return Strip(
        name=name,
        text=held.text,
        scores=[(evaluator_name(e), points(v)) for e, v in held.scores.items()],
        pictures=[_picture(image, f"{name}: {held.text}", pictures) for image in held.images],
        main=key in ("user", "best"),
    )


def _picture(image: TrialImage, what: str, pictures: Pictures) -> Picture:
    scored = [(evaluator_name(name), score.value) for name, score in image.scores.items()]
    said = ", ".join(f"{name} {points(value)}" for name, value in scored) or "not scored"
    first = scored[0][1] if scored else None
    return Picture(
        uri=pictures.uri(image.image),
        alt=f"{what} (seed {image.seed}; {said})",
        caption=points(first),
        level=_level(first),
    )


def _card(trial: Trial, task: Opt2iTask, base: float | None, pictures: Pictures) -> Card:
    parent = _parent(trial, task)
    change = None if trial.objective is None or base is None else (trial.objective - base) * 100
    shown = [_picture(image, trial.text, pictures) for image in trial.images]
    first = next(iter(trial.parts.values()), ())
    return Card(
        id=trial.id,
        iteration=trial.iteration,
        text=trial.text,
        diff=[("same", trial.text)]
        if trial.iteration == 0
        else _diff(parent.text if parent else task.text, trial.text),
        origin="" if parent is None else "from your prompt" if parent.iteration == 0 else f"from {parent.id}",
        objective=points(trial.objective),
        delta="" if trial.iteration == 0 else signed(change),
        rising=rising_of(change),
        scores=[(evaluator_name(e), points(v)) for e, v in trial.scores.items()],
        parts=[(part.name, points(part.value), _level(part.value)) for part in first],
        pictures=[p for p in shown if p.uri is not None],
        hidden=sum(p.uri is None for p in shown),
        note="; ".join(filter(None, (trial.note, trial.broken))),
        is_best=trial.id == task.best and trial.iteration > 0,
        is_user=trial.iteration == 0,
    )


def _parent(trial: Trial, task: Opt2iTask) -> Trial | None:
    if trial.parent is None:
        return None
    return next((t for t in task.trials if t.id == trial.parent), None) or next(
        (t for t in task.trials if t.text == trial.parent), None
    )


def _lineage(task: Opt2iTask, best: Trial | None) -> list[Trial]:
    chain: list[Trial] = []
    while best is not None and best not in chain:
        chain.append(best)
        best = _parent(best, task)
    return chain[::-1]


def _tables(task: Opt2iTask, user: Trial | None, best: Trial | None) -> list[tuple[str, str, list[Row]]]:
    """Per evaluator: its name, where the numbers come from, and a row for each question or phrase."""
    tables = []
    held_user, held_best = task.heldout.get("user"), task.heldout.get("best")
    names = [*(user.parts if user else {}), *(best.parts if best else {})]
    if held_user and held_user.images:
        names += list(held_user.images[0].scores)
    for name in dict.fromkeys(names):
        before = _part_means(held_user.images, name) if held_user else {}
        after = _part_means(held_best.images, name) if held_best else {}
        source = "on the unseen seeds"
        if not before or not after:
            before = {p.name: p.value for p in (user.parts.get(name, ()) if user else ())}
            after = {p.name: p.value for p in (best.parts.get(name, ()) if best else ())}
            source = "on the seeds that were optimised on"
        rows = [_row(key, before.get(key), after.get(key), task) for key in dict.fromkeys([*before, *after])]
        if rows:
            tables.append((evaluator_name(name), source, rows))
    return tables


def _part_means(images: Sequence[TrialImage], evaluator: str) -> dict[str, float | None]:
    values: dict[str, list[float]] = {}
    parts: Iterable[Part] = (p for i in images if evaluator in i.scores for p in i.scores[evaluator].parts)
    for part in parts:
        seen = values.setdefault(part.name, [])
        if part.value is not None:
            seen.append(part.value)
    return {name: sum(seen) / len(seen) if seen else None for name, seen in values.items()}


def _row(name: str, before: float | None, after: float | None, task: Opt2iTask) -> Row:
    asked = next((q for q in task.questions if name in (q.label, q.question, str(q.id))), None)
    change = None if before is None or after is None else (after - before) * 100
    return Row(
        name=asked.label if asked else name,
        tuple=asked.tuple if asked else "",
        needs=", ".join(q.label for q in task.questions if asked and q.id in asked.parents),
        before=points(before),
        after=points(after),
        delta=signed(change),
        rising=rising_of(change),
        width=min(abs(change or 0.0), 100.0),
    )


def _diff(before: str, after: str) -> list[tuple[str, str]]:
    """Words of `after` against `before`: ("same" | "new" | "gone", text)."""
    old, new = before.split(), after.split()
    pieces: list[tuple[str, str]] = []
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", " ".join(new[b0:b1])))
            continue
        if a1 > a0:
            pieces.append(("gone", " ".join(old[a0:a1])))
        if b1 > b0:
            pieces.append(("new", " ".join(new[b0:b1])))
    return pieces


def _hundred(value: float | None) -> float | None:
    return None if value is None else value * 100


def rising_of(change: float | None) -> str:
    return "flat" if change is None or abs(change) < 0.05 else "up" if change > 0 else "down"


def _level(value: float | None) -> str:
    return "none" if value is None else "high" if value >= 0.8 else "low" if value < 0.4 else "middle"
