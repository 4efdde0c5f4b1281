"""The files of VQA benchmarks: human answers (VQA, OK-VQA, A-OKVQA) and predictions, in the forms they are published in."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import decoded, json_of, lines_of
from ...tools.data import human_answers
from .accuracy import Asked, Human, VQARule

__all__ = ["asked_of", "has_answers", "read_asked", "read_json", "read_predictions"]

_LINES = (".jsonl", ".ndjson")


def read_asked(path: Path) -> list[Asked]:
    """The questions of an annotation file.

    Forms: the official `{"annotations": [{"question_id", "answers": [{"answer", "answer_id"}]}]}`; a list of
    `{"question_id", "answers": [texts]}`; A-OKVQA's list with `direct_answers`, `choices`, `correct_choice_idx`.

    Raises:
        BadInput: the file is not there, no JSON, or a row has another form; it names the row.
    """
    content = read_json(path)
    rows = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{str(path)!r} holds no annotations: give a list of questions or {{'annotations': [...]}}.")
    asked = []
    for place, row in enumerate(rows):
        try:
            asked.append(asked_of(row))
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise BadInput(
                f"{str(path)!r}: row {place} is no annotated question ({type(error).__name__}: {error}): {row!r:.200}"
            ) from None
    _once(path, (question.id for question in asked), "annotated")
    return asked


def read_predictions(path: Path, rule: VQARule) -> dict[str, str]:
    """Question id to answer, of a list of `{"question_id", "answer"}` or a dict of answers by id.

    An answer may be A-OKVQA's `{"direct_answer", "multiple_choice"}`: the rule says which is meant.

    Raises:
        BadInput: the file is not there, no JSON, a row has another form, or a question is answered twice.
    """
    field = _field(rule)
    found = {}
    for key, value in _answers(path):
        answer = value.get(field) if isinstance(value, dict) else value
        if isinstance(answer, bool) or not isinstance(answer, str | int | float):
            raise BadInput(
                f"{str(path)!r}: the answer to question {key!r} is no text: {value!r:.200}. A question that was not answered"
                " is left out; it counts 0 and is counted as missing."
            )
        found[key] = str(answer)
    return found


def has_answers(path: Path, rule: VQARule) -> bool:
    """Whether a prediction file holds what the rule scores: one of choices alone has no direct answers. Raises `BadInput`."""
    return any(not isinstance(value, dict) or _field(rule) in value for _, value in _answers(path))


def _field(rule: VQARule) -> str:
    return "multiple_choice" if rule.count == "choice" else "direct_answer"


def _answers(path: Path) -> list[tuple[str, Any]]:
    """Question id and answer, as the file has them."""
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("results"), list):
        content = content["results"]
    if isinstance(content, list):
        rows = []
        for place, row in enumerate(content):
            if not isinstance(row, dict) or "question_id" not in row:
                raise BadInput(f"{str(path)!r}: row {place} has no 'question_id': {row!r:.200}")
            rows.append((str(row["question_id"]), row.get("answer", row)))
    elif isinstance(content, dict):
        rows = [(str(key), value) for key, value in content.items()]
    else:
        raise BadInput(f"{str(path)!r} holds no predictions: give a list of question_id and answer.")
    if not rows:
        raise BadInput(f"{str(path)!r} holds no predictions.")
    _once(path, (key for key, _ in rows), "answered")
    return rows


def asked_of(row: dict[str, Any]) -> Asked:
    """One annotated question; KeyError, TypeError, IndexError or ValueError for a row of another form."""
    given = row["direct_answers"] if "direct_answers" in row else row["answers"]
    humans = tuple(Human(text=text, id=id) for text, id in human_answers(given))
    choices = tuple(str(choice) for choice in row.get("choices") or ())
    place = row.get("correct_choice_idx")
    return Asked(
        id=str(row["question_id"]),
        question=str(row.get("question", "")),
        humans=humans,
        difficult=str(row.get("difficult_direct_answer", False)).lower() in ("true", "1"),  # some exports write texts
        choices=choices,
        correct=None if place is None or not choices else choices[int(place)],
    )


def _once(path: Path, ids: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for key in ids:
        if key in seen:
            raise BadInput(f"{str(path)!r}: the question {key!r} is {what} twice; keep one of them.")
        seen.add(key)


def read_json(path: Path) -> Any:
    """The JSON of a file, or of the only one in a zip, as official files are published; of JSON lines (`.jsonl`) the list.

    Raises:
        BadInput: the file cannot be read; it names the line.
    """
    try:
        data = _unzipped(path) if zipfile.is_zipfile(path) else path.read_bytes()
        text = decoded(data, repr(str(path)))
        return json_of(text) if path.suffix not in _LINES else list(_of_lines(path, text))
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(f"the zip {str(path)!r} is damaged: {error}.") from None
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is no JSON: {error}.") from None


def _of_lines(path: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(lines_of(text), start=1):
        try:
            if line.strip():
                yield json_of(line)
        except ValueError as error:
            raise BadInput(f"{str(path)!r}, line {number} is no JSON: {error}.") from None


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as packed:
        names = [name for name in packed.namelist() if name.endswith(".json") and not name.startswith("__MACOSX")]
        if len(names) != 1:
            raise BadInput(
                f"the zip {str(path)!r} holds {len(names)} JSON files ({', '.join(names[:5])}): unpack the one that is meant."
            )
        return packed.read(names[0])
