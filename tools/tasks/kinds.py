"""The kinds of task: classification, short answers, multiple choice, extraction to fields.

A task of one's own is one Python file with a subclass of `Task` and an instance called `task` (`open_task`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from ...runtime.errors import BadInput
from ...runtime.own_code import run_file
from ...runtime.records import Row
from .answers import as_number, same_words
from .base import NoAnswer, Task, Verdict
from .choice_words import choice_words
from .extraction import Extraction

__all__ = [
    "KINDS",
    "Classification",
    "Extraction",
    "MultipleChoice",
    "NoAnswer",
    "ShortAnswer",
    "Task",
    "Verdict",
    "open_task",
    "slip_of",
]


class Classification(Task):
    """One of `labels`. An answer may differ from its label in case, blanks and a full stop at the end."""

    kind: Literal["classification"] = "classification"
    template: str = "rows/student_classification"
    labels: tuple[str, ...]

    @field_validator("labels")
    @classmethod
    def _several(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len({label for label in labels if label.strip()}) < max(2, len(labels)):
            raise ValueError("give two or more labels that differ, none of them empty")
        return labels

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Classification:
        """The task whose labels are those of `rows`.

        Raises `BadInput` for no rows, rows of one label, and a rare label that looks like a slip of a frequent one (`slip_of`).
        """
        counts = Counter(row.label for row in rows)
        if not counts:
            raise BadInput("there are no rows: give at least a few labelled examples of each class.")
        if len(counts) == 1:
            raise BadInput(f"all {len(rows)} rows have the label {rows[0].label!r}: there is nothing to tell apart.")
        for label, count in sorted(counts.items()):
            if close := slip_of(label, count, counts):
                first = next(place for place, row in enumerate(rows, start=1) if row.label == label)
                raise BadInput(
                    f"row {rows[first - 1].id!r} (the {first}. of {len(rows)}): the label {label!r} comes {_times(count)}"
                    f" and {close!r} {_times(counts[close])}. Did you mean {close!r}? If they are two classes, name all"
                    " labels (--labels)."
                )
        return cls(labels=tuple(sorted(counts)))

    def read(self, said: str, row: Row | None = None) -> str:
        """See `Task`."""
        plain = said.strip()
        if plain in self.labels:
            return plain
        folded = _folded(plain)
        found = [label for label in self.labels if _folded(label) == folded]
        if len(found) == 1:
            return found[0]
        if not plain:
            raise NoAnswer("nothing was written.")
        close = _meant(plain, self.labels)
        raise NoAnswer(
            f"{plain[:60]!r} is none of the labels {', '.join(self.labels[:20])}{', ...' if len(self.labels) > 20 else ''}."
            + (f" Did you mean {close!r}?" if close else "")
        )

    def row(self, name: str, text: str, label: str, /, **meta: Any) -> Row:
        """See `Task`."""
        row = super().row(name, text, label, **meta)
        return row.model_copy(update={"label": self.read(label)})

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """See `Task`."""
        checked = super().check(rows)
        if len({row.label for row in checked}) == 1:
            raise BadInput(f"all {len(rows)} rows have the label {rows[0].label!r}: there is nothing to tell apart.")
        return checked

    @property
    def classes(self) -> tuple[str, ...]:
        """See `Task`."""
        return self.labels

    @property
    def answer_tokens(self) -> int:
        """See `Task`."""
        return 4 + max(len(label.encode()) for label in self.labels)


class ShortAnswer(Task):
    """A few words or a number. `match`: "exact", "normalised" (words, see `answers.words`) or "number".

    With `marker` ("####" in GSM8K) the answer is what stands behind the last one, and a text without it is none; what is
    learned is the row's whole label or, where there is one, its `meta["rationale"]`.
    """

    kind: Literal["short_answer"] = "short_answer"
    template: str = "rows/student_short_answer"
    match: Literal["exact", "number", "normalised"] = "normalised"
    marker: str = ""
    tokens: int = Field(default=64, ge=1)

    def read(self, said: str, row: Row | None = None) -> str:
        """See `Task`."""
        if self.marker:
            _, found, said = said.rpartition(self.marker)
            if not found:
                raise NoAnswer(f"the mark {self.marker!r} before the answer is missing.")
        answer = said.strip()
        if not answer:
            raise NoAnswer("nothing was written.")
        if self.match != "number":
            return answer
        number = as_number(answer)
        if number is None:
            raise NoAnswer(f"{answer[:60]!r} is not one number.")
        return str(number)

    def same(self, answer: str, row: Row) -> bool:
        """See `Task`."""
        wanted = self.read(self.completion(row), row)
        return same_words(answer, wanted) if self.match == "normalised" else answer == wanted

    def completion(self, row: Row) -> str:
        """See `Task`."""
        said = str(row.meta.get("rationale") or row.label)
        if self.marker and self.marker not in said:
            return f"{said} {self.marker} {row.label}" if row.meta.get("rationale") else f"{self.marker} {row.label}"
        return said

    @property
    def answer_tokens(self) -> int:
        """See `Task`."""
        return self.tokens


_SLIPS = 2  # a wrong label that comes more often is taken for a class
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class MultipleChoice(Task):
    """One of a row's `meta["choices"]`, named by its letter.

    A label may be the letter, the choice itself, or its place from 0 in a data set that counts them. What a choice says comes before
    where it stands: of "one, two" the label "1" is "one". The choices are put under the text when a row is checked, unless they stand there.
    """

    kind: Literal["multiple_choice"] = "multiple_choice"
    template: str = "rows/student_multiple_choice"

    def read(self, said: str, row: Row | None = None) -> str:
        """See `Task`."""
        plain = said.strip()
        choices = _choices(row) if row is not None else []
        place = _said_in(plain, choices)
        if place is not None:
            return _LETTERS[place]
        found = re.fullmatch(r"\(?([A-Za-z])(?:[).:]\s*|\s*)((?<=[).:\s]).*)?", plain, re.DOTALL)
        if found is None:
            raise NoAnswer(f"{plain[:60]!r} names no choice." if plain else "nothing was written.")
        letter, rest = found[1].upper(), (found[2] or "").strip()
        if choices and _LETTERS.index(letter) >= len(choices):
            raise NoAnswer(f"{letter!r} is none of the {len(choices)} choices.")
        if rest and (not choices or _folded(rest) != _folded(choices[_LETTERS.index(letter)])):
            raise NoAnswer(f"{plain[:60]!r} is more than a letter, and what follows is not that choice.")
        return letter

    def row(self, name: str, text: str, label: str, /, **meta: Any) -> Row:
        """See `Task`."""
        bare = Row(id=name, text=text, label=label, meta=meta)
        choices = _choices(bare)
        if not 2 <= len(choices) <= len(_LETTERS) or len(set(choices)) < len(choices):
            raise BadInput(f"row {name!r} has the choices {choices!r}: give 2 to {len(_LETTERS)} that differ.")
        if label.strip().isdecimal() and _said_in(label, choices) is None and int(label) < len(choices):
            label = _LETTERS[int(label)]
        listed = "\n".join(f"{_LETTERS[place]}) {choice}" for place, choice in enumerate(choices))
        shown = text.strip() if text.strip().endswith(listed) else f"{text.strip()}\n{listed}"
        row = super().row(name, shown, label, **{**meta, "choices": choices})
        return row.model_copy(update={"label": self.read(label, row)})

    @property
    def answer_tokens(self) -> int:
        """See `Task`."""
        return 8


KINDS: dict[str, type[Task]] = {
    "classification": Classification,
    "short_answer": ShortAnswer,
    "multiple_choice": MultipleChoice,
    "extraction": Extraction,
}


def slip_of(label: str, count: int, counts: Mapping[str, int]) -> str | None:
    """The label of `counts` that `label`, which comes `count` times, may be a slip of; None where it is one of its own.

    A slip is rare, and has as many words and the same digits: "flight_no" beside "flight", or "class 12" beside "class 2", is none.
    """
    if count > _SLIPS:
        return None
    frequent = [
        other
        for other in counts
        if other != label and counts[other] >= 4 * count and _figures(other) == _figures(label)
    ]
    return _meant(label, frequent, cutoff=0.85)


def _figures(label: str) -> tuple[int, list[str]]:
    return len(re.findall(r"[^\W_]+", label)), re.findall(r"\d+", label)


def open_task(spec: str, rows: Sequence[Row] = (), **options: Any) -> Task:
    """The task behind `spec`: one of `KINDS`, a `.json` file of its fields with `kind`, or a Python file of one's own.

    `options` are the fields of the kind (`match="number"`); the labels of a classification are those of `rows` unless they
    are given. A Python file must define `task`, an instance of a subclass of `Task`; it is run.

    Raises `BadInput` for what is none of these, or fields that do not fit.
    """
    path = Path(spec)
    if path.suffix == ".py":
        return _own(path)
    if path.suffix == ".json":
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"the task file {spec!r} cannot be read as JSON: {error}.") from None
        if not isinstance(loaded, dict):
            raise BadInput(f"the task file {spec!r} must hold one object with the kind and its fields.")
        options = {**loaded, **options}
        spec = str(options.pop("kind", ""))
    kind = KINDS.get(spec.replace("-", "_"))
    if kind is None:
        close = _meant(spec, list(KINDS))
        _refuse(f"there is no task {spec!r}; there are {', '.join(KINDS)}, or a file (.json, .py).", close)
    if issubclass(kind, Classification) and not options.get("labels"):
        found = Classification.of(rows)
        options = {**options, "labels": found.labels}
    try:
        return TypeAdapter(kind).validate_python(options)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(place) for place in first["loc"])
        raise BadInput(f"the task {spec!r}: {at or 'fields'}: {first['msg']}.") from None


def _own(path: Path) -> Task:
    module = run_file(path, "the task file")
    task = getattr(module, "task", None)
    if not isinstance(task, Task):
        raise BadInput(f"the task file {str(path)!r} must define `task`, an instance of a subclass of Task.")
    return task


def _choices(row: Row) -> list[str]:
    found = row.meta.get("choices")
    if isinstance(found, dict):  # how ARC and its like are stored
        found = found.get("text")
    return [str(choice).strip() for choice in found] if isinstance(found, list | tuple) else []


def _said_in(text: str, choices: Sequence[str]) -> int | None:
    """The place of the choice that a whole text says: to the letter, but for case and marks, or but for articles and how numbers are
    written; None where none or several are said.
    """
    label = re.match(r"\(?[A-Za-z][).:]", text.strip())  # "A) dog" is no article
    for form in (str.strip, _folded) if label else (str.strip, _folded, choice_words):
        places = [place for place, choice in enumerate(choices) if form(text) and form(choice) == form(text)]
        if places:
            return places[0] if len(places) == 1 else None
    return None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .\"'`")


def _meant(said: str, known: Sequence[str], cutoff: float = 0.7) -> str | None:
    by_form = {_folded(name): name for name in known}
    close = difflib.get_close_matches(_folded(said), list(by_form), n=1, cutoff=cutoff)
    return by_form[close[0]] if close else None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _refuse(problem: str, close: str | None) -> NoReturn:
    raise BadInput(f"{problem}{f' Did you mean {close!r}?' if close else ''}")
