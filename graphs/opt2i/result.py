"""What a search leaves behind: every trial, what was chosen, and what held-out checks made of it.

`result.json` of a run folder is an `Opt2iResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from pydantic import Field

from ...agents.scene import Question
from ...runtime.records import BlobRef, Part, Record, Score
from ...runtime.run import RunResult, Task

__all__ = ["Baseline", "Comparison", "HeldOut", "Opt2iResult", "Opt2iTask", "Question", "Trial", "TrialImage"]


class TrialImage(Record):
    """One picture of a trial with its scores by evaluator."""

    seed: int
    image: BlobRef
    scores: dict[str, Score] = Field(default_factory=dict)


class Trial(Record):
    """One text that was realised and scored. `scores`: mean over its images by evaluator, None if unscored.

    `objective` is what the loop climbed; `parts`: mean of each question or phrase over the images, by evaluator.
    `iteration` 0 is the user's own text.
    """

    id: str
    iteration: int
    text: str
    parent: str | None = None
    objective: float | None = None
    scores: dict[str, float | None] = Field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = Field(default_factory=dict)
    images: tuple[TrialImage, ...] = ()
    note: str = ""


class HeldOut(Record):
    """A text scored on seeds that nothing was chosen on; `scores` are means over `images` by evaluator."""

    text: str
    scores: dict[str, float | None]
    images: tuple[TrialImage, ...] = ()


class Comparison(Record):
    """One row of the table: a way of getting a better prompt, by its gain over the user's text on unseen seeds.

    `gain`, `ci`: in points of the evaluator (DSG and dCS: 0-100), mean and 95 % bootstrap interval over prompts (over seeds when
    there is one prompt). `images` is the image budget that the way spent on optimising.
    """

    way: str
    evaluator: str
    gain: float | None
    ci: tuple[float, float] | None = None
    n: int = 0
    images: int = 0
    note: str = ""


class Baseline(Record):
    """What another way of spending the same pictures gained on one prompt; `gains` by evaluator, in its own unit."""

    way: str
    text: str
    gains: dict[str, float | None]
    images: int
    note: str = ""


class Opt2iTask(Task):
    """One user's text from first score to held-out check."""

    text: str
    stop: str
    iterations: int
    questions: tuple[Question, ...] = ()
    questioner: str = ""
    phrases: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    best: str = ""
    accepted: bool = False
    heldout_seeds: tuple[int, ...] = ()
    heldout: dict[str, HeldOut] = Field(default_factory=dict)
    baselines: tuple[Baseline, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def chosen(self) -> str:
        """The text to use: the best one if the held-out check confirmed it, else the user's own."""
        return next(trial.text for trial in self.trials if trial.id == self.best) if self.accepted else self.text


class Opt2iResult(RunResult[Opt2iTask]):
    """The whole run, with the table of what each way of spending the pictures gained."""

    comparisons: tuple[Comparison, ...] = ()
