"""What goes with the questions of a VQA data set, from files: captions, an oracle's captions and passages, candidate answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from .files import read_json
from .sets import VQAItem, captions_of, ocr_of, tags_of

__all__ = ["with_candidates", "with_captions", "with_oracle"]

_IDS = ("question_id", "image_id", "id", "_id")


def with_captions(items: Sequence[VQAItem], path: Path) -> list[VQAItem]:
    """The items with the captions of a file, by question or by picture.

    Forms: `{id: caption or [captions]}`; rows with `question_id` or `image_id` and `caption`, `captions`, `vinvl_caption` or
    `question_related_captions` (a list, JSON lines, or COCO's `{"annotations": [...]}`). Tags come from `tags` or `vinvl_tags`,
    what is written in the picture from `ocr` or `ocr_tokens`.

    Raises:
        BadInput: the file cannot be read, or has no caption for some of the questions.
    """
    captions, tags, texts = _captions(path)
    found, lacking = [], []
    # an id of no kind is a question's or a picture's, in the whole file: some questions have the number of another's picture
    either = "id" if all(f"?:{item.id}" in captions for item in items) else "image_id"
    for item in items:
        keys = (f"q:{item.id}", f"i:{item.image_id}", f"?:{getattr(item, either)}")
        given = next((captions[key] for key in keys if key in captions), ())
        if not given:
            lacking.append(item.id)
        tagged = next((tags[key] for key in keys if key in tags), item.tags)
        written = next((texts[key] for key in keys if key in texts), item.ocr)
        found.append(item.model_copy(update={"captions": tuple(given), "tags": tagged, "ocr": written}))
    if lacking:
        raise BadInput(
            f"{str(path)!r} has no caption for {len(lacking)} of {len(items)} questions ({', '.join(lacking[:3])}): is it of"
            " another data set?"
        )
    return found


def with_oracle(items: Sequence[VQAItem], path: Path) -> list[VQAItem]:
    """The items with what an oracle would say: rows of `question_id`, `caption` and `passage` (an id or several).

    Raises:
        BadInput: the file cannot be read, or is about none of the questions.
    """
    rows = {}
    for row in _rows(path):
        key = next((str(row[name]) for name in ("question_id", "id", "_id") if name in row), None)
        if key is not None:
            rows[key] = row
    if not any(item.id in rows for item in items):
        raise BadInput(f"{str(path)!r} is about none of the {len(items)} questions: is it of another data set?")
    found = []
    for item in items:
        row = rows.get(item.id, {})
        caption = next((str(row[name]) for name in ("caption", "oracle_caption") if row.get(name)), "")
        passages = next(
            (row[name] for name in ("passage", "passages", "passage_id", "passage_ids") if row.get(name)), ()
        )
        ids = (passages,) if isinstance(passages, str) else tuple(str(each) for each in passages)
        found.append(item.model_copy(update={"oracle_caption": caption, "oracle_passages": ids}))
    return found


def with_candidates(items: Sequence[VQAItem], path: Path) -> list[VQAItem]:
    """The items with likely answers, as Prophet's first stage writes them: `{question_id: [{"answer", "confidence"}, ...]}`.

    Raises:
        BadInput: the file has another form, or no candidates for some of the questions.
    """
    content = read_json(path)
    found, lacking = [], []
    for item in items:
        rows = content.get(item.id) if isinstance(content, dict) else None
        try:
            given = tuple((str(row["answer"]), min(1.0, max(0.0, float(row["confidence"])))) for row in rows or ())
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                f"{str(path)!r}: the candidates of question {item.id!r} are no list of 'answer' and 'confidence': {rows!r:.200}"
            ) from None
        if not given:
            lacking.append(item.id)
        found.append(item.model_copy(update={"candidates": given}))
    if lacking:
        raise BadInput(
            f"{str(path)!r} has no candidates for {len(lacking)} of {len(items)} questions ({', '.join(lacking[:3])}): is it of"
            " another data set?"
        )
    return found


def _captions(path: Path) -> tuple[dict[str, list[str]], dict[str, str], dict[str, str]]:
    """By key ("q:" question, "i:" picture, "?:" either) the captions, the tags, and what is written in the picture."""
    captions: dict[str, list[str]] = {}
    tags: dict[str, str] = {}
    texts: dict[str, str] = {}
    for row in _rows(path):
        key = _key(row)
        given = captions_of(row, f"{str(path)!r}: a row ({key})")
        if key is None or not given:
            continue
        captions.setdefault(key, []).extend(given)
        if tagged := tags_of(row):
            tags[key] = tagged
        if written := ocr_of(row):
            texts[key] = written
    if not captions:
        raise BadInput(f"{str(path)!r} holds no captions: give rows of 'question_id' or 'image_id' and 'caption'.")
    return captions, tags, texts


def _key(row: Mapping[str, Any]) -> str | None:
    name = next((name for name in _IDS if name in row), None)
    if name is None:
        return None
    return {"question_id": "q:", "image_id": "i:"}.get(name, "?:") + str(row[name])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of JSON lines, a JSON list, `{"annotations": [...]}`, or `{id: caption}`."""
    content = read_json(path)
    if isinstance(content, dict):
        content = content["annotations"] if isinstance(content.get("annotations"), list) else [
            {"id": key, "caption": value} for key, value in content.items()
        ]  # fmt: skip
    if not isinstance(content, list):
        raise BadInput(f"{str(path)!r} holds no list of rows.")
    for place, row in enumerate(content):
        if not isinstance(row, dict):
            raise BadInput(f"{str(path)!r}: row {place} is no object: {row!r:.200}")
        yield row
