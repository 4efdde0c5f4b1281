"""What the loop over passages tells on its way to an answer."""

from __future__ import annotations

from typing import Literal

from ...runtime.answers import CitedAnswer
from ...runtime.session import Event
from ..trace import Step

__all__ = ["Answered", "Decided", "SentenceChecked"]


class Decided(Event):
    """A decision was taken: the fields of a `Decision`."""

    event: Literal["decision"] = "decision"
    step: Step
    by: str
    said: str
    why: str = ""


class SentenceChecked(Event):
    """A sentence of a draft was held against what it cites."""

    event: Literal["sentence"] = "sentence"
    text: str
    verdict: Literal["supported", "unsupported", "unscored"]
    why: str
    support: float | None = None


class Answered(Event):
    """A question has its answer, or an abstention."""

    event: Literal["answer"] = "answer"
    answer: CitedAnswer
