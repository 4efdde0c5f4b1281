"""What a picture must show, in GenEval's terms: objects with count, colour and place (Ghosh et al. 2023, arXiv 2310.11513).

The 553 published prompts come with their requirements (`evaluation_metadata.jsonl`); a prompt that is worded like one of them
("a photo of a dog right of a teddy bear", "two blue cups") is read by the rules here, which give the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...runtime.text import json_of, lines_of, read_text
from ...tools.vision import COCO, coco_name

__all__ = ["COLORS", "Required", "Requirements", "read_requirements", "requirements_of"]

COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
Relation = Literal["left of", "right of", "above", "below"]
_COUNTS = {
    **{"a": 1, "an": 1, "the": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5},
    **{"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
}
_KIND = re.compile(r"^(?:an? )?(?:photo|photograph|picture|image|drawing|painting) of ")
_PLACE = re.compile(r" (?:is )?(?:(?:to|on) the )?(left of|right of|above|below) ")


class Required(Record):
    """At least `count` objects of `name`; that many of `color`; `position`: (relation, place of the other in `include`)."""

    model_config = ConfigDict(populate_by_name=True, frozen=True, extra="forbid")

    name: str = Field(alias="class", min_length=1)
    count: int = Field(default=1, ge=1)
    color: str | None = None
    position: tuple[Relation, int] | None = None


class Requirements(Record):
    """All of `include` and none of `exclude` (that many objects or more). `tag` "counting": only sure detections count."""

    include: tuple[Required, ...] = Field(min_length=1)
    exclude: tuple[Required, ...] = ()
    tag: str = ""

    @model_validator(mode="after")
    def _refers_back(self) -> Requirements:
        for place, wanted in enumerate(self.include):
            if wanted.position is not None and not 0 <= wanted.position[1] < place:
                raise ValueError(f"the position of {wanted.name!r} refers to no object before it")
        return self

    @classmethod
    def of(cls, row: Mapping[str, Any], what: str) -> Requirements:
        """The requirements in a row of GenEval's metadata; `BadInput` calls it `what`."""
        given = {key: row[key] for key in ("include", "exclude", "tag") if row.get(key)}
        if "exclude" in given:
            given.setdefault("tag", "counting")
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(
                f"{what} holds no GenEval requirements ({'.'.join(map(str, first['loc']))}: {first['msg']})."
            ) from None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of all objects, each once."""
        return tuple(dict.fromkeys(wanted.name for wanted in (*self.include, *self.exclude)))


def read_requirements(path: Path) -> dict[str, Requirements]:
    """By prompt, what a file such as GenEval's `evaluation_metadata.jsonl` asks for; `BadInput` names the line."""
    found = {}
    for number, line in enumerate(lines_of(read_text(path)), start=1):
        if not line.strip():
            continue
        what = f"{str(path)!r}, line {number},"
        try:
            row = json_of(line)
        except ValueError as error:
            raise BadInput(f"{what} is not JSON: {error}.") from None
        if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
            raise BadInput(f"{what} has no prompt.")
        found[row["prompt"]] = Requirements.of(row, what)
    return found


def requirements_of(prompt: str, names: Iterable[str] = COCO) -> Requirements:
    """The requirements of a prompt that is worded as GenEval's are, over objects of these names.

    Raises:
        BadInput: it says more than counts, colours and the place of one object.
    """
    known = frozenset(names)
    text = _KIND.sub("", " ".join(prompt.lower().replace(".", " ").split()))
    pieces = _PLACE.split(text)
    if len(pieces) == 3:
        subject, relation, target = pieces
        moved = _required(subject, known, prompt)
        include = [_required(target, known, prompt), {**moved, "position": (relation, 0)}]
    elif len(pieces) == 1:
        include = [_required(piece, known, prompt) for piece in re.split(r", and |, | and ", text)]
    else:
        raise _unread(prompt, "it says more than one place")
    counted = [wanted for wanted in include if wanted["count"] > 1]
    exclude = [{"class": wanted["class"], "count": wanted["count"] + 1} for wanted in counted]
    return Requirements.of({"include": include, "exclude": exclude, "tag": "counting" if counted else ""}, repr(prompt))


def _required(text: str, known: frozenset[str], prompt: str) -> dict[str, Any]:
    words = text.split()
    count = 1
    if words and (words[0] in _COUNTS or words[0].isdecimal()):
        count = _COUNTS.get(words[0]) or int(words[0][:4])
        words = words[1:]
    found: dict[str, Any] = {"count": count}
    # "orange" is a fruit where nothing follows
    if len(words) > 1 and words[0] in COLORS:
        found["color"] = words[0]
        words = words[1:]
    whole = " ".join(words)
    endings = ((r"$", ""), (r"s$", ""), (r"es$", ""), (r"ies$", "y"), (r"ves$", "fe"), (r"^people$", "person"))
    name = next((n for end, new in endings if (n := coco_name(re.sub(end, new, whole))) in known), None)
    if name is None:
        raise _unread(prompt, f"{text!r} is no object of the detector's, with at most a count and a colour")
    if count < 1:
        raise _unread(prompt, f"{text!r} asks for none")
    return {**found, "class": name}


def _unread(prompt: str, why: str) -> BadInput:
    return BadInput(
        f"what {prompt[:120]!r} requires cannot be read: {why}. Word it as 'a photo of two red cups' or 'a dog left of a bench',"
        " or give the requirements in GenEval's form (columns include and exclude, or --geneval FILE)."
    )
