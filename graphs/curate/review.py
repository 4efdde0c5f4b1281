"""A person before anything is written: what they are shown, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .result import Cleaned

__all__ = ["Offer", "ProposedGroup", "ProposedGroups", "Review"]


class ProposedGroup(Record):
    """`share`: of the pictures that the encoder takes for it. `captions`: that name it, and `tells`: the AUROC with which its words tell their pictures."""

    words: str
    share: float
    captions: int = 0
    tells: float | None = None


class ProposedGroups(Record):
    """A way in which pictures differ, and its groups."""

    attribute: str
    groups: tuple[ProposedGroup, ...]


class Offer(Record):
    """What a cleaning asks a person: which of the proposed `groups` count, or what would stay and go (`cleaned`).

    `wrong`: why the answer before could not be taken.
    """

    folder: str
    cleaned: Cleaned | None = None
    groups: tuple[ProposedGroups, ...] = ()
    to: str = ""
    wrong: str = ""


class Review(Record):
    """What a person answers; nothing at all lets the cleaning go on as it is.

    `threshold`: another one; it is chosen and asked again. `keep`: names of pictures that stay whatever is said of them. `stop`: nothing is
    written. `groups`: which count, asked for groups: the number of a proposal from 1 on, others in words with semicolons, or "" for none.
    """

    threshold: float | None = Field(default=None, ge=-1, le=1)
    keep: tuple[str, ...] = ()
    groups: str = ""
    stop: bool = False

    def chosen(self, offered: Sequence[ProposedGroups]) -> tuple[str, ...]:
        """The groups that count; raises `BadInput` for a proposal that is not there, for one group alone, and for an answer to what is asked later."""
        if self.threshold is not None or self.keep:
            raise BadInput(
                "threshold and keep: groups are asked for here, and what stays is asked when they are known."
            )
        text = self.groups.strip()
        if text.isdecimal():
            if not 1 <= int(text) <= len(offered):
                raise BadInput(f"groups {text}: there are the proposals 1 to {len(offered)}.")
            return tuple(group.words for group in offered[int(text) - 1].groups)
        names = tuple(dict.fromkeys(" ".join(name.split()) for name in text.split(";") if name.strip()))
        if len(names) == 1:
            raise BadInput(
                f"groups {text!r} is one group: give two or more, with semicolons, or the number of a proposal."
            )
        return names

    def check(self, names: Collection[str], *, exact: bool) -> None:
        """Raise `BadInput` for a picture that is not there, for a threshold where none is used, and for groups, which are asked for before."""
        if self.groups:
            raise BadInput(
                "groups: what stays is asked here, and groups count from the beginning: stop, and give --groups."
            )
        for name in self.keep:
            if name not in names:
                raise BadInput(f"keep {name!r}: there is no such picture that can be read.")
        if exact and self.threshold is not None:
            raise BadInput("threshold: the same pixels alone go in this run, and no threshold is used.")
