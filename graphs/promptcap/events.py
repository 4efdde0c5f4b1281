"""What a run that answers questions about pictures tells, beside what every run tells."""

from __future__ import annotations

from typing import Literal

from ...runtime.session import Event
from ..trace import Step

__all__ = ["Answered", "DecisionTaken", "MethodStarted"]


class DecisionTaken(Event):
    """A step of a question is done: who took the decision, what it came to, and why."""

    event: Literal["decision"] = "decision"
    way: str
    step: Step
    by: str
    said: str
    why: str = ""


class Answered(Event):
    """A question has its answer; `told` is False where it cannot be told."""

    event: Literal["answer"] = "answer"
    way: str
    answer: str
    told: bool


class MethodStarted(Event):
    """The first of the questions that a method is asked begins."""

    event: Literal["way_started"] = "way_started"
    way: str
    questions: int
