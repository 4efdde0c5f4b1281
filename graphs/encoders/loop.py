"""The comparison of encoders as one object: a task an encoder, each judged on the same pictures.

Every forward pass is in the call ledger: a second run makes none, and an encoder that is added is the only one that is computed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...evaluators.features import chosen_penalty, k_shot, knn, probes, ranking, zero_shot
from ...evaluators.stats import Estimate
from ...runtime.display import counted
from ...runtime.errors import BadInput
from ...runtime.protocols import ImageEncoder
from ...runtime.records import BlobRef
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session, Warned
from ...tools.data import LabelledPicture, read_labelled, read_picture
from ...tools.encoders import class_vectors, open_encoder
from ...tools.vision import foreign_note
from .config import CompareConfig
from .result import CompareResult, EncoderTask

__all__ = ["encoders"]

_CHUNK = 64


@dataclass(frozen=True)
class _Set:
    """Pictures in the blob store, and their classes."""

    images: list[BlobRef]
    labels: NDArray[np.str_]

    def part(self, chosen: NDArray[np.bool_]) -> _Set:
        places = np.flatnonzero(chosen)
        return _Set([self.images[place] for place in places], self.labels[chosen])


@dataclass(frozen=True)
class _Context:
    config: CompareConfig
    session: Session
    encoders: dict[str, ImageEncoder]
    train: _Set
    test: _Set
    shifted: dict[str, _Set]
    passing: asyncio.Lock


def _specs(config: CompareConfig) -> Mapping[str, str]:
    twice = next((spec for spec in config.encoders if config.encoders.count(spec) > 1), None)
    if twice is not None:
        raise BadInput(f"the encoder {twice!r} is named twice: name it once.")
    if "{}" not in config.template:
        raise BadInput(f"--template {config.template!r} has no place for the class: put {{}} where its name goes.")
    named = [_name(each) for each in config.shifted]
    again = next((name for name in named if named.count(name) > 1), None)
    if again is not None:
        raise BadInput(f"--shifted: two sets are called {again!r}: give their folders names of their own.")
    for source in (config.on, config.test, *config.shifted):
        if source:
            _labelled(config, source)
    return {f"e{place}": spec for place, spec in enumerate(config.encoders, start=1)}


def _labelled(config: CompareConfig, source: str) -> tuple[LabelledPicture, ...]:
    return read_labelled(Path(source), label=config.label)


def _name(source: str) -> str:
    path = Path(source)
    return path.parent.resolve().name if path.stem == "metadata" else path.stem


def _open(config: CompareConfig, session: Session) -> _Context:
    opened: dict[str, ImageEncoder] = {}
    for spec in config.encoders:
        opened[spec] = session.opened[spec] = open_encoder(spec, session.store, session.settings)
        session.close_later(opened[spec])
    same: dict[tuple[str, str], str] = {}
    for spec, encoder in opened.items():
        other = same.setdefault((encoder.model, encoder.revision), spec)
        if other != spec:
            raise BadInput(f"{other!r} and {spec!r} are the same encoder ({encoder.model}): name it once.")
    whole = _read(session, _labelled(config, config.on))
    if config.test:
        train, test = whole, _read(session, _labelled(config, config.test))
    else:
        held = _half(whole.labels, config.seed)
        train, test = whole.part(~held), whole.part(held)
    shifted = {_name(each): _read(session, _labelled(config, each)) for each in config.shifted}
    known = {image.sha256 for image in train.images}
    test = _apart(test, known, "the test set", session)
    shifted = {name: _apart(each, known, name, session) for name, each in shifted.items()}
    _check(config, train, {"the test set": test, **shifted})
    if note := foreign_note({"encoders": [*opened.values()]}, _shown(session, train)):
        session.emit(Warned(text=note))
    return _Context(config, session, opened, train, test, shifted, asyncio.Lock())


def _check(config: CompareConfig, train: _Set, tested: Mapping[str, _Set]) -> None:
    """Refuse, before any encoder computes, classes that cannot be learned or were never seen."""
    classes, counts = np.unique(train.labels, return_counts=True)
    needed = max(2, config.shots)
    if len(classes) < 2 or counts.min() < needed:
        few = f"the class {str(classes[counts.argmin()])!r} has {counts.min()}" if len(classes) else "there are none"
        raise BadInput(
            f"{config.on!r}: {needed} pictures a class of two classes or more are needed to learn from (two for the probe, and"
            f" --shots {config.shots}), and {few}: add some, or give smaller --shots."
        )
    for name, each in tested.items():
        unseen = sorted({*each.labels.tolist()} - {*classes.tolist()})
        if unseen:
            raise BadInput(
                f"{name} has the class {unseen[0]!r}, of which no picture is there to learn from: leave it out."
            )


def _shown(session: Session, pictures: _Set) -> Iterator[Image.Image]:
    for image in pictures.images:
        yield session.store.blobs.get_image(image)


def _read(session: Session, labelled: Sequence[LabelledPicture]) -> _Set:
    images, labels = [], []
    for each in labelled:
        try:
            images.append(read_picture(Path(each.path), session.store.blobs).blob)
            labels.append(each.label)
        except BadInput as error:
            session.notes.append(f"left out: {error}")
    return _Set(images, np.array(labels, dtype=str))


def _half(labels: NDArray[np.str_], seed: int) -> NDArray[np.bool_]:
    rng, held = np.random.default_rng(seed), np.zeros(len(labels), dtype=bool)
    for each in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == each))
        if len(places) < 2:
            raise BadInput(
                f"the class {str(each)!r} has one picture, and needs one to learn from and one to test: add some."
            )
        held[places[: len(places) // 2]] = True
    return held


def _apart(tested: _Set, known: set[str], name: str, session: Session) -> _Set:
    """Without pictures that are learned from as well: the same file in both would make a probe look better than it is."""
    new = np.array([image.sha256 not in known for image in tested.images], dtype=bool)
    if not new.any():
        raise BadInput(f"each picture of {name} is learned from as well: give pictures to test that are others.")
    if not new.all():
        session.notes.append(f"{counted(int((~new).sum()), 'picture')} of {name} left out: learned from as well.")
    return tested.part(new)


async def _judge(context: _Context, id: str, spec: str) -> EncoderTask | None:
    if context.session.budget.exhausted():
        return None
    config, encoder = context.config, context.encoders[spec]
    sets = {"train": context.train, "test": context.test, **{f"shifted {n}": s for n, s in context.shifted.items()}}
    of, done = sum(len(each.images) for each in sets.values()), 0
    features = {}
    async with context.passing:  # what is made of the features of one encoder is made beside the passes of the next
        for name, each in sets.items():
            rows: list[list[float]] = []
            for start in range(0, len(each.images), _CHUNK):
                rows += await encoder.images(each.images[start : start + _CHUNK])
                done = done + len(each.images[start : start + _CHUNK])
                context.session.emit(Progressed(text=f"pictures by {spec}", done=done, of=of))
            features[name] = np.array(rows, dtype=np.float64)
    zero, why = await _by_name(context, encoder, features["test"])
    if why:
        context.session.notes.append(f"{spec} has no zero-shot accuracy: {why}.")
    x, y, at, truth = features["train"], context.train.labels, features["test"], context.test.labels

    def judged() -> EncoderTask:
        penalties = [chosen_penalty(x, y, seed=seed) for seed in range(config.seeds)]
        tests = {"test": (at, truth)}
        tests |= {name: (features[f"shifted {name}"], each.labels) for name, each in context.shifted.items()}
        by_seed = probes(x, y, tests, penalties)
        few = k_shot(x, y, at, truth, k=config.shots, draws=config.draws)
        first = by_seed[0]["test"]
        return EncoderTask(
            id=id,
            encoder=spec,
            size=x.shape[1],
            probe=first.reading.accuracy,
            penalty=first.penalty.strength,
            penalty_at_edge=first.penalty.at_edge,
            probe_by_seed=tuple(float(np.mean(each["test"].reading.correct)) for each in by_seed),
            correct=first.reading.correct,
            worst_class=first.reading.worst[0],
            worst=first.reading.worst[1],
            knn=knn(x, y, at, truth, k=config.neighbours).accuracy,
            k_shot=few.reading.accuracy,
            k_shot_spread=few.spread or 0.0,
            zero_shot=zero,
            no_zero_shot=why,
            shifted={name: by_seed[0][name].reading.accuracy for name in context.shifted},
        )

    return await asyncio.to_thread(judged)


async def _by_name(context: _Context, encoder: Any, test: NDArray[np.float64]) -> tuple[Estimate | None, str]:
    """Zero-shot accuracy, or why there is none: what knows no words is not scored 0."""
    if not hasattr(encoder, "texts"):
        return None, "it has no text encoder"
    classes = np.unique(context.train.labels).tolist()
    words = [re.sub(r"[_\s]+", " ", each) for each in classes]
    names = await class_vectors(encoder, words, [context.config.template])
    return zero_shot(test, context.test.labels, classes, names).accuracy, ""


def _summary(context: _Context, mapped: Mapped[EncoderTask]) -> Mapping[str, Any]:
    tasks = [*mapped.results.values()]
    return {
        "train": len(context.train.images),
        "test": len(context.test.images),
        "classes": tuple(np.unique(context.train.labels).tolist()),
        "ranking": ranking({task.encoder: task.correct for task in tasks}) if tasks else None,
    }


encoders = Loop(
    name="encoders",
    config=CompareConfig,
    result=CompareResult,
    inputs=_specs,
    open=_open,
    work=_judge,
    summary=_summary,
    checkpoints=False,
    shareable=False,
    brief="encoders compared on labelled pictures",
)
