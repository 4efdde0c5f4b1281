"""Retrieval test sets in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv` (Thakur et al. 2021).

Judgements also come as TREC has them (`query 0 document grade`). What cannot be read is named with file and line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..runtime.errors import BadInput
from ..runtime.passages import Passage

__all__ = ["read_corpus", "read_qrels", "read_queries"]


def read_corpus(path: Path) -> Iterator[Passage]:
    """Each document as one passage under its own id: `_id`, `title`, `text`, and `metadata` where it is plain.

    Raises:
        BadInput: the file or a line cannot be read, or an id comes twice; raised when its turn comes.
    """
    seen: set[str] = set()
    for number, row in _rows(path):
        key = _text(path, number, row, "_id")
        if key in seen:
            raise BadInput(f"{path}:{number}: the document {key!r} comes twice.")
        seen.add(key)
        text, title = str(row.get("text") or ""), str(row.get("title") or "")
        if not text.strip() and not title.strip():
            continue  # nothing to find it by; some sets hold such documents
        body = text if text.strip() else title
        yield Passage(id=key, document=key, text=body, end=len(body), title=title if text.strip() else "")


def read_queries(path: Path) -> dict[str, str]:
    """By query id, its text."""
    queries: dict[str, str] = {}
    for number, row in _rows(path):
        key = _text(path, number, row, "_id")
        if key in queries:
            raise BadInput(f"{path}:{number}: the query {key!r} comes twice.")
        queries[key] = _text(path, number, row, "text")
    return queries


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """By query id, the judgements by document id; a heading line is skipped."""
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) == 4:
            fields = [fields[0], fields[2], fields[3]]
        fields = [field.strip() for field in fields]
        if number == 1 and len(fields) == 3 and fields[2].lower() in ("score", "grade", "relevance", "label"):
            continue
        try:
            query, document, grade = fields[0], fields[1], int(fields[2])
            if len(fields) != 3 or not query or not document:
                raise ValueError
        except (ValueError, IndexError):
            raise BadInput(
                f"{path}:{number}: {line[:120]!r} is no judgement: give query id, document id and a whole number, with tabs."
            ) from None
        qrels.setdefault(query, {})[document] = grade
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
    value = row.get(name, row.get("id") if name == "_id" else None)
    if not isinstance(value, str | int) or not str(value).strip():
        raise BadInput(f"{path}:{number}: {name!r} is missing or empty.")
    return str(value)
