"""A picture with its prompt, and the fields that tables and data sets tell it in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...runtime.text import is_blank, whole
from .tables import named_list

__all__ = ["PROMPT", "TAGS", "Item", "Items", "prompt_of", "tags_of", "unique"]

PROMPT = ("prompt", "text", "caption")
TAGS = ("tags", "tag", "category")
"""The names that the field of the prompt, and that of the tags, may have; the first that is there counts."""


class Item(Record):
    """One picture with its prompt. `path`: the file; `row`: the place in a saved data set, whose pictures are inside."""

    id: str
    text: str
    path: str | None = None
    row: int | None = None
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = Field(default_factory=dict)


class Items:
    """The items of one source; `data` gives the bytes of an item's picture."""

    def __init__(self, items: Sequence[Item], inside: Callable[[int], bytes] | None = None) -> None:
        self.items = list(items)
        self._inside = inside

    def __len__(self) -> int:
        return len(self.items)

    def data(self, item: Item) -> bytes:
        """The bytes of the picture file; `BadInput` where it cannot be read."""
        if item.row is not None and self._inside is not None:
            return self._inside(item.row)
        try:
            return Path(item.path or "").read_bytes()
        except OSError as error:
            raise BadInput(f"the picture {item.path!r} cannot be read: {error.strerror}.") from None


def prompt_of(path: Path, number: int, row: dict[str, Any]) -> str:
    """The prompt of a row; `BadInput` where there is none, with the file and the row's number."""
    key = next((key for key in PROMPT if key in row), None)
    if key is None:
        raise BadInput(
            f"{str(path)!r}, row {number}: no prompt; one of {', '.join(PROMPT)} must hold it. The row has {named_list(list(row))}."
        )
    value = row[key]
    if not isinstance(value, str) or is_blank(value):
        raise BadInput(f"{str(path)!r}, row {number}: the prompt {value!r} is empty: say what the picture should show.")
    return whole(value).strip()


def tags_of(row: dict[str, Any]) -> tuple[str, ...]:
    """The tags of a row: a list, or a text that `;`, `,` or `|` divide."""
    value = next((row[key] for key in TAGS if row.get(key)), ())
    if isinstance(value, str):
        value = [piece.strip() for piece in re.split(r"[;,|]", value)]
    return tuple(str(tag) for tag in value if str(tag)) if isinstance(value, Iterable) else (str(value),)


def unique(items: Sequence[Item]) -> list[Item]:
    """The same items with ids that differ: one that comes again gets its place, or the next number that no row has for an id."""
    taken = {item.id for item in items}
    seen: set[str] = set()
    kept = []
    for place, item in enumerate(items, start=1):
        if item.id in seen:
            number = next(n for n in count(place) if f"{item.id}#{n}" not in taken)
            item = item.model_copy(update={"id": f"{item.id}#{number}"})
            taken.add(item.id)
        seen.add(item.id)
        kept.append(item)
    return kept
