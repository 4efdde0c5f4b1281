"""What can be asked about pictures."""

from __future__ import annotations

from pydantic import Field

from ...evaluators.vqa import SetName
from ...runtime.records import Record
from .models import Roles
from .result import Way

__all__ = ["Asking", "VQAConfig"]


class Asking(Record):
    """One question. `image`: a picture file; `caption`: what it shows, told instead of the captioner's; `tags` and `ocr` (what is
    written in it) are told beside the caption, where `Roles` names no tool that looks for them.
    """

    question: str
    image: str = ""
    caption: str = ""
    tags: str = ""
    ocr: str = ""
    choices: tuple[str, ...] = ()


class VQAConfig(Roles):
    """A run of `inloop vqa`."""

    asked: tuple[Asking, ...] = Field(min_length=1)
    way: Way = Way()
    data: SetName = "okvqa"
    """The form of the file of examples."""
