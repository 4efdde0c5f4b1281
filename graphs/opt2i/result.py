"""What a search leaves behind: every trial, what was chosen, and what held-out checks made of it.

`result.json` of a run folder is an `Opt2iResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ...agents.scene import Question
from ...evaluators.stats import FEWEST, SetStatistics, Verdict
from ...runtime.display import Forest, Interval, counted, draw_forest, draw_steps, new_figure, signed
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Part, Record, Score
from .ways import Baseline, Comparison, PaperGain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...runtime.display import Cell

__all__ = [
    "Drift",
    "Effect",
    "HeldOut",
    "Look",
    "Opt2iResult",
    "Opt2iTask",
    "Question",
    "SearchedTask",
    "Shortened",
    "Trial",
    "TrialImage",
    "Wishes",
    "evaluator_name",
]


class TrialImage(Record):
    """One picture of a trial with its scores by evaluator."""

    seed: int
    image: BlobRef
    scores: dict[str, Score] = Field(default_factory=dict)


class Trial(Record):
    """One text that was realised and scored. `scores`: mean over its images by evaluator, None if unscored.

    `objective` is what the loop climbed; `parts`: mean of each question or phrase over the images, by evaluator.
    `iteration` 0 is the user's own text. `broken`: the floors that it does not hold, in words.
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
    broken: str = ""


class HeldOut(Record):
    """A text scored on seeds that nothing was chosen on; `scores` are means over `images` by evaluator, `broken` as of a trial."""

    text: str
    scores: dict[str, float | None]
    images: tuple[TrialImage, ...] = ()
    broken: str = ""


class Look(Record):
    """How far the proof of a gain of `text` over the user's own is, on `seeds` unseen seeds apart from those that are reported.

    `evidence`: how often a stake on the gain has grown; `needed` of it prove the gain, more for the second and each further one of the
    `texts` that were looked at. `least`: the lower end of the gain in points, valid however often one looks (confidence sequence).
    """

    text: str
    texts: int
    seeds: int
    evidence: float
    needed: float
    proven: bool
    least: float


class Wishes(Record):
    """What people wished in all `reviews` of a search: candidates to keep (ids), words that none may have, texts of their own, questions more."""

    keep: tuple[str, ...] = ()
    ban: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    reviews: int = 0


class Drift(Record):
    """What moved with the score, in the space of `encoder`.

    `similarity`: cosine of the best text with the user's. `diversity`: of "user" and "best", the mean of 1 - cosine between their pictures
    on the held-out seeds: 0 where all are alike.
    """

    similarity: float
    diversity: dict[str, float | None]
    encoder: str = ""


class Effect(Record):
    """What some words of a prompt do: the objective with them less that without them.

    `effect`, `ci`: in points, mean over the held-out seeds and its 95 % interval; `without` is the prompt that was painted instead.
    """

    phrase: str
    without: str
    effect: float | None
    ci: tuple[float, float] | None = None
    n: int = 0


class Shortened(Record):
    """A prompt without its idle words; `change` to the whole prompt in points on fresh seeds, and `kept` where it is no loss."""

    text: str
    change: float | None
    ci: tuple[float, float] | None = None
    n: int = 0
    kept: bool = False


