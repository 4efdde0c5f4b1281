"""What a search for a better prompt tells of its steps."""

from __future__ import annotations

from typing import Literal

from ...agents.scene import Question
from ...evaluators.stats import Verdict
from ...runtime.session import Event
from .result import Effect, Look, Shortened, Trial
from .review import Review

__all__ = [
    "AblationDone",
    "BaselineDone",
    "GainLooked",
    "HeldOutDone",
    "IterationDone",
    "QuestionsWritten",
    "TrialScored",
]


class QuestionsWritten(Event):
    """The scene graph of a prompt, and who wrote it."""

    event: Literal["graph"] = "graph"
    text: str
    questioner: str
    questions: tuple[Question, ...]
    unasked: tuple[str, ...] = ()


class TrialScored(Event):
    """A text was realised and scored."""

    event: Literal["trial"] = "trial"
    iteration: int
    trial: Trial


class IterationDone(Event):
    """The best text so far; `stop` is the reason to end, empty while the search goes on."""

    event: Literal["iteration"] = "iteration"
    iteration: int
    best: str
    objective: float | None
    stop: str = ""


class GainLooked(Event):
    """The best text was put to more of the unseen seeds that its gain is proven on."""

    event: Literal["look"] = "look"
    look: Look


class Reviewed(Event):
    """What a person answered after a round."""

    event: Literal["review"] = "review"
    iteration: int
    review: Review


class HeldOutDone(Event):
    """The user's text and the best one on seeds that nothing was chosen on, by the objective (0 to 1); `verdict` is theirs."""

    event: Literal["heldout"] = "heldout"
    user: float | None
    best: float | None
    accepted: bool
    verdict: Verdict = "unclear"


class BaselineDone(Event):
    """What another way of spending the same pictures gained; `gains` by evaluator and `objective`, of the seeds optimised on, from 0 to 1."""

    event: Literal["baseline"] = "baseline"
    way: str
    text: str
    objective: float | None = None
    gains: dict[str, float | None]
    images: int
    note: str = ""


class AblationDone(Event):
    """What each phrase of `text` adds on the unseen seeds, and the text without the idle ones where that was asked for."""

    event: Literal["ablation"] = "ablation"
    text: str
    effects: tuple[Effect, ...]
    shortened: Shortened | None = None
