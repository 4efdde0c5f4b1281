"""Retrieval test sets in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv` (Thakur et al. 2021).

Judgements also come as TREC has them (`query 0 document grade`). What cannot be read is named with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.passages import Passage

__all__ = ["read_corpus", "read_qrels", "read_queries"]

_LONGEST = 512  # letters of a passage's id


def read_corpus(path: Path) -> Iterator[Passage]:
    """Each document as one passage under its own id: `_id` (a text or a number), `title` and `text`.

    One without words is left out, some sets hold such documents; so is one that comes again as it was.

    Raises:
        BadInput: the file or a line cannot be read, an id is too long, or comes again with other words; raised when its
            turn comes.
    """
    seen: dict[str, int] = {}
    for number, row in _rows(path):
        key = _text(path, number, row, "_id")
        if len(key) > _LONGEST:
            raise BadInput(f"{path}:{number}: the id {key[:40]!r}... has {len(key)} letters; {_LONGEST} are the most.")
        if "text" not in row and "title" not in row:
            raise BadInput(f"{path}:{number}: the document {key!r} has no 'text' and no 'title'.")
        text, title = (_words(path, number, row, name) for name in ("text", "title"))
        if key in seen:
            if seen[key] == hash((text, title)):
                continue
            raise BadInput(f"{path}:{number}: the document {key!r} comes twice, with other words: keep one of the two.")
        seen[key] = hash((text, title))
        if not text.strip() and not title.strip():
            continue
        body = text if text.strip() else title
        yield Passage(id=key, document=key, text=body, end=len(body), title=title if text.strip() else "")


def read_queries(path: Path) -> dict[str, str]:
    """By query id, its text; `BadInput` where the file or a line cannot be read, or an id comes again with another text."""
    queries: dict[str, str] = {}
    for number, row in _rows(path):
        key, text = _text(path, number, row, "_id"), _text(path, number, row, "text")
        if queries.setdefault(key, text) != text:
            raise BadInput(f"{path}:{number}: the query {key!r} comes twice, with other words: keep one of the two.")
    return queries


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """By query id, the judgements by document id; a heading is skipped, of two judgements of a pair the last counts.

    Raises:
        BadInput: the file or a line cannot be read, or there is no judgement.
    """
    qrels: dict[str, dict[str, int]] = {}
    first = True
    for number, line in _lines(path):
        fields = [field.strip() for field in (line.rstrip().split("\t") if "\t" in line else line.split())]
        if len(fields) == 4:
            fields = [fields[0], fields[2], fields[3]]
        heading = first and len(fields) == 3 and not any(letter.isdecimal() for letter in fields[2])
        first = False
        if heading:
            continue
        try:
            query, document, grade = fields[0], fields[1], float(fields[2])  # some files have 1.0
            if len(fields) != 3 or not query or not document or not grade.is_integer():
                raise ValueError
        except (ValueError, IndexError):
            raise BadInput(
                f"{path}:{number}: {line[:120]!r} is no judgement: give query id, document id and a whole number, with tabs."
            ) from None
        qrels.setdefault(query, {})[document] = int(grade)
    if not qrels:
        raise BadInput(f"{str(path)!r} holds no judgements.")
    return qrels


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    found = False
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadInput(f"{path}:{number}: no JSON: {error}.") from None
        if not isinstance(row, dict):
            raise BadInput(f"{path}:{number}: an object such as {{'_id': ..., 'text': ...}} is needed.")
        found = True
        yield number, row
    if not found:
        raise BadInput(f"{str(path)!r} is empty.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as opened:
            for number, line in enumerate(opened, start=1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{str(path)!r} is not UTF-8: {error.reason} at byte {error.start}.") from None


def _text(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    """A field that must be there; `id` does for `_id`."""
    text = _words(path, number, row, "id" if name not in row and name == "_id" else name)
    if not text.strip():
        raise BadInput(f"{path}:{number}: {name!r} is missing or empty.")
    return text


def _words(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    """A field as text, empty where it is not there; half a letter (a lone surrogate) becomes a question mark."""
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f"{path}:{number}: {name!r} must be a text, not {json.dumps(value)[:80]}.")
    return str(value).encode("utf-8", "replace").decode("utf-8")
