"""A filter as a condition of DataFusion's SQL, which LanceDB reads."""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.passages import And, Compare, Filter, In, Not, Or, Value
from .filter import kind_of

__all__ = ["NUMBERS", "TEXTS", "among", "sql_of"]

TEXTS = ("id", "document", "version", "title", "source", "media")
NUMBERS = ("page", "part")
"""The columns that a filter may name, beside the JSON of `meta`."""

_SIGNS = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def sql_of(where: Filter) -> str:
    """What is true of the rows that `where` finds and false of all others, never unknown."""
    match where:
        case And(of=of):
            return "(" + (" AND ".join(map(sql_of, of)) or "true") + ")"
        case Or(of=of):
            return "(" + (" OR ".join(map(sql_of, of)) or "false") + ")"
        case Not(of=inner):
            return f"(NOT {sql_of(inner)})"
        case In(field=field, values=values):
            return "(" + (" OR ".join(_compared(field, "eq", value) for value in values) or "false") + ")"
        case Compare(field=field, op="ne", value=value):
            return f"(NOT {_compared(field, 'eq', value)})"
        case Compare(field=field, op=op, value=value):
            return _compared(field, op, value)


def _compared(field: str, op: str, value: Value) -> str:
    kind = kind_of(value)
    if field.startswith("meta."):
        reader = {"bool": "json_get_bool", "number": "json_get_float", "text": "json_get_string"}[kind]
        side = f"{reader}(meta, {_literal(f'{kind} {field[5:]}')})"
    elif kind != ("text" if field in TEXTS else "number"):
        return "false"
    else:
        side = field
    return f"coalesce({side} {_SIGNS[op]} {_literal(value)}, false)"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST('{float(value)!r}' AS DOUBLE)"


def among(field: str, values: Sequence[str]) -> str:
    """What is true of the rows whose `field` is one of the texts."""
    return f"{field} IN ({', '.join(map(_literal, values))})" if values else "false"
