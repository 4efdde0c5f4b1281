"""A person at a terminal looks on: what they are shown after each round, what they type, and the page with the pictures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, TextIO

from ...graphs.opt2i import Offer, Review
from ...runtime.errors import BadInput
from ...runtime.records import options_checked
from ...runtime.storage import write_whole
from ..cli import TypedAnswers, points, printable
from .format import stop_words

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["TerminalReviewer", "parsed"]

_HELP = (
    "  Enter: go on · keep LETTER · ban WORD · try TEXT · ask QUESTION (as in: ask the cup must be empty) · stop\n"
    "  Several lines are one answer; an empty line sends it."
)


class TerminalReviewer:
    """Asks at the terminal; the pictures are in `review.html` of the run's folder, which draws itself again."""

    def __init__(
        self, folder: Path, blobs: BlobStore, *, typed: TextIO | None = None, told: TextIO | None = None
    ) -> None:
        self.page, self.blobs = folder / "review.html", blobs
        self._answers = TypedAnswers(typed, told)

    async def __call__(self, question: Mapping[str, Any]) -> Review:
        """What the person answers; `Interrupted` where the input is at its end."""
        offer = Offer.model_validate(question)
        write_whole(self.page, review_page(offer, self.blobs).encode("utf-8"))

        def more(line: str, review: Review) -> Review:
            return parsed(line, review, offer)

        return await self._answers.review("\n".join(_lines(offer, self.page)), Review(), more, _HELP)


def parsed(line: str, review: Review, offer: Offer) -> Review:
    """The review with one more wish.

    Raises:
        BadInput: a line that is no wish, or one that the search could not take.
    """
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    letters = dict(zip(_letters(len(offer.candidates)), offer.candidates, strict=True))
    match word.casefold():
        case "stop":
            added: dict[str, Any] = {"stop": True}
        case "keep" if rest in letters:
            added = {"keep": (*review.keep, letters[rest].id)}
        case "ban" if rest:
            added = {"ban": (*review.ban, *_words(rest))}
        case "try" if rest:
            added = {"texts": (*review.texts, rest)}
        case "ask" if rest:
            added = {"questions": (*review.questions, rest)}
        case _:
            raise BadInput(f"{line.strip()!r} is no answer.")
    with options_checked():
        review = Review.model_validate(review.model_dump() | added)
    offer.check(review)
    return review


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quotation mark that is not closed, or an apostrophe
        return [text]


def review_page(offer: Offer, blobs: BlobStore) -> str:
    """The candidates with their pictures; the page loads itself again while the search goes on."""
    from ...runtime.display import environment
    from ..report import Pictures

    pictures = Pictures(blobs)
    pictures.embed(image for candidate in offer.candidates for image in candidate.images)
    cards = [
        (
            letter,
            candidate,
            points(candidate.score),
            [(name, points(value)) for name, value in candidate.parts],
            [uri for image in candidate.images if (uri := pictures.uri(image)) is not None],
        )
        for letter, candidate in zip(_letters(len(offer.candidates)), offer.candidates, strict=True)
    ]
    page: str = (
        environment(__name__.rsplit(".", 2)[0])
        .get_template("opt2i/review.html.j2")
        .render(offer=offer, cards=cards[::-1])
    )
    return page


def _lines(offer: Offer, page: Path) -> list[str]:
    head = f"  {printable(offer.text)}: round {offer.iteration}" + (
        f", it would end: {stop_words(offer.stop)}" if offer.stop else ""
    )
    lines = ["", *([f"  {printable(offer.wrong)}"] if offer.wrong else []), head]
    for letter, candidate in zip(_letters(len(offer.candidates)), offer.candidates, strict=True):
        failing = [name for name, value in candidate.parts if value is not None and value < 0.5]
        lines.append(f"  {letter:>2}  {points(candidate.score):>5}  {printable(candidate.text)}")
        if failing and candidate is offer.candidates[-1]:
            lines.append(f"             it fails: {printable(' '.join(failing[:3]))}")
    return [*lines, f"  pictures: {page}"]


def _letters(count: int) -> list[str]:
    return [
        (ascii_lowercase[place // 26 - 1] if place >= 26 else "") + ascii_lowercase[place % 26]
        for place in range(count)
    ]