class SearchedTask(Task):
    """One text from first score to held-out check, whatever it is a text of.

    `verdict`: what the unseen seeds say of the best text (with `prove`: the proof); `accepted`, that they say it is better, and that it holds
    the floors.
    """

    text: str
    stop: str
    iterations: int
    trials: tuple[Trial, ...] = ()
    best: str = ""
    accepted: bool = False
    verdict: Verdict = "unclear"
    heldout_seeds: tuple[int, ...] = ()
    heldout: dict[str, HeldOut] = Field(default_factory=dict)
    proof: Look | None = None
    wishes: Wishes | None = None
    baselines: tuple[Baseline, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def unproposed(self) -> str:
        """What came back where candidates were asked for and there was none at all; "" where there was one, or no need of any."""
        if not self.iterations or any(trial.iteration for trial in self.trials):
            return ""
        return next((text for text in self.warnings if text.startswith("no candidates")), "no candidates")

    @property
    def user_trial(self) -> Trial | None:
        """The trial of the user's own text."""
        return next((trial for trial in self.trials if trial.iteration == 0), None)

    @property
    def best_trial(self) -> Trial | None:
        """The best trial, where there is one; `best` is its id."""
        return next((trial for trial in self.trials if trial.id == self.best), None)

    @property
    def best_text(self) -> str:
        """The best text, whether or not the held-out check confirmed it: the user's own where nothing was better."""
        return self.text if self.best_trial is None else self.best_trial.text

    @property
    def broken(self) -> str:
        """The floors that the best text breaks, in words: on the unseen seeds, or where there are none on the others; "" for none."""
        if "best" in self.heldout:
            return self.heldout["best"].broken
        return "" if self.best_trial is None else self.best_trial.broken

    @property
    def chosen(self) -> str:
        """The text to use: the best one if the unseen seeds confirmed it, or none were asked for; else the user's own."""
        unchecked = not self.heldout_seeds and self.proof is None
        return self.best_text if self.accepted or unchecked else self.text


class Opt2iTask(SearchedTask):
    """One user's text from first score to held-out check.

    `unasked`: the words of the text that are in none of the `questions`. `effects`, `shortened`: of the text to use, where they were asked
    for.
    """

    questions: tuple[Question, ...] = ()
    questioner: str = ""
    unasked: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    drift: Drift | None = None
    effects: tuple[Effect, ...] = ()
    shortened: Shortened | None = None

    @property
    def chosen(self) -> str:
        """The text to use: the best one if the unseen seeds confirmed it, or none were asked for; else the user's own.

        Without its idle words, where they were looked for and leaving them out is no loss.
        """
        return self.shortened.text if self.shortened is not None and self.shortened.kept else super().chosen


class Opt2iResult(RunResult[Opt2iTask]):
    """The whole run, with the table of what each way of spending the pictures gained; `published`: as the paper's tables have it.

    `realism`: where there is a reference, the pictures on unseen seeds of all prompts as a set against it, of "user" and "best".
    """

    comparisons: tuple[Comparison, ...] = ()
    published: tuple[PaperGain, ...] = ()
    realism: dict[str, SetStatistics] = Field(default_factory=dict)

    @property
    def unproposed(self) -> str:
        """What came back where no prompt that candidates were asked for got one; "" where one did."""
        asked = [task for task in self.tasks if task.iterations]
        return asked[0].unproposed if asked and all(task.unproposed for task in asked) else ""

    @property
    def gain(self) -> Comparison | None:
        """What the loop gained by the score that it climbed, or by another one where that was not measured."""
        climbed = self.config.get("objective")
        own = [row for row in self.comparisons if row.own and row.gain is not None]
        return min(own, key=lambda row: row.evaluator != climbed, default=None)

    @property
    def rival(self) -> Comparison | None:
        """The baseline with the largest gain by the same score."""
        if (own := self.gain) is None:
            return None
        others = [row for row in self.comparisons if not row.own and row.evaluator == own.evaluator]
        return max((row for row in others if row.gain is not None), key=lambda row: row.gain or 0.0, default=None)

    def finding(self) -> str:
        """The gain on unseen seeds, the strongest baseline beside it."""
        what = "One prompt" if len(self.tasks) == 1 else counted(len(self.tasks), "prompt")
        if (own := self.gain) is None:
            return f"{what}: no gain was measured on unseen seeds"
        beside = "" if self.rival is None else f", {self.rival.name} {signed(self.rival.gain)}"
        change = f"{signed(own.gain)} points {evaluator_name(own.evaluator)}"
        proof = self.tasks[0].proof if len(self.tasks) == 1 else None
        if proof is None and own.verdict == "too few":
            items = "unseen seeds" if len(self.tasks) == 1 else "prompts"
            return f"{what}: too few {items} to say whether there is a gain ({change}{beside}; {own.n} of {FEWEST})"
        if not (proof.proven if proof else own.verdict == "gain"):
            return f"{what}: no confirmed gain on unseen seeds ({change}{beside})"
        return f"{what}: {change} on unseen seeds{beside}"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a prompt: the texts, their scores on unseen seeds in points, and two pictures of each."""
        return [self._row(task) for task in self.tasks]

    def forests(self) -> tuple[Forest, ...]:
        """By evaluator, what each way of spending the pictures gained."""
        names = dict.fromkeys(row.evaluator for row in self.comparisons)
        return tuple(
            Forest(
                title=f"{evaluator_name(name)}: mean gain over the user's prompt in points, on unseen seeds, with 95 % intervals",
                rows=tuple(
                    Interval.of(row.name, row.gain, row.ci, main=row.own)
                    for row in self.comparisons
                    if row.evaluator == name
                ),
            )
            for name in names
        )

    def plot(self) -> Figure:
        """The best objective so far by iteration for each prompt, above the gains on unseen seeds."""
        forests = self.forests()
        figure, panels = new_figure(1 + len(forests), height=2.2)
        climbs = {
            task.text: [
                (trial.iteration, 100 * trial.objective) for trial in task.trials if trial.objective is not None
            ]
            for task in self.tasks
        }
        objective = evaluator_name(str(self.config.get("objective", "objective")))
        draw_steps(panels[0], climbs, title=f"{objective} by iteration, in points, on the seeds that were optimised on")
        for axes, forest in zip(panels[1:], forests, strict=True):
            draw_forest(axes, forest)
        return figure

    def _row(self, task: Opt2iTask) -> dict[str, Cell]:
        user, best = task.heldout.get("user"), task.heldout.get("best")
        row: dict[str, Cell] = {
            "id": task.id,
            "prompt": task.text,
            "pictures": [shot.image for shot in user.images[:_PICTURES]] if user else None,
            "best prompt": task.best_text,
            "its pictures": [shot.image for shot in best.images[:_PICTURES]] if best else None,
        }
        for name in user.scores if user else ():
            row[evaluator_name(name)] = _points(user.scores.get(name) if user else None)
            row[f"{evaluator_name(name)} of the best"] = _points(best.scores.get(name) if best else None)
        return row | {
            "confirmed": task.accepted,
            "verdict": task.verdict,
            "candidates": len(task.trials),
            "stop": task.stop,
        }


def evaluator_name(name: str) -> str:
    """The name of an evaluator as its paper writes it."""
    return {"dsg": "DSG", "dcs": "dCS"}.get(name, name)


def _points(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


_PICTURES = 2
"""Of each prompt, in a table."""
