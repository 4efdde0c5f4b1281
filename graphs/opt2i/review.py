"""A person in the search: what is offered to them after a round, and what they wish.

The search stops at a LangGraph interrupt with an `Offer` as its value, and goes on with a `Review`: at once where a `reviewer` is
there, or in another process, days later.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pydantic import field_validator

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef, Record
from ...runtime.text import is_blank
from .result import Trial, Wishes

__all__ = ["Offer", "Offered", "Review", "as_question", "banned", "offer_of", "wishes_after"]

_MUST = re.compile(
    r"(?P<of>(?:the|a|an|all|every|each)\b.+?)\s+(?:must|should|has to|have to)\s+be\s+(?P<what>.+)", re.IGNORECASE
)
_IS = re.compile(r"(?P<of>(?:the|a|an|all|every|each)\b.+?)\s+(?P<verb>is|are)\s+(?P<what>.+)", re.IGNORECASE)
_THERE = re.compile(r"there\s+(?:must|should|has to)\s+be\s+(?P<what>.+)", re.IGNORECASE)


class Offered(Record):
    """A candidate as a person is shown it: `score` is the objective from 0 to 1, `parts` are (question or phrase, mean over the pictures)."""

    id: str
    text: str
    score: float | None
    parts: tuple[tuple[str, float | None], ...] = ()
    images: tuple[BlobRef, ...] = ()


class Offer(Record):
    """What a search asks a person after a round: the best candidates so far and those of the round, the best one last.

    `stop`: why it would end now, "" where it would go on. `wrong`: why the answer before could not be taken.
    """

    task: str
    text: str
    iteration: int
    candidates: tuple[Offered, ...]
    wishes: Wishes = Wishes()
    stop: str = ""
    wrong: str = ""

    def check(self, review: Review) -> None:
        """Raise `BadInput` where the search could not take the answer: it would ask again."""
        wishes_after(self.wishes, review, self.text, [candidate.id for candidate in self.candidates])


class Review(Record):
    """What a person answers; nothing at all lets the search go on as it would.

    `keep`: ids of candidates that stay among those that the language model is shown. `ban`: words that no candidate may have; those that do
    are left. `texts`: candidates of one's own for the next round. `questions`: what is asked of every picture from now on, the earlier ones
    too, as a yes/no question or as "the cup must be empty". `stop`: enough.
    """

    keep: tuple[str, ...] = ()
    ban: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    stop: bool = False

    @field_validator("ban", "texts", "questions")
    @classmethod
    def _said(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if any(is_blank(text) for text in given):
            raise BadInput("a review with an empty text: leave it out.")
        return tuple(" ".join(text.split()) for text in given)

    @field_validator("questions")
    @classmethod
    def _asked(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(as_question(text) for text in given)


def as_question(text: str) -> str:
    """A yes/no question of what must be so; one that is a question already stays as it is.

    Raises:
        BadInput: it is no question, and not of the form "the cup must be empty" or "there must be a spoon".
    """
    said = " ".join(text.split()).rstrip(".! ")
    if said.endswith("?"):
        return said[:1].upper() + said[1:]
    if match := _THERE.fullmatch(said):
        return f"Is there {match['what']}?"
    if match := _MUST.fullmatch(said) or _IS.fullmatch(said):
        of = match["of"]
        several = match.groupdict().get("verb", "") == "are" or of.lower().startswith("all ")
        return f"{'Are' if several else 'Is'} {of[:1].lower()}{of[1:]} {match['what']}?"
    raise BadInput(f'{text!r} is no question: ask as in "Is the cup empty?", or say "the cup must be empty".')


def offer_of(task: str, text: str, iteration: int, trials: Sequence[Trial], wishes: Wishes, stop: str) -> Offer:
    """What a person is shown of `trials`, the best one last."""
    return Offer(
        task=task,
        text=text,
        iteration=iteration,
        candidates=tuple(
            Offered(
                id=trial.id,
                text=trial.text,
                score=trial.objective,
                parts=tuple((part.name, part.value) for part in next(iter(trial.parts.values()), ())),
                images=tuple(shot.image for shot in trial.images),
            )
            for trial in trials
        ),
        wishes=wishes,
        stop=stop,
    )


def wishes_after(wishes: Wishes, review: Review, text: str, known: Collection[str]) -> Wishes:
    """All that was wished so far. Raises `BadInput` for a candidate that is not there, and for a ban that the user's own text breaks."""
    for id in review.keep:
        if id not in known:
            raise BadInput(f"keep {id!r}: there is no such candidate; there are {', '.join(known)}.")
    for word in review.ban:
        if banned(text, [word]):
            raise BadInput(f"ban {word!r}: your own prompt has that word. Start a search of another prompt.")

    def both(before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*before, *now]))

    return Wishes(
        keep=both(wishes.keep, review.keep),
        ban=both(wishes.ban, tuple(word.casefold() for word in review.ban)),
        texts=both(wishes.texts, review.texts),
        questions=both(wishes.questions, review.questions),
        reviews=wishes.reviews + 1,
    )


def banned(text: str, words: Collection[str]) -> bool:
    """Whether a text has one of the words (or word groups), whole and in any case."""
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) for word in words)
