"""What the two loops leave behind: rows with a caption or with the reason why not, and captioners with what they are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ...evaluators.stats import Estimate
from ...runtime.display import Forest, Interval, points
from ...runtime.folder import RunResult, Task
from ...runtime.records import Record
from ...tools.captioning import Trained
from ...tools.data import CaptionRow

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = [
    "CaptionSynthesisResult",
    "CaptionTrainingResult",
    "CaptionedRow",
    "Measured",
    "Proposal",
    "TrainedCaptioner",
    "figures",
]


class Proposal(Record):
    """A caption that was written. `read`: what the reader answered from it; `why`: why it was not taken, "" where it may be."""

    caption: str
    read: str | None = None
    soft: float | None = None
    hard: float | None = None
    cider: float | None = None
    why: str = ""


class CaptionedRow(Task):
    """What became of a row. `caption`: the one taken; `reason`: why there is none."""

    row: CaptionRow
    outcome: Literal["accepted", "refused", "failed"]
    caption: str | None = None
    soft: float | None = None
    hard: float | None = None
    cider: float | None = None
    reason: str = ""
    proposals: tuple[Proposal, ...] = ()


class CaptionSynthesisResult(RunResult[CaptionedRow]):
    """All rows that were worked on, in order. `left`: rows that the budget had no room for; `files`: what was written."""

    left: int = 0
    files: tuple[str, ...] = ()

    @property
    def accepted(self) -> list[CaptionedRow]:
        """The rows with a caption."""
        return [task for task in self.tasks if task.outcome == "accepted"]

    def finding(self) -> str:
        """How many rows have a caption."""
        return f"{len(self.accepted)} of {len(self.tasks)} rows have a caption"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a row: its caption with the scores it was chosen by, or why it has none."""
        return [
            {
                "id": task.id,
                "question": task.row.question or "",
                "outcome": task.outcome,
                "caption": task.caption or "",
                "soft": task.soft,
                "hard": task.hard,
                "cider": task.cider,
                "captions written": len(task.proposals),
                "reason": task.reason,
            }
            for task in self.tasks
        ]


def figures(tasks: Sequence[CaptionedRow]) -> dict[str, Any]:
    """Rows by outcome, the captions that were written, and the mean soft accuracy of those taken."""
    outcomes = Counter(task.outcome for task in tasks)
    soft = [task.soft for task in tasks if task.outcome == "accepted" and task.soft is not None]
    return {
        "rows": len(tasks),
        **{name: outcomes.get(name, 0) for name in ("accepted", "refused", "failed")},
        "captions": sum(len(task.proposals) for task in tasks),
        "mean_soft_accuracy": round(sum(soft) / len(soft), 4) if soft else None,
    }


class TrainedCaptioner(Task):
    """A captioner; its id is what it was trained on: "question" or "generic"."""

    trained: Trained


class Measured(Record):
    """By captioner ("start" is what the training started from): the recall of answers on `rows` held-out questions.

    `reader`: who answered from the captions; `gain_over`: of the one trained for questions, in pairs; `samples`: first captions.
    """

    reader: str
    rows: int
    samples: dict[str, tuple[str | None, ...]]
    gain_over: dict[str, Estimate]
    recall: dict[str, Estimate]


class CaptionTrainingResult(RunResult[TrainedCaptioner]):
    """The captioners of a run; `test` is None where nothing was measured."""

    test: Measured | None = None

    def finding(self) -> str:
        """The recall of the captioner that was trained for questions, beside what it is compared with."""
        if self.test is None:
            return f"{len(self.tasks)} captioner{'' if len(self.tasks) == 1 else 's'} trained, not measured"
        names = {
            "start": "as it started",
            "question": "trained for questions",
            "generic": "trained on unasked captions",
        }
        values = [
            f"{points(recall.value)} {names[name]}"
            for name, recall in self.test.recall.items()
            if recall.value is not None
        ]
        return f"Answers that can be had from the captions, percent: {', '.join(values) or 'not measured'}"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a captioner: what it was trained on, and its loss."""
        return [
            {
                "trained for": task.id,
                "rows": task.trained.rows,
                "steps": task.trained.steps,
                "last loss": task.trained.losses[-1],
                "parameters": task.trained.parameters,
                "folder": task.trained.folder,
            }
            for task in self.tasks
        ]

    def forests(self) -> tuple[Forest, ...]:
        """The recall of the captioners, and what the one for questions gains over the others."""
        if self.test is None:
            return ()
        recall = Forest(
            title=f"Answers in captions, percent of {self.test.rows} held-out questions, 95 % intervals",
            rows=_intervals(self.test.recall),
            gains=False,
        )
        gain = Forest(title="Gain of the one trained for questions, points", rows=_intervals(self.test.gain_over))
        return (recall, gain)


def _intervals(estimates: Mapping[str, Estimate]) -> tuple[Interval, ...]:
    def interval(name: str, share: Estimate) -> Interval:
        low, high = (100 * end for end in share.ci) if share.ci else (None, None)
        value = None if share.value is None else 100 * share.value
        return Interval(name, value, low, high, main=name == "question")

    return tuple(interval(name, share) for name, share in estimates.items())
