"""A person at a terminal says whether a cleaning is right before anything is written; the pictures are on a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ...graphs.curate import Offer, Review
from ...runtime.errors import BadInput
from ...runtime.records import options_checked
from ..cli import TypedAnswers, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...graphs.curate import Cleaned

__all__ = ["TerminalReviewer", "parsed"]

_HELP = (
    "  Enter: go on · threshold NUMBER: choose again · keep NAME: that picture stays · stop: write nothing\n"
    "  Several lines are one answer; an empty line sends it."
)


_GROUPS_HELP = (
    "  groups NUMBER: those of a proposal · groups A; B: others, in words · Enter: no groups · stop: write nothing"
)


class TerminalReviewer:
    """Asks at the terminal; `drawn` writes the page of what is offered, whose path it is given."""

    def __init__(
        self,
        page: Path,
        drawn: Callable[[Cleaned, Path], None],
        *,
        typed: TextIO | None = None,
        told: TextIO | None = None,
    ) -> None:
        self.page, self.drawn = page, drawn
        self._answers = TypedAnswers(typed, told)

    async def __call__(self, question: Mapping[str, Any]) -> Review:
        """What the person answers; `Interrupted` where the input is at its end."""
        offer = Offer.model_validate(question)
        if offer.cleaned is None:
            return await self._answers.review("\n".join(_proposals(offer)), Review(), parsed, _GROUPS_HELP)
        self.drawn(offer.cleaned, self.page)
        return await self._answers.review("\n".join(_lines(offer, offer.cleaned, self.page)), Review(), parsed, _HELP)


def parsed(line: str, review: Review) -> Review:
    """The review with one more wish.

    Raises:
        BadInput: a line that is no wish.
    """
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    match word.casefold():
        case "stop":
            added: dict[str, Any] = {"stop": True}
        case "keep" if rest:
            added = {"keep": (*review.keep, rest)}
        case "groups" if rest:
            added = {"groups": rest}
        case "threshold" if rest:
            added = {"threshold": rest}
        case _:
            raise BadInput(f"{line.strip()!r} is no answer.")
    with options_checked():
        return Review.model_validate(review.model_dump() | added)


def _proposals(offer: Offer) -> list[str]:
    lines = [
        "",
        *([f"  {printable(offer.wrong)}"] if offer.wrong else []),
        "  Groups whose shares a cleaning should keep, as proposed:",
    ]
    for number, each in enumerate(offer.groups, start=1):
        lines.append(f"  {number} {printable(each.attribute)}")
        for group in each.groups:
            told = "" if group.tells is None else f", told with an AUROC of {group.tells:.2f}"
            lines.append(
                f"      {printable(group.words)}: {group.share:.0%} of the pictures for the encoder, {group.captions} captions{told}"
            )
    return lines


def _lines(offer: Offer, done: Cleaned, page: Path) -> list[str]:
    gone = ", ".join(f"{count} {reason}" for reason, count in done.reasons.items()) or "none goes"
    threshold = "" if done.threshold is None else f", threshold {done.threshold:.3g} ({done.how})"
    return [
        "",
        *([f"  {printable(offer.wrong)}"] if offer.wrong else []),
        f"  {printable(offer.folder)}: {done.kept} of {done.pictures} pictures stay; {gone}{threshold}",
        *(f"  {printable(alarm)}" for alarm in done.audit.alarms),
        f"  pictures: {page}",
    ]
