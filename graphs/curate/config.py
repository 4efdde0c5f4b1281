"""What is cleaned, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import field_validator

from ...runtime.session import RunConfig, option
from ...tools.curation import ISSUES, Choice, Rule

__all__ = ["CurateConfig"]


PROPOSE = "propose"
"""`groups` where a language model proposes them."""


class CurateConfig(RunConfig):
    """What is cleaned, and how."""

    SUBJECT: ClassVar[str] = "folder"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("clip",)
    FOLDERS: ClassVar[tuple[str, ...]] = ("folder", "to", "test", "like", "captions", "pool")

    folder: Annotated[str, option("a folder of pictures, with its sub-folders", metavar="FOLDER", optional=True)]
    to: Annotated[
        str, option("a new folder for the kept set: links, a table, metadata (default: none is written)", "what is written", "DIR")
    ] = ""  # fmt: skip
    test: Annotated[
        str, option("pictures of a test set: what is a copy of one of them goes", "what goes", "FOLDER")
    ] = ""
    like: Annotated[
        str, option("examples: what is like these pictures alone stays, or with --pool joins", "what is wanted", "FOLDER")
    ] = ""  # fmt: skip
    query: Annotated[
        str, option('the same by words, with semicolons: "a photo of a boat; a photo of a harbour"', "what is wanted", "TEXTS")
    ] = ""  # fmt: skip
    pool: Annotated[
        str, option("a folder of pictures, or the URL of an index of pictures: what is like the examples, the queries, or without these"
                    " like the pictures of FOLDER, joins them", "what is wanted", "FOLDER|URL")
    ] = ""  # fmt: skip
    by: Annotated[
        Literal["auto", "samples", "clusters"],
        option("samples: the nearest of each example and query; clusters: whole clusters that two of them fall into; auto: clusters"
               " where there are 12 examples", "what is wanted"),
    ] = "auto"  # fmt: skip
    each: Annotated[
        int | None, option("the nearest of each (default: 4 of an example, 16 of a query)", "what is wanted", "N", ge=1)
    ] = None  # fmt: skip
    balance: Annotated[
        int | None, option("keep N pictures in all, drawn evenly over clusters of clusters", "what goes", "N", ge=1)
    ] = None  # fmt: skip
    captions: Annotated[
        str, option("a table with a picture's name (image) and its caption; captions that do not fit are left out", "what goes", "FILE")
    ] = ""  # fmt: skip
    labels: Annotated[
        str, option("the class of each picture: a column of the table of --captions, or 'folder' for its sub-folder; labels that do not"
                    " fit are told, and whose accuracy a cleaning costs", "groups", "NAME")
    ] = ""  # fmt: skip
    drop: Annotated[
        tuple[str, ...], option(f"issues for which a picture goes, with commas: {', '.join(ISSUES)}", "what goes", "NAMES")
    ] = ()  # fmt: skip
    copies: Annotated[
        Literal["pixels", "meaning", "exact"],
        option("what a copy is: pixels: the same picture, cropped, mirrored, saved again, recoloured; meaning: near for the"
               " encoder (SemDeDup); exact: the same pixels alone", "near copies"),
    ] = "pixels"  # fmt: skip
    threshold: Annotated[
        float | None, option("the score above which two are copies (default: found by planted copies)", "near copies", "X", ge=-1, le=1)
    ] = None  # fmt: skip
    remove: Annotated[
        str, option("the share that near copies may take, as 30%, instead of a threshold", "near copies", "SHARE")
    ] = ""
    rule: Annotated[Rule, option("greedy, as the released code of SemDeDup, or one a connected component", "near copies")] = "greedy"  # fmt: skip
    keep: Annotated[
        Literal["largest", "hard", "easy", "random"],
        option("which copy stays: the one of most pixels, far from or near to its cluster's centre, or any", "near copies"),
    ] = "largest"  # fmt: skip
    groups: Annotated[
        str, option('groups in words, with semicolons: "a photo of a woman; a photo of a man"; of copies the one stays that serves them. propose: --llm'
                    " proposes some from captions, and with --review a person confirms them", "groups", "TEXTS")
    ] = ""  # fmt: skip
    floor: Annotated[
        str, option("the share of what stays that each group has at least, as 20%: near copies of a group below it stay", "groups", "SHARE")
    ] = ""  # fmt: skip
    choice: Annotated[Choice, option("matched: shares stay as they were; fairdedup: as published", "groups")] = (
        "matched"
    )
    clip: Annotated[str, option("embeds pictures and groups: mini, a folder or a hub id", "who does what", "ID")] = (
        "mini"
    )
    filter: Annotated[
        str, option("judges captions: clip (the cosine of --clip), or itm or itm:ID (image-text matching of a BLIP)", "who does what", "NAME")
    ] = "clip"  # fmt: skip
    vqa: Annotated[
        str, option("answers the questions of borderline captions: mini, a folder, hub id or URL (default: none)", "who does what", "ID")
    ] = ""  # fmt: skip
    captioner: Annotated[
        str, option("writes the captions of pictures whose own do not fit (default: none)", "who does what", "ID")
    ] = ""
    llm: Annotated[
        str, option("a language model that names themes, proposes groups, and says what is missing (default: none)", "who does what", "ID")
    ] = ""  # fmt: skip
    review: Annotated[bool, option("ask before anything is written; the threshold can be changed then")] = False
    seed: Annotated[int, option("of what is planted and drawn", ge=0)] = 0
    in_flight: Annotated[int, option("one folder at a time", flag=False, ge=1, le=1)] = 1

    @field_validator(*FOLDERS, mode="before")
    @classmethod
    def _absolute(cls, path: object) -> object:
        """A text or a path; a run may be resumed from another folder."""
        if isinstance(path, str) and _is_url(path):
            return path
        return str(Path(path).absolute()) if isinstance(path, str | Path) and str(path) else path

    @field_validator("filter")
    @classmethod
    def _filter(cls, name: str) -> str:
        if name.partition(":")[0] not in ("clip", "itm") or name.startswith("clip:"):
            raise ValueError(f"{name!r} is no filter: give clip, itm or itm:ID")
        return name

    @field_validator("drop")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ISSUES:
                raise ValueError(f"{name!r} is no issue: give some of {', '.join(ISSUES)}")
        return names

    @field_validator("remove", "floor")
    @classmethod
    def _share(cls, text: str) -> str:
        if text:
            number = text.strip().removesuffix("%")
            try:
                value = float(number) / (100 if text.strip().endswith("%") else 1)
            except ValueError:
                value = -1.0
            if not 0 <= value < 1:
                raise ValueError(f"{text!r} is no share: give one such as 30% or 0.3")
        return text

    @property
    def share(self) -> float | None:
        """`remove` as a number from 0 to 1."""
        return _number(self.remove)

    @property
    def lowest(self) -> float | None:
        """`floor` as a number from 0 to 1."""
        return _number(self.floor)

    @property
    def queries(self) -> tuple[str, ...]:
        """The queries, each once."""
        return tuple(dict.fromkeys(" ".join(text.split()) for text in self.query.split(";") if text.strip()))

    @property
    def wants(self) -> bool:
        """Whether something is looked for."""
        return bool(self.like or self.query or self.pool)

    @property
    def pool_is_index(self) -> bool:
        """Whether the pool is an index and no folder."""
        return _is_url(self.pool)

    @property
    def proposes(self) -> bool:
        """Whether groups are proposed and confirmed, and not given."""
        return self.groups.strip() == PROPOSE

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups that were given, each once."""
        if self.proposes:
            return ()
        return tuple(dict.fromkeys(" ".join(name.split()) for name in self.groups.split(";") if name.strip()))

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The folder comes first, as text or path."""
        return {cls.SUBJECT: str(values[0])} if len(values) == 1 else super().subjects(*values)


def _is_url(text: str) -> bool:
    if ":" not in text:
        return False
    from ...tools.index import is_url  # a tenth of a second, which no other run needs

    return is_url(text)


def _number(share: str) -> float | None:
    text = share.strip()
    return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1) if text else None
