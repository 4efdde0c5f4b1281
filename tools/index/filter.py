"""What a filter means, in Python: for stores that have no filters of their own, and as the measure for those that have."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ...runtime.passages import And, Compare, Filter, In, Not, Or, Passage, Value

__all__ = ["field_value", "kind_of", "matches"]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def matches(where: Filter | None, passage: Passage) -> bool:
    """Whether a passage is one that `where` finds; None finds everything."""
    match where:
        case None:
            return True
        case And(of=of):
            return all(matches(one, passage) for one in of)
        case Or(of=of):
            return any(matches(one, passage) for one in of)
        case Not(of=inner):
            return not matches(inner, passage)
        case In(field=field, values=values):
            found = field_value(passage, field)
            return any(_compare("eq", found, value) for value in values)
        case Compare(op="ne", field=field, value=value):
            return not _compare("eq", field_value(passage, field), value)
        case Compare(op=op, field=field, value=value):
            return _compare(op, field_value(passage, field), value)


def field_value(passage: Passage, field: str) -> Value | None:
    """The value of a filter's field, None where the passage has none."""
    if field.startswith("meta."):
        return passage.meta.get(field.removeprefix("meta."))
    value: Value | None = getattr(passage, field)
    return value


def kind_of(value: Value) -> str:
    """`bool`, `number` or `text`: only values of one kind are compared."""
    return "bool" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _compare(op: str, found: Value | None, value: Value) -> bool:
    return found is not None and kind_of(found) == kind_of(value) and _ORDER[op](found, value)
