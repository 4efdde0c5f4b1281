"""The pictures that biases are measured on: drawn ones, or one's own."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...mini.world import BACKGROUNDS, DOMAINS, Scene, draw
from ...mini.world.data import SETS
from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from ...tools.data import LabelledPicture, read_labelled, read_picture

if TYPE_CHECKING:
    from ...runtime.session import Session
    from .config import BiasConfig

__all__ = ["Conflict", "Labelled", "Pictures", "conflicts_of", "read_all"]

_GEIRHOS = re.compile(r"(?P<shape>[a-z_ ]+?)\d*-(?P<texture>[a-z_ ]+?)\d*", re.IGNORECASE)
_CONFLICTS = 320  # of the drawn set, of which a quarter are patterns: each pair of two things once


@dataclass(frozen=True)
class Conflict:
    """A picture whose outline says `shape` and whose filling says `texture`."""

    image: BlobRef
    shape: str
    texture: str


@dataclass(frozen=True)
class Labelled:
    """A picture and its class; `elsewhere`: the same scene before another background, where that can be had."""

    image: BlobRef
    label: str
    elsewhere: BlobRef | None = None


@dataclass(frozen=True)
class Pictures:
    """All pictures of a run; a part that was not given is empty."""

    conflicts: tuple[Conflict, ...] = ()
    plain: tuple[Labelled, ...] = ()
    shifted: tuple[Labelled, ...] = ()
    learn: tuple[Labelled, ...] = ()
    classes: tuple[str, ...] = field(default=())


def read_all(config: BiasConfig, session: Session) -> Pictures:
    """The pictures that the config names, in the blob store.

    Raises:
        BadInput: a set that cannot be read, or one class alone.
    """
    found = _drawn(config, session) if config.drawn else _own(config, session)
    named = [each.label for each in (*found.plain, *found.shifted)]
    named += [name for each in found.conflicts for name in (each.shape, each.texture)]
    classes = tuple(sorted({*named}))
    if len(classes) < 2:
        raise BadInput("the pictures are of one class alone: give two or more to tell apart.")
    return replace(found, classes=classes)


def conflicts_of(source: Path) -> list[tuple[str, str, str]]:
    """(path, shape, texture) of each picture: by the columns of a table, else by names as Geirhos et al. 2019 gave them.

    Raises:
        BadInput: a table without these columns, or a picture whose name says no two classes.
    """
    if not source.exists():
        raise BadInput(f"{str(source)!r} does not exist: give a folder of cue-conflict pictures, or a table.")
    is_table = source.is_file() or any((source / f"metadata.{end}").is_file() for end in ("jsonl", "csv", "parquet"))
    if is_table:
        rows = read_labelled(source, label="shape")
        without = next((each for each in rows if not each.columns.get("texture")), None)
        if without is not None:
            raise BadInput(f"{without.path!r} has no texture: the table must say what fills each picture (texture).")
        return [(each.path, each.label, each.columns["texture"]) for each in rows]
    named = []
    for each in read_labelled(source):
        match = _GEIRHOS.fullmatch(Path(each.path).stem)
        if match is None or _plain(match["shape"]) != _plain(each.label):
            raise BadInput(
                f"{each.path!r} lies in {each.label!r} and says no shape and texture: name it as {each.label}1-TEXTURE2.png,"
                " or give a table with the columns file_name, shape and texture."
            )
        named.append((each.path, each.label, _plain(match["texture"])))
    return named


def _plain(name: str) -> str:
    return name.strip().lower()


def _own(config: BiasConfig, session: Session) -> Pictures:
    def kept(path: str) -> BlobRef | None:
        try:
            return read_picture(Path(path), session.store.blobs).blob
        except BadInput as error:
            session.notes.append(f"left out: {error}")
            return None

    def labelled(sources: Sequence[str], most: int | None) -> tuple[Labelled, ...]:
        rows: list[LabelledPicture] = []
        for source in sources:
            rows += read_labelled(Path(source), label=config.label)
        if most is not None:
            rows = _some(rows, most, config.seed)
        images = [(kept(each.path), each.label) for each in rows]
        return tuple(Labelled(image, label) for image, label in images if image is not None)

    pairs = (
        [(kept(path), shape, texture) for path, shape, texture in conflicts_of(Path(config.on))] if config.on else []
    )
    return Pictures(
        conflicts=tuple(Conflict(image, shape, texture) for image, shape, texture in pairs if image is not None),
        plain=labelled([config.plain] if config.plain else [], config.pictures),
        shifted=labelled(config.shifted, config.pictures),
        learn=labelled([config.learn] if config.learn else [], None),
    )


def _some(rows: list[LabelledPicture], most: int, seed: int) -> list[LabelledPicture]:
    """At most so many, the classes in turn."""
    rng, by_class = random.Random(seed), dict[str, list[LabelledPicture]]()
    for each in rows:
        by_class.setdefault(each.label, []).append(each)
    for group in by_class.values():
        rng.shuffle(group)
    turns = sorted(((place, label) for label, group in by_class.items() for place in range(len(group))))
    return [by_class[label][place] for place, label in turns[:most]]


def _drawn(config: BiasConfig, session: Session) -> Pictures:
    """Conflicts: each pair of 16 things once. To learn from, and plain: things in their own looks. Shifted: other domains, in turn."""

    def put(scene: Scene) -> BlobRef:
        return session.store.blobs.put_image(draw(scene))

    def scenes(seed: int, split: str) -> list[tuple[Scene, str, str]]:
        planned = [each for each in SETS["cue-conflict"].plan(_CONFLICTS, seed) if each.split == split]
        things = [each for each in planned if each.columns["family"] == "thing"]
        things.sort(key=lambda each: each.name)
        return [(each.scene, str(each.columns["shape"]), str(each.columns["texture"])) for each in things]

    def balanced(seed: int) -> list[tuple[Scene, str]]:
        turns: dict[str, list[Scene]] = {}
        for scene, shape, _ in scenes(seed, "train"):
            turns.setdefault(shape, []).append(scene)
        in_turn = sorted((place, label) for label, group in turns.items() for place in range(len(group)))
        return [(turns[label][place], label) for place, label in in_turn[: config.pictures]]

    grounds, others = list(BACKGROUNDS), DOMAINS[1:]
    first = 3 * config.seed
    return Pictures(
        conflicts=tuple(Conflict(put(scene), shape, texture) for scene, shape, texture in scenes(first, "test")),
        learn=tuple(Labelled(put(scene), shape) for scene, shape, _ in scenes(first, "train")),
        plain=tuple(
            Labelled(put(scene), label, elsewhere=put(_before(scene, grounds, place)))
            for place, (scene, label) in enumerate(balanced(first + 1))
        ),
        shifted=tuple(
            Labelled(put(replace(scene, domain=others[place % len(others)])), label)
            for place, (scene, label) in enumerate(balanced(first + 2))
        ),
    )


def _before(scene: Scene, grounds: Sequence[str], place: int) -> Scene:
    other = [name for name in grounds if name != scene.background]
    return replace(scene, background=other[place % len(other)])
