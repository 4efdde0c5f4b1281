"""What is labelled, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import field_validator

from ...runtime.session import RunConfig, option
from ...tools.labels import Format

__all__ = ["LabelConfig"]


class LabelConfig(RunConfig):
    """What is labelled, and how."""

    SUBJECT: ClassVar[str] = "folder"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    folder: Annotated[str, option("a folder of pictures, with its sub-folders", metavar="FOLDER")]
    classes: Annotated[str, option('what is looked for, with semicolons: "cup; dog"', metavar="WORDS")] = ""
    detector: Annotated[
        str, option("finds boxes: mini (drawn pictures alone), ssd, a folder or hub id such as google/owlv2-base-patch16-ensemble", "who does what", "ID")
    ] = "mini"  # fmt: skip
    segmenter: Annotated[
        str, option("makes masks: mini (drawn pictures alone), sam2-tiny, or a SAM by folder or hub id as facebook/sam2.1-hiera-tiny", "who does what", "ID")
    ] = "mini"  # fmt: skip
    judge: Annotated[
        str, option("is asked about doubtful masks: mini (drawn pictures alone), or a vision-language model (default: none)", "who does what", "ID")
    ] = ""  # fmt: skip
    score: Annotated[
        float, option("boxes that the detector is less sure of are left out; detectors differ in their scale", "the router", "X", ge=0, le=1)
    ] = 0.3  # fmt: skip
    precision: Annotated[
        float, option("the share of what is accepted unseen that is to be right, once people have answered enough", "the router", "X", ge=0.5, le=0.99)
    ] = 0.9  # fmt: skip
    review: Annotated[
        bool, option("ask a person about what stays doubtful, and about a few of the accepted", "people")
    ] = False
    page: Annotated[int, option("masks that a person sees at once", "people", "N", ge=1, le=24)] = 12
    looks: Annotated[int | None, option("masks that a person looks at, at most", "people", "N", ge=1)] = None
    answers: Annotated[
        str, option("labels that people corrected elsewhere: a COCO or Label Studio file, or a folder of YOLO's", "people", "FILE", flag="import")
    ] = ""  # fmt: skip
    to: Annotated[str, option("a new folder for the labels (default: none is written)", "what is written", "DIR")] = ""
    format: Annotated[Format, option("how they are written", "what is written")] = "coco"
    seed: Annotated[int, option("of which masks a person is shown", ge=0)] = 0
    in_flight: Annotated[int, option("one folder at a time", flag=False, ge=1, le=1)] = 1

    @field_validator("folder", "to", "answers", mode="before")
    @classmethod
    def _absolute(cls, path: object) -> object:
        """A text or a path; a run may be resumed from another folder."""
        return str(Path(path).absolute()) if isinstance(path, str | Path) and str(path) else path

    @field_validator("classes", mode="before")
    @classmethod
    def _joined(cls, given: object) -> object:
        return "; ".join(str(each) for each in given) if isinstance(given, list | tuple) else given

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order given."""
        return tuple(" ".join(name.split()) for name in self.classes.split(";") if name.strip())

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The folder comes first, as text or path."""
        return {cls.SUBJECT: str(values[0])} if len(values) == 1 else super().subjects(*values)
