"""The report of a run: one HTML file that needs nothing else.

Drawn from `result.json` (an `Outcome`) and the blob store, and from nothing else; the same two give the same bytes. The
page holds its images as data URIs, has no script, and its content security policy forbids every outside resource.

Invariants: a score that is None is shown as "not scored", never as 0; every image has a text alternative; text from
outside (prompts, model replies, names) is escaped by the template. Scores are shown as points, 0-100.

Images are embedded most telling first (unseen seeds, the user's prompt, the best one, then the candidates by score)
until `limit` bytes are used; what is left out is counted on the page.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..graphs.outcome import Comparison, HeldOut, Outcome, TaskOutcome, Trial, TrialImage
from ..runtime.records import Part
from .charts import CurvePoint, Interval, curve, intervals
from .page import DEFAULT_LIMIT, Pictures, draw
from .words import (
    EVALUATORS,
    amount,
    best_text,
    best_trial,
    evaluator_name,
    ours,
    points,
    seconds,
    signed,
    stop_words,
    user_trial,
    way_name,
)

if TYPE_CHECKING:
    from ..runtime.blobs import BlobStore

__all__ = ["DEFAULT_LIMIT", "Pictures", "render"]


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
    task: TaskOutcome
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
    warnings: list[str] = field(default_factory=list)


def render(outcome: Outcome, blobs: BlobStore, *, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string.

    Args:
        outcome: the run's result.
        blobs: where its images are; one that is not there is named on the page and not an error.
        limit: bytes of images to embed at most (as data URIs).
    """
    pictures = Pictures(blobs, limit)
    for images in _by_importance(outcome):
        pictures.embed(image.image for image in images)
    climbed = outcome.config.get("objective")
    mine = sorted((row for row in outcome.comparisons if ours(row.way)), key=lambda row: row.evaluator != climbed)
    return draw(
        "report.html.j2",
        outcome=outcome,
        title=_title(outcome),
        headline=_headline(outcome, mine),
        verdict_kind=_kind(mine),
        when=outcome.created.replace("T", " ")[:16],
        took=seconds(outcome.seconds),
        sections=[_section(f"t{i}", task, pictures) for i, task in enumerate(outcome.tasks, 1)],
        comparisons=_comparisons(outcome.comparisons),
        plots=_plots(outcome.comparisons),
        glossary=[EVALUATORS[e] for e in dict.fromkeys(c.evaluator for c in outcome.comparisons) if e in EVALUATORS],
        spent=_spent(outcome),
        calls=_calls(outcome),
        config=[(key, _plain(value)) for key, value in sorted(outcome.config.items())],
        models=[(role, list(model.items())) for role, model in outcome.models.items()],
        questioners=sorted({t.questioner for t in outcome.tasks if t.questioner}),
        warnings=list(outcome.notes),
        missing=len(pictures.missing),
        left_out=len(pictures.left_out),
        resume=f"inloop resume {outcome.run_id}",
    )


def _by_importance(outcome: Outcome) -> Iterator[Sequence[TrialImage]]:
    for task in outcome.tasks:
        for key in ("user", "best"):
            if key in task.heldout:
                yield task.heldout[key].images
        for trial in (user_trial(task), best_trial(task)):
            if trial is not None:
                yield trial.images
    for task in outcome.tasks:
        for other in task.heldout.values():
            yield other.images
    ranked = [
        sorted(t.trials, key=lambda x: -1.0 if x.objective is None else x.objective, reverse=True)
        for t in outcome.tasks
    ]
    for rank in zip_longest(*ranked):
        for trial in rank:
            if trial is not None:
                yield trial.images


def _title(outcome: Outcome) -> str:
    if len(outcome.tasks) == 1:
        return f"{outcome.tasks[0].text} · {outcome.loop}"
    return f"{len(outcome.tasks)} prompts · {outcome.loop}"


def _headline(outcome: Outcome, mine: Sequence[Comparison]) -> str:
    first = next((c for c in mine if c.gain is not None), None)
    what = "One prompt" if len(outcome.tasks) == 1 else f"{len(outcome.tasks)} prompts"
    if first is None or first.gain is None:
        return f"{what}: no gain was measured on unseen seeds"
    change = f"{signed(first.gain)} points {evaluator_name(first.evaluator)}"
    if first.ci is None:
        return f"{what}: {change} on unseen seeds"
    if first.ci[0] > 0:
        return f"{what}: {change} on unseen seeds"
    return f"{what}: no confirmed gain on unseen seeds ({change})"


def _kind(mine: Sequence[Comparison]) -> str:
    first = next((c for c in mine if c.gain is not None), None)
    if first is None or first.ci is None:
        return "unknown"
    return "good" if first.ci[0] > 0 else "bad" if first.ci[1] < 0 else "unknown"


def _section(anchor: str, task: TaskOutcome, pictures: Pictures) -> Section:
    user, best = user_trial(task), best_trial(task)
    base = user.objective if user else None
    cards = {t.id: _card(t, task, base, pictures) for t in task.trials}
    lineage = [cards[t.id] for t in _lineage(task, best)]
    rounds: list[tuple[int, str, list[Card]]] = []
    for iteration in sorted({t.iteration for t in task.trials}):
        here = [t for t in task.trials if t.iteration == iteration]
        top = max((t.objective for t in here if t.objective is not None), default=None)
        rounds.append((iteration, points(top), [cards[t.id] for t in here]))
    strips = [_strip(key, held, task, pictures) for key, held in _ordered(task.heldout)]
    verdict, kind = _verdict(task)
    return Section(
        anchor=anchor,
        task=task,
        best=best_text(task),
        stop=stop_words(task.stop),
        changed=best_text(task) != task.text,
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
        warnings=list(task.warnings),
    )


