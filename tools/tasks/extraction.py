"""Extraction: a JSON object with given fields out of a text, compared field by field."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import Field, ValidationError, create_model, field_validator

from ...runtime.records import Prediction, Record, Row
from .answers import same_words
from .base import NoAnswer, Task, Verdict

__all__ = ["Extraction"]

_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list[str]": list[str],
    "list[float]": list[float],
}


class Extraction(Task):
    """A JSON object with the given fields. `fields`: name to type, of str, int, float, bool, list[str], list[float].

    A type with `| None` behind it may be null or left out. A row's label is the object as JSON. Texts are compared by
    their words, numbers as numbers, lists in their order; an answer is right when every field is.
    """

    kind: Literal["extraction"] = "extraction"
    template: str = "rows/student_extraction"
    fields: dict[str, str]
    tokens: int = Field(default=256, ge=1)

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, kind in fields.items():
            if kind.removesuffix("| None").strip() not in _TYPES:
                raise ValueError(
                    f"the field {name!r} has the type {kind!r}; there are {', '.join(_TYPES)}, and '| None'"
                )
        if not fields:
            raise ValueError("give one field or more")
        return fields

    def schema_model(self) -> type[Record]:
        """The fields as a pydantic model, for structured output."""
        made: dict[str, Any] = {}
        for name, kind in self.fields.items():
            base = _TYPES[kind.removesuffix("| None").strip()]
            made[name] = (base | None, None) if kind.endswith("| None") else (base, ...)
        model: type[Record] = create_model("Fields", __base__=Record, **made)
        return model

    def read(self, said: str, row: Row | None = None) -> str:
        """See `Task`."""
        plain = re.sub(r"\A```(?:json)?\s*|\s*```\Z", "", said.strip())
        if not plain:
            raise NoAnswer("nothing was written.")
        try:
            value = self.schema_model().model_validate_json(plain, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(place) for place in first["loc"])
            raise NoAnswer(f"{plain[:60]!r}: {f'{at}: ' if at else ''}{first['msg']}") from None
        return json.dumps(value.model_dump(mode="json"), ensure_ascii=False)

    def same(self, answer: str, row: Row) -> bool:
        """See `Task`."""
        return all(self._parts(answer, row).values())

    def grade(self, prediction: Prediction | str, row: Row) -> Verdict:
        """See `Task`; `parts` says which fields are right."""
        verdict = super().grade(prediction, row)
        if verdict.answer is None:
            return verdict
        parts = self._parts(verdict.answer, row)
        missed = [name for name, right in parts.items() if not right]
        said = f"not right: {', '.join(missed)}" if missed else ""
        return verdict.model_copy(update={"parts": parts, "explanation": said})

    def row(self, name: str, text: str, label: str, /, **meta: Any) -> Row:
        """See `Task`."""
        row = super().row(name, text, label, **meta)
        return row.model_copy(update={"label": self.read(label)})

    def _parts(self, answer: str, row: Row) -> dict[str, bool]:
        found, wanted = json.loads(answer), json.loads(self.read(row.label))
        return {name: _equal(found[name], wanted[name]) for name in self.fields}

    @property
    def answer_tokens(self) -> int:
        """See `Task`."""
        return self.tokens


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(_equal(a, b) for a, b in zip(found, wanted, strict=True))
    if isinstance(found, str) and isinstance(wanted, str):
        return same_words(found, wanted)
    return bool(found == wanted)
