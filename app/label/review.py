"""A person at a terminal says which masks are right; the masks are on a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ...graphs.label import Offer, Review
from ...runtime.errors import BadInput
from ...runtime.records import options_checked
from ..cli import TypedAnswers, printable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TerminalReviewer", "parsed"]

_HELP = (
    "  Enter: all of the page are right. Else, by the numbers on the page:\n"
    "  wrong 3 5 · label 3 CLASS · box 3 X0 Y0 X1 Y1 (a new mask is made) · add 3 X0 Y0 X1 Y1 CLASS (missed, in that picture)\n"
    "  skip 4 · done (no more pages) · stop (write nothing). Several lines are one answer; an empty line sends it."
)


class TerminalReviewer:
    """Asks at the terminal; `drawn` writes the page of what is offered, whose path it is given."""

    def __init__(
        self,
        page: Path,
        drawn: Callable[[Offer, Path], None],
        *,
        typed: TextIO | None = None,
        told: TextIO | None = None,
    ) -> None:
        self.page, self.drawn = page, drawn
        self._answers = TypedAnswers(typed, told)

    async def __call__(self, question: Mapping[str, Any]) -> Review:
        """What the person answers; `Interrupted` where the input is at its end."""
        offer = Offer.model_validate(question)
        self.drawn(offer, self.page)

        def more(line: str, review: Review) -> Review:
            fresh = parsed(line, review)
            offer.check(fresh)
            return fresh

        return await self._answers.review("\n".join(_lines(offer, self.page)), Review(), more, _HELP)


def parsed(line: str, review: Review) -> Review:
    """The review with one more wish.

    Raises:
        BadInput: a line that is no wish.
    """
    word, *rest = line.split()
    given = review.model_dump()
    match word.casefold(), rest:
        case ("done" | "stop") as end, []:
            given[end] = True
        case ("wrong" | "skip") as verdict, [_, *_]:
            given[verdict] = (*given[verdict], *rest)
        case "label", [number, _, *_]:
            given["label"] = {**given["label"], number: " ".join(rest[1:])}
        case "box", [number, x0, y0, x1, y1]:
            given["box"] = {**given["box"], number: (x0, y0, x1, y1)}
        case "add", [number, x0, y0, x1, y1, _, *_]:
            given["add"] = (*given["add"], {"number": number, "label": " ".join(rest[5:]), "box": (x0, y0, x1, y1)})
        case _:
            raise BadInput(f"{line.strip()!r} is no answer.")
    with options_checked():
        return Review.model_validate(given)


def _lines(offer: Offer, page: Path) -> list[str]:
    audits = sum(each.audit for each in offer.items)
    told = [
        f"{len(offer.items)} masks, {audits} of them accepted ones to see how good these are"
        if audits
        else f"{len(offer.items)} masks"
    ]
    told.append(f"{offer.left} more are doubtful")
    return [
        "",
        *([f"  {printable(offer.wrong)}"] if offer.wrong else []),
        f"  {printable(offer.folder)}: {'; '.join(told)}. Router: {offer.calibration.how}.",
        *(
            f"  {number:>3} {printable(each.label)} in {printable(each.picture)}: {each.why}"
            for number, each in enumerate(offer.items, start=1)
        ),
        f"  pictures: {page}",
    ]
