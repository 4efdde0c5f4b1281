"""A model call by everything that its result depends on, and the key made of that."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel

from ..errors import BadInput
from ..records import Record

__all__ = ["JSON", "Call", "Failure", "Kind", "canonical_json"]

JSON = Any
Kind = Literal[
    "llm", "image", "vqa", "caption", "embedding", "detection", "ocr", "preference", "student", "rerank", "nli"
]


class Call(Record):
    """One model call, by everything that its result depends on.

    `params` and `inputs` are JSON, or records (which are written as JSON); NumPy numbers and NaN are refused.
    """

    kind: Kind
    model: str
    revision: str
    params: dict[str, Any]
    inputs: Any

    @cached_property
    def canonical(self) -> str:
        """The call as JSON: sorted keys, no blanks, ASCII."""
        fields = {name: getattr(self, name) for name in ("kind", "model", "revision", "params", "inputs")}
        return canonical_json(fields, f"a call of {self.model!r}")

    @cached_property
    def key(self) -> str:
        """The sha256 of `canonical`, in hexadecimal."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()


class Failure(Record):
    """A call that never gave a value: why the last attempt failed, and how many there were."""

    key: str
    kind: str
    model: str
    call: dict[str, Any]
    reason: str
    attempts: int
    at: float


def canonical_json(value: Any, what: str) -> str:
    """`value` as JSON with sorted keys, no blanks, ASCII; `what` names it in the `BadInput` for what is no JSON."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"{what} is not JSON: {error}. Give plain numbers (float(x)), texts, lists and dicts with text keys."
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} {value!r:.80}")
