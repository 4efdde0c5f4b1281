"""Rows that caption data is made of: a picture, what is asked about it, what people answer, and what people say of it.

A file is JSONL, or Parquet where pyarrow is there. Columns: `question` and `answers` (texts, one text, or VQA's `[{"answer": ...}]`), `captions`
(what people say of the picture without being asked), `caption` (the one to learn), `image` (a path from the file's folder)
and `id`. Which of them a row must have is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...runtime.text import json_of, lines_of, read_text
from .human_answers import human_answers
from .tables import read_table

__all__ = ["CaptionRow", "read_caption_rows"]

_LONGEST = 2_000


class CaptionRow(Record):
    """One row. `image` is an absolute path; `question` None: a caption that nobody asked for."""

    id: str
    image: str | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    caption: str | None = None


def read_caption_rows(path: Path, *, needs: Collection[str] = ()) -> list[CaptionRow]:
    """The rows of a file, each with the columns `needs`; pictures that are needed must be files.

    Raises:
        BadInput: no such file, no rows, a row that lacks a column or holds something else, two rows of one id, no such picture.
        PrerequisiteError: a Parquet file, and pyarrow is missing.
    """
    rows: list[CaptionRow] = []
    seen: set[str] = set()
    for place, content in enumerate(_contents(path), start=1):
        row = _row(content, place, path)
        where = f"{str(path)!r}, row {place} ({row.id})"
        if row.id in seen:
            raise BadInput(f"{where}: the id {row.id!r} is there twice: give each row one of its own.")
        seen.add(row.id)
        for name in needs:
            if not getattr(row, name):
                raise BadInput(f"{where} has no {name!r}: give it in every row.")
        if "image" in needs and not Path(row.image or "").is_file():
            raise BadInput(f"{where}: the picture {row.image!r} is not there; paths are taken from the file's folder.")
        rows.append(row)
    if not rows:
        raise BadInput(f"{str(path)!r} has no rows: give at least one.")
    return rows


def _contents(path: Path) -> list[Any]:
    if path.suffix == ".parquet":
        return list(read_table(path))
    rows = []
    for number, line in enumerate(lines_of(read_text(path)), start=1):
        if line.strip():
            try:
                rows.append(json_of(line))
            except ValueError as error:
                raise BadInput(f"{str(path)!r}, line {number} is no JSON: {error}.") from None
    return rows


def _row(content: Any, place: int, path: Path) -> CaptionRow:
    where = f"{str(path)!r}, row {place}"
    if not isinstance(content, dict):
        raise BadInput(f"{where} is no object: write one {{...}} a line.")
    image = _text(content, "image", where)
    question = _text(content, "question", where)
    if question is not None and len(question) >= _LONGEST:
        raise BadInput(f"{where}: the question has {len(question)} characters; give fewer than {_LONGEST}.")
    return CaptionRow(
        id=_text(content, "id", where) or str(place),
        image=None if image is None else str((path.parent / image).resolve()),
        question=question,
        answers=_answers(content, where),
        captions=_texts(content, "captions", where),
        caption=_text(content, "caption", where),
    )


def _text(content: dict[str, Any], name: str, where: str) -> str | None:
    value = content.get(name)
    if isinstance(value, int) and name == "id":
        return str(value)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{where}: {name!r} is {value!r:.80}, and must be a text.")
    return " ".join(value.split()) or None if value is not None else None


def _answers(content: dict[str, Any], where: str) -> tuple[str, ...]:
    value = content.get("answers") or []
    try:
        texts = [value] if isinstance(value, str) else [text for text, _ in human_answers(value)]
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{where}: 'answers' is {value!r:.80}, and must be a list of texts.") from None
    return tuple(clean for text in texts if (clean := " ".join(text.split())))


def _texts(content: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = content.get(name) or []
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BadInput(f"{where}: {name!r} is {value!r:.80}, and must be a list of texts.")
    return tuple(clean for entry in value if (clean := " ".join(entry.split())))