def _ordered(held: dict[str, HeldOut]) -> list[tuple[str, HeldOut]]:
    order = {"user": 0, "best": 1}
    return sorted(held.items(), key=lambda item: (order.get(item[0], 2), item[0]))


def _verdict(task: TaskOutcome) -> tuple[str, str]:
    if best_text(task) == task.text:
        return "No candidate was better than your own prompt: keep it.", "unknown"
    if not task.heldout:
        return "The best prompt was not checked on unseen seeds.", "unknown"
    if task.accepted:
        return "The gain holds on seeds that nothing was chosen on.", "good"
    return "The unseen seeds do not confirm the gain: prefer your own prompt, or run with more images.", "bad"


def _gains(task: TaskOutcome) -> list[tuple[str, str, str, str, str]]:
    user, best = task.heldout.get("user"), task.heldout.get("best")
    rows = []
    for name in dict.fromkeys([*(user.scores if user else {}), *(best.scores if best else {})]):
        before = user.scores.get(name) if user else None
        after = best.scores.get(name) if best else None
        change = None if before is None or after is None else (after - before) * 100
        rows.append((evaluator_name(name), points(before), points(after), signed(change), _rising(change)))
    return rows


def _strip(key: str, held: HeldOut, task: TaskOutcome, pictures: Pictures) -> Strip:
    name = way_name(key)
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


def _card(trial: Trial, task: TaskOutcome, base: float | None, pictures: Pictures) -> Card:
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
        rising=_rising(change),
        scores=[(evaluator_name(e), points(v)) for e, v in trial.scores.items()],
        parts=[(part.name, points(part.value), _level(part.value)) for part in first],
        pictures=[p for p in shown if p.uri is not None],
        hidden=sum(p.uri is None for p in shown),
        note=trial.note,
        is_best=trial.id == task.best and trial.iteration > 0,
        is_user=trial.iteration == 0,
    )


def _parent(trial: Trial, task: TaskOutcome) -> Trial | None:
    if trial.parent is None:
        return None
    return next((t for t in task.trials if t.id == trial.parent), None) or next(
        (t for t in task.trials if t.text == trial.parent), None
    )


def _lineage(task: TaskOutcome, best: Trial | None) -> list[Trial]:
    chain: list[Trial] = []
    while best is not None and best not in chain:
        chain.append(best)
        best = _parent(best, task)
    return chain[::-1]


def _tables(task: TaskOutcome, user: Trial | None, best: Trial | None) -> list[tuple[str, str, list[Row]]]:
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


def _row(name: str, before: float | None, after: float | None, task: TaskOutcome) -> Row:
    asked = next((q for q in task.questions if name in (q.question, str(q.id))), None)
    change = None if before is None or after is None else (after - before) * 100
    return Row(
        name=asked.question if asked else name,
        tuple=asked.tuple if asked else "",
        needs=", ".join(q.question for q in task.questions if asked and q.id in asked.parents),
        before=points(before),
        after=points(after),
        delta=signed(change),
        rising=_rising(change),
        width=min(abs(change or 0.0), 100.0),
    )


def _comparisons(rows: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [
        {
            "way": way_name(c.way),
            "mine": ours(c.way),
            "evaluator": evaluator_name(c.evaluator),
            "gain": signed(c.gain),
            "rising": "flat" if c.ci is not None and c.ci[0] <= 0 <= c.ci[1] else _rising(c.gain),
            "ci": "" if c.ci is None else f"{signed(c.ci[0])} to {signed(c.ci[1])}",
            "n": c.n,
            "images": c.images,
            "note": c.note,
        }
        for c in rows
    ]


def _plots(rows: Sequence[Comparison]) -> list[tuple[str, str]]:
    plots = []
    for name in dict.fromkeys(c.evaluator for c in rows):
        shown = [
            Interval(way_name(c.way), c.gain, c.ci[0] if c.ci else None, c.ci[1] if c.ci else None, ours(c.way))
            for c in rows
            if c.evaluator == name
        ]
        svg = intervals(
            shown, name=f"Gain over the user's prompt in {evaluator_name(name)} points, with 95 % intervals"
        )
        if svg:
            plots.append((evaluator_name(name), svg))
    return plots


def _spent(outcome: Outcome) -> list[tuple[str, str]]:
    cost = outcome.cost
    money = "unknown" if cost.money is None else f"{cost.money:.4g} US$"
    return [
        ("images painted", amount(cost.images)),
        ("questions answered", amount(cost.answers)),
        ("tokens in", amount(cost.input_tokens)),
        ("tokens out", amount(cost.output_tokens)),
        ("model seconds", seconds(cost.seconds)),
        ("money", money),
    ]


def _calls(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(kind, amount(c.get("paid", 0)), amount(c.get("reused", 0))) for kind, c in sorted(outcome.calls.items())]


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


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value) if len(value) <= 8 else f"{len(value)} entries"
    return str(value)


def _hundred(value: float | None) -> float | None:
    return None if value is None else value * 100


def _rising(change: float | None) -> str:
    return "flat" if change is None or abs(change) < 0.05 else "up" if change > 0 else "down"


def _level(value: float | None) -> str:
    return "none" if value is None else "high" if value >= 0.8 else "low" if value < 0.4 else "middle"
