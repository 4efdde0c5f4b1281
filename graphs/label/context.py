"""What the machine works with: the files, the models, its state, and how the state's addresses are read and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.protocols import Detector, Segmenter, VisualQA
from ...runtime.records import BlobRef, Record
from ...runtime.session import Session, Warned
from ...runtime.text import json_bytes
from ...tools.data import picture_files
from ...tools.labels import PictureLabels, read_labels
from ...tools.segmentation import open_segmenter
from ...tools.vision import foreign_note, open_detector, open_vqa
from .config import LabelConfig
from .export import MANIFEST
from .result import LabelledObject

__all__ = ["LabelContext", "LabelState", "Pictures", "Shown", "Sources", "first_state", "sources_of"]

STATE_VERSION = 1


@dataclass(frozen=True)
class Sources:
    """What was given: the pictures by name under their folder, and the labels that people corrected, by picture."""

    files: tuple[str, ...]
    answers: dict[str, PictureLabels] = field(default_factory=dict)


class Shown(Record):
    """A picture as it is labelled: `picture` is its name, `size` its width and height."""

    picture: str
    image: BlobRef
    size: tuple[int, int]


class Pictures(Record):
    """What was read; by name, why one could not be."""

    shown: tuple[Shown, ...]
    unreadable: dict[str, str] = Field(default_factory=dict)


class LabelState(TypedDict):
    """Where a labelling stands; JSON only. Addresses in the blob store, "" for none: `pictures`, `boxes`, `objects`, `calibration`, `failed`, `labelled`.

    `asked`: the ids of the page that a person is shown, and which of them are `audited`, drawn from the accepted ones.
    """

    version: int
    pictures: str
    boxes: str
    objects: str
    calibration: str
    failed: str
    labelled: str
    asked: list[str]
    audited: list[str]
    reviews: int
    looks: int
    done: bool
    wrong: str
    stop: str


def first_state() -> LabelState:
    """The state of a labelling that has not begun."""
    return LabelState(
        version=STATE_VERSION, pictures="", boxes="", objects="", calibration="", failed="", labelled="", asked=[], audited=[], reviews=0,
        looks=0, done=False, wrong="", stop="",
    )  # fmt: skip


def sources_of(config: LabelConfig) -> Sources:
    """The files of a config, checked.

    Raises:
        BadInput: no pictures, no classes, one twice, a folder that holds something else, or labels of other pictures or classes.
    """
    folder, names = Path(config.folder), config.names
    if not names:
        raise BadInput('no classes: say what is looked for, as in --classes "cup; dog".')
    if twice := next((name for name in names if sum(name.casefold() == each.casefold() for each in names) > 1), None):
        raise BadInput(f"the class {twice!r} is given twice: name each class once.")
    if "?" in config.detector:
        raise BadInput(f"--detector {config.detector!r} takes no options here: --score says how sure it must be.")
    files = tuple(path.relative_to(folder).as_posix() for path in picture_files(folder))
    if config.to:
        to = Path(config.to)
        if to == folder or folder in to.parents:
            raise BadInput(
                f"--to {config.to!r} lies in the folder that is labelled: give one outside of {config.folder!r}."
            )
        if to.exists() and (not to.is_dir() or any(to.iterdir())) and _written_from(to) != config.folder:
            raise BadInput(
                f"--to {config.to!r} holds something else: give a new folder, or one that a labelling of the same folder wrote."
            )
    if config.format == "yolo":
        _no_two_of_one_stem(files)
    answers = read_labels(Path(config.answers)) if config.answers else []
    for each in answers:
        if each.picture not in files:
            raise BadInput(
                f"--import {config.answers!r} has labels of {each.picture!r}, which is no picture in {config.folder!r}."
            )
        for thing in each.things:
            if thing.label not in names:
                raise BadInput(
                    f"--import {config.answers!r} has the class {thing.label!r}, which --classes does not name: {config.classes!r}."
                )
    return Sources(files, {each.picture: each for each in answers})


def _no_two_of_one_stem(files: Sequence[str]) -> None:
    stems: dict[str, str] = {}
    for name in files:
        other = stems.setdefault(str(Path(name).with_suffix("")), name)
        if other != name:
            raise BadInput(
                f"{other!r} and {name!r} would have one file of labels in --format yolo: rename one, or take another format."
            )


def _written_from(to: Path) -> str:
    """The folder whose labels were written into `to`; "" where none were."""
    try:
        return str(json.loads((to / MANIFEST).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True, kw_only=True)
class LabelContext:
    """The session, the models that are used, and what was given; what a node computed is read from its address."""

    config: LabelConfig
    session: Session
    sources: Sources
    detector: Detector
    segmenter: Segmenter
    judge: VisualQA | None

    @classmethod
    def open(cls, config: LabelConfig, session: Session) -> LabelContext:
        """Open the models that the config needs.

        Raises:
            BadInput: a class that the detector does not know.
        """
        brought = session.brought("models", ("detector", "segmenter", "judge"))
        detector: Detector = session.open("detector", open_detector, config.detector)
        if detector.labels is not None and (unknown := [name for name in config.names if name not in detector.labels]):
            raise BadInput(
                f"{detector.model} does not know the class {unknown[0]!r}; it knows {', '.join(detector.labels)}. Open detectors such as"
                " google/owlv2-base-patch16-ensemble look for any words."
            )
        return cls(
            config=config,
            session=session,
            sources=sources_of(config),
            detector=detector,
            segmenter=session.open("segmenter", open_segmenter, config.segmenter),
            judge=session.open("judge", open_vqa, config.judge) if config.judge or "judge" in brought else None,
        )

    def foreign(self, pictures: Sequence[Shown]) -> str:
        """What to say where models of the drawn world are given pictures that they cannot know; "" for nothing."""
        shown = (self.session.store.blobs.get_image(each.image) for each in pictures)
        models = {"--detector": self.detector, "--segmenter": self.segmenter, "--judge": self.judge}
        return foreign_note(models, shown)

    def tell(self, note: str) -> None:
        """Say something of the whole run, once."""
        if note not in self.session.notes:
            self.session.emit(Warned(text=note))

    def put(self, value: Any) -> str:
        """The address of a record, or of JSON."""
        data = value.model_dump_json().encode() if isinstance(value, Record) else json_bytes(value)
        return self.session.store.blobs.put(data, "application/json").sha256

    def get(self, address: str) -> Any:
        """JSON by its address; an empty object for none."""
        return json.loads(self.session.store.blobs.get(address)) if address else {}

    def pictures(self, state: LabelState) -> Pictures:
        """What was read."""
        return Pictures.model_validate_json(self.session.store.blobs.get(state["pictures"]))

    def objects(self, state: LabelState) -> list[LabelledObject]:
        """All objects, by picture and number."""
        return [LabelledObject.model_validate(row) for row in self.get(state["objects"] or "") or []]

    def put_objects(self, objects: Sequence[LabelledObject]) -> str:
        """The address of objects."""
        return self.put([each.model_dump(mode="json") for each in objects])
