"""Flags from a config model: names, help, choices and defaults come from its fields, and from nowhere else.

argparse reads the words and pydantic the values. The command line source of pydantic-settings was tried first: it takes "a cat, a dog" for
two prompts and refuses a prompt with a single quotation mark, because every list is read as JSON or at its commas.

What a field says beside its description stands in `json_schema_extra`, as `runtime.session.option` writes it.
"""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ...runtime.settings import Settings

__all__ = ["STORE_FLAGS", "add_flags", "add_store_flags", "flag_names", "given_flags"]

STORE_FLAGS = ("store", "blobs")
"""The settings that say where a run keeps what it pays for, each with a flag."""

_METAVARS = {int: "N", float: "X"}


def add_flags(
    parser: argparse.ArgumentParser, model: type[BaseModel], *, subject: str = "", only: Collection[str] | None = None
) -> None:
    """One flag a field, or of `only` some; `subject` is the field that positional arguments fill.

    A flag that is not given leaves no trace.
    """
    groups: dict[str, Any] = {"": parser}
    for name, field in model.model_fields.items():
        extra = _extra(field)
        if not extra.get("flag", True) or (only is not None and name not in only):
            continue
        group = str(extra.get("group", ""))
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        if name == subject:
            groups[group].add_argument(name, **_count(field), **_described(field))
        else:
            groups[group].add_argument(
                f"--{_flag(name, field)}",
                dest=name,
                default=argparse.SUPPRESS,
                required=field.is_required(),
                **_described(field),
                **_kind(field),
            )


def add_store_flags(parser: argparse.ArgumentParser, default: str = "") -> None:
    """`--store` and `--blobs`; `default`: what holds without them, where that is not the settings' own."""
    group = parser.add_argument_group("store")
    for name in STORE_FLAGS:
        text, mark, own = Settings.describe(name).partition("; default: ")
        group.add_argument(f"--{name}", metavar="PLACE", help=f"{text} (default: {default or own})" if mark else text)


def flag_names(model: type[BaseModel]) -> dict[str, str]:
    """The names of the flags by field, without their dashes."""
    return {name: _flag(name, field) for name, field in model.model_fields.items()}


def given_flags(args: argparse.Namespace, model: type[BaseModel]) -> dict[str, Any]:
    """The fields that were given on the command line, for the model to read."""
    given = {name: value for name, value in vars(args).items() if name in model.model_fields}
    return {name: value for name, value in given.items() if value != []}


def _flag(name: str, field: FieldInfo) -> str:
    flag = _extra(field).get("flag")
    return flag if isinstance(flag, str) else name.replace("_", "-")


def _described(field: FieldInfo) -> dict[str, Any]:
    text, default = (field.description or "").replace("%", "%%"), field.default
    if (
        not field.is_required()
        and not isinstance(default, bool)
        and default not in ("", (), None)
        and "default" not in text
    ):
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        text = f"{text} (default: {shown})".strip()
    metavar = _extra(field).get("metavar")
    return {"help": text} | ({"metavar": str(metavar)} if metavar else {})


def _count(field: FieldInfo) -> dict[str, Any]:
    """How many values the positional argument of a field takes, and which ones."""
    kind = _plain(field.annotation)
    if get_origin(kind) is tuple:
        return {"nargs": "*", "default": argparse.SUPPRESS}
    choices = {"choices": [str(choice) for choice in get_args(kind)]} if get_origin(kind) is Literal else {}
    return choices | ({"nargs": "?", "default": argparse.SUPPRESS} if _extra(field).get("optional") else {})


def _kind(field: FieldInfo) -> dict[str, Any]:
    """What argparse must know of a field's type; the value itself stays text."""
    kind = _plain(field.annotation)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": [str(choice) for choice in get_args(kind)]}
    if kind in _METAVARS:
        return {"type": kind} | ({} if _extra(field).get("metavar") else {"metavar": _METAVARS[kind]})
    metavar = {} if _extra(field).get("metavar") else {"metavar": "TEXT"}
    if get_origin(kind) is tuple:
        if _extra(field).get("repeat"):
            return {"action": "append", **metavar}
        return {"type": _separated, **metavar}
    return metavar


def _separated(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _plain(annotation: Any) -> Any:
    """The type of a field, without None."""
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _extra(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
