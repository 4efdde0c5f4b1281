"""A person before anything is written: what they are shown, and what they say."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .result import Cleaned

__all__ = ["Offer", "Review"]


class Offer(Record):
    """What a cleaning asks a person: what would stay and go. `wrong`: why the answer before could not be taken."""

    folder: str
    cleaned: Cleaned
    to: str = ""
    wrong: str = ""


class Review(Record):
    """What a person answers; nothing at all lets the cleaning go on as it is.

    `threshold`: another one; it is chosen and asked again. `keep`: names of pictures that stay whatever is said of them. `stop`: nothing is
    written.
    """

    threshold: float | None = Field(default=None, ge=-1, le=1)
    keep: tuple[str, ...] = ()
    stop: bool = False

    def check(self, names: Collection[str], *, exact: bool) -> None:
        """Raise `BadInput` for a picture that is not there, and for a threshold where none is used."""
        for name in self.keep:
            if name not in names:
                raise BadInput(f"keep {name!r}: there is no such picture that can be read.")
        if exact and self.threshold is not None:
            raise BadInput("threshold: the same pixels alone go in this run, and no threshold is used.")
