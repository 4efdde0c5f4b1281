"""A model call by everything that its result depends on, and the key made of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import BaseModel, field_validator

from ..errors import BadInput
from ..records import Record
from ..registry import Registry

__all__ = ["CALL_KINDS", "JSON", "Call", "CallKind", "Failure", "canonical_json"]

JSON = Any


@dataclass(frozen=True)
class CallKind:
    """A kind of model call, as `counts` names it.

    `about` says in a few words what one is. `amounts` are further amounts that its `Cost` books, by name with their unit, as in
    {"gpu_seconds": "seconds on the GPU"}: a budget can limit them.
    """

    about: str
    amounts: Mapping[str, str] = field(default_factory=dict)


CALL_KINDS: Registry[CallKind] = Registry(
    "kind of call",
    "inloop.calls",
    {
        "llm": CallKind("a reply of a language model"),
        "image": CallKind("a painted picture"),
        "edit": CallKind("an edited picture"),
        "vqa": CallKind("an answer about a picture"),
        "caption": CallKind("a caption of a picture"),
        "embedding": CallKind("the vector of a text or a picture"),
        "detection": CallKind("the objects in a picture"),
        "segmentation": CallKind("the masks of what is in boxes of a picture"),
        "review": CallKind("a person's word on a mask"),
        "ocr": CallKind("the text in a picture"),
        "preference": CallKind("how much people would like a picture for a text"),
        "score": CallKind("a picture scored for a text by a function"),
        "student": CallKind("a student's answer to a text"),
        "rerank": CallKind("how well a passage answers a query"),
        "classification": CallKind("the class of a picture, by a classifier's own labels"),
        "nli": CallKind("whether a text entails another"),
    },
)
"""The kinds of model calls: the part of a call's key that says what was asked for."""


class Call(Record):
    """One model call, by everything that its result depends on.

    `params` and `inputs` are JSON, or records (which are written as JSON); NumPy numbers and NaN are refused.
    """

    kind: str
    model: str
    revision: str
    params: dict[str, Any]
    inputs: Any

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in CALL_KINDS:
            raise CALL_KINDS.unknown(kind)
        return kind

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
