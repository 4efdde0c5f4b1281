"""What is indexed, where, and by which models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import field_validator

from ...runtime.session import RunConfig, option

__all__ = ["IndexConfig"]


class IndexConfig(RunConfig):
    """What is indexed, where, and by which models."""

    SUBJECT: ClassVar[str] = "folder"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("clip",)

    folder: Annotated[str, option("a folder of documents, or one file", metavar="FOLDER", optional=True)]
    to: Annotated[
        str, option("lancedb:///PATH, qdrant://HOST/NAME, qdrant+file:///PATH, postgresql://HOST/DB", metavar="URL")
    ] = "lancedb:///./index"
    name: Annotated[str, option("the collection (default: the folder's name)", metavar="NAME")] = ""
    embedder: Annotated[str, option("of texts: minilm, a folder, a hub id, a server's URL, or none", metavar="ID")] = (
        "minilm"
    )
    clip: Annotated[str, option("of pictures: mini, a folder, a hub id, or none", metavar="ID")] = "mini"
    captioner: Annotated[
        str,
        option("a vision-language model's URL, folder or hub id: captions pictures without a caption", metavar="ID"),
    ] = ""
    chunk: Annotated[int, option("most characters of a passage", ge=100)] = 900
    max_mb: Annotated[float, option("megabytes; larger files are named and not read", gt=0)] = 64.0
    ocr: Annotated[
        str,
        option(
            "reads PDF pages that have no text or a broken one: rapidocr, or your own; empty: none does", metavar="ID"
        ),
    ] = ""
    encoding: Annotated[str, option("of texts that are not UTF-8 and do not say theirs, as cp1252", metavar="NAME")] = (
        ""
    )
    in_flight: Annotated[int, option("one folder at a time", flag=False, ge=1, le=1)] = 1

    @field_validator("folder")
    @classmethod
    def _absolute(cls, folder: str) -> str:
        """A run may be resumed from another folder."""
        return str(Path(folder).absolute())

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        """A name that no codec has would be told of every file."""
        from ...tools.documents import known_encoding  # readers of documents are not needed to describe the flags

        if encoding and known_encoding(encoding) is None:
            raise ValueError(f"{encoding!r} is no encoding that is known: give one such as cp1252, shift_jis or koi8-r")
        return encoding

    @classmethod
    def subjects(cls, *values: object) -> Mapping[str, Any]:
        """The folder comes first, as text or path."""
        return {cls.SUBJECT: str(values[0])} if len(values) == 1 else super().subjects(*values)
