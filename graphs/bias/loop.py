"""Biases as one loop: a task a model, each asked about the same pictures; every answer is in the call ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ...evaluators.bias import critical_band, relation, shape_bias
from ...evaluators.stats import estimate, paired_gain
from ...runtime.display import counted
from ...runtime.errors import BadInput
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session, Warned
from ...tools.data import read_labelled
from ...tools.vision import foreign_note
from .answerers import Answerer, read_labels
from .conditions import Condition, conditions, how_many
from .config import BiasConfig
from .opening import open_answerer
from .pictures import Pictures, conflicts_of, read_all
from .result import BandPoint, BiasResult, BiasTask, ChangeEffect, CurvePoint, Sample

__all__ = ["bias"]

_SAMPLES = 12
_Answers = list[str | None]


@dataclass(frozen=True)
class _Context:
    config: BiasConfig
    session: Session
    pictures: Pictures
    answerers: dict[str, Answerer]
    shown: list[Condition]


def _models(config: BiasConfig) -> Mapping[str, str]:
    twice = next((spec for spec in config.models if config.models.count(spec) > 1), None)
    if twice is not None:
        raise BadInput(f"the model {twice!r} is named twice: name it once.")
    if config.learn and config.drawn:
        raise BadInput("--learn without --on, --plain or --shifted: the drawn pictures bring their own to learn from.")
    if config.on:
        conflicts_of(Path(config.on))
    for source in (config.plain, config.learn, *config.shifted):
        if source:
            read_labelled(Path(source), label=config.label)
    read_labels(config.labels)
    return {f"m{place}": spec for place, spec in enumerate(config.models, start=1)}


async def _open(config: BiasConfig, session: Session) -> _Context:
    pictures = await asyncio.to_thread(read_all, config, session)
    answerers = {spec: open_answerer(config, session, spec, pictures) for spec in config.models}
    blobs = session.store.blobs
    if not config.drawn and (
        note := foreign_note({"the models": [*session.opened.values()]}, _images(session, pictures))
    ):
        session.emit(Warned(text=note))
    if config.drawn:
        foreign = [spec for spec in config.models if not _is_bundled(session, spec) and not spec.startswith("probe:")]
        if foreign:
            session.notes.append(
                f"{', '.join(foreign)}: the pictures are drawn; a bias on them need not be that on photographs (--on)."
            )
    else:
        lacking = {"conflict": pictures.conflicts, "plain": pictures.plain, "shifted": pictures.shifted}
        names = {
            "conflict": "shape bias (--on)",
            "plain": "filters, noise and changes (--plain)",
            "shifted": "shifted accuracy (--shifted)",
        }
        missing = [names[key] for key, there in lacking.items() if not there]
        if missing:
            session.notes.append(f"not measured, for no pictures were given: {'; '.join(missing)}.")
        if pictures.plain:
            session.notes.append("background: not measured, for only drawn scenes are known before another one.")

    def made() -> list[Condition]:
        found, done, of = [], 0, how_many(config, pictures, blobs)
        for each in conditions(config, pictures, blobs):
            found.append(each)
            done += len(each.images)
            session.emit(Progressed(text="pictures made", done=done, of=of))
        return found

    return _Context(config, session, pictures, answerers, await asyncio.to_thread(made))


def _is_bundled(session: Session, spec: str) -> bool:
    return str(getattr(session.opened.get(spec), "model", "")).startswith("mini-")


def _images(session: Session, pictures: Pictures) -> Iterator[Image.Image]:
    images = [each.image for each in (*pictures.plain, *pictures.shifted)]
    for image in (*images, *(each.image for each in pictures.conflicts)):
        yield session.store.blobs.get_image(image)


async def _look(context: _Context, id: str, spec: str) -> BiasTask | None:
    if context.session.budget.exhausted():
        return None
    answerer, session = context.answerers[spec], context.session
    images = {image.sha256: image for each in context.shown for image in each.images}

    def told(done: int, of: int) -> None:
        session.emit(Progressed(text=f"pictures by {spec}", done=done, of=of))

    given = await answerer.answers([*images.values()], told)
    by_image = dict(zip(images, given, strict=True))
    rows: list[tuple[Condition, _Answers]] = [
        (each, [by_image[image.sha256] for image in each.images]) for each in context.shown
    ]
    return await asyncio.to_thread(_read, context, id, spec, answerer, rows)


def _read(
    context: _Context, id: str, spec: str, answerer: Answerer, rows: Sequence[tuple[Condition, _Answers]]
) -> BiasTask:
    chance = 1 / len(answerer.classes)
    fields: dict[str, Any] = {"chance": chance}
    plain = _right(rows, "plain")
    if plain:
        accuracy = estimate(plain)
        fields |= {"plain": accuracy, "plain_at_chance": accuracy.ci is None or accuracy.ci[0] <= chance}
    fields |= _conflict(context, answerer, next((given for each, given in rows if each.kind == "conflict"), None))
    for kind, name in (("low", "low_pass"), ("high", "high_pass")):
        fields[name] = tuple(
            CurvePoint(cutoff=each.key[0], accuracy=estimate(_hits(each, given)))
            for each, given in rows
            if each.kind == kind
        )
    fields |= _band(rows, chance)
    base = next((given for each, given in rows if each.kind == "plain"), [])
    fields["changes"] = tuple(_effect(each, given, base, plain) for each, given in rows if each.kind == "change")
    if shifted := _right(rows, "shifted"):
        fields["shifted"] = estimate(shifted)
    unmapped = sum(name is None for _, given in rows for name in given)
    unknown = [name for name in context.pictures.classes if name not in answerer.classes]
    if unknown:
        context.session.notes.append(
            f"{spec} cannot name {', '.join(unknown[:8])}: conflicts with these are left out for it."
        )
    return BiasTask(id=id, model=spec, manner=answerer.manner, classes=answerer.classes, unmapped=unmapped, **fields)


def _hits(each: Condition, given: _Answers) -> list[float]:
    return [float(name == label) for name, label in zip(given, each.labels, strict=True)]


def _right(rows: Sequence[tuple[Condition, _Answers]], kind: str) -> list[float]:
    return [hit for each, given in rows if each.kind == kind for hit in _hits(each, given)]


def _conflict(context: _Context, answerer: Answerer, given: _Answers | None) -> dict[str, Any]:
    """Shape bias over the conflicts whose two cues can be named, and whether its accuracy is more than luck."""
    if given is None:
        return {}
    pairs = context.pictures.conflicts
    known = [
        (name, each.shape, each.texture)
        for name, each in zip(given, pairs, strict=True)
        if each.shape in answerer.classes and each.texture in answerer.classes
    ]
    found = shape_bias(*(list(column) for column in zip(*known, strict=True))) if known else shape_bias([], [], [])
    luck, ends = 2 / len(answerer.classes), found.accuracy.ci
    why = ""
    if ends is None:
        why = f"{counted(found.accuracy.n, 'picture')} are too few to tell its accuracy from guessing"
    elif ends[0] <= luck:
        why = f"it names either cue of {found.accuracy.value:.1%} of the pictures ({ends[0]:.1%} to {ends[1]:.1%}), and guessing would of {luck:.1%}"
    return {"conflict": found, "at_chance": why, "answers": tuple(given)}


def _band(rows: Sequence[tuple[Condition, _Answers]], chance: float) -> dict[str, Any]:
    accuracies = {
        (each.key[0], each.key[1]): sum(hits) / len(hits)
        for each, given in rows
        if each.kind == "noise" and (hits := _hits(each, given))
    }
    if not accuracies:
        return {}
    points = tuple(
        BandPoint(frequency=frequency, level=level, accuracy=value) for (frequency, level), value in accuracies.items()
    )
    if len({point.frequency for point in points if point.level > 0}) < 3:
        return {"band_points": points}
    return {"band_points": points, "band": critical_band(accuracies, chance=chance)}


def _effect(each: Condition, given: _Answers, base: _Answers, plain: list[float]) -> ChangeEffect:
    hits = _hits(each, given)
    followed = None
    if each.written:
        followed = estimate([float(name == word) for name, word in zip(given, each.written, strict=True)])
    return ChangeEffect(
        change=each.name,
        accuracy=estimate(hits),
        gain=paired_gain(plain, hits),
        moved=estimate([float(before != after) for before, after in zip(base, given, strict=True)]),
        followed=followed,
    )


def _summary(context: _Context, mapped: Mapped[BiasTask]) -> Mapping[str, Any]:
    tasks, pictures = [*mapped.results.values()], context.pictures
    every = max(1, len(pictures.conflicts) // _SAMPLES)
    chosen = range(0, len(pictures.conflicts), every)[:_SAMPLES]
    samples = tuple(
        Sample(
            image=pictures.conflicts[place].image,
            shape=pictures.conflicts[place].shape,
            texture=pictures.conflicts[place].texture,
            answers={task.model: task.answers[place] for task in tasks if task.answers},
        )
        for place in chosen
    )
    readings = {task.model: task.readings() for task in tasks}
    names = dict.fromkeys(name for each in readings.values() for name in each)
    accuracies = [task.shifted.value if task.shifted else None for task in tasks]
    return {
        "classes": pictures.classes,
        "drawn": context.config.drawn,
        "conflicts": len(pictures.conflicts),
        "plain": len(pictures.plain),
        "shifted": len(pictures.shifted),
        "samples": samples,
        "relations": tuple(
            relation(name, [readings[task.model].get(name) for task in tasks], accuracies) for name in names
        ),
    }


bias = Loop(
    name="bias",
    config=BiasConfig,
    result=BiasResult,
    inputs=_models,
    open=_open,
    work=_look,
    summary=_summary,
    checkpoints=False,
    shareable=False,
    brief="what models look at: shape or texture, frequencies, noise, changes",
)
