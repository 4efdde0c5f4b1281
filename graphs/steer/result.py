"""What a search for a steering question leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime.display import Forest, Interval, signed
from ..opt2i import SearchedTask, Trial
from ..search import SearchResult
from .task import LOOKS

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["SteerResult"]


class SteerResult(SearchResult):
    """The search; `toward` is the cue. Figures of trials are on the pictures that were searched on, those of `comparisons` on unseen ones."""

    loop: str = "steer_vlm"
    toward: str = "shape"
    loss: float = 2.0

    def refused(self, task: SearchedTask) -> list[Trial]:
        """The questions that cost more accuracy than is allowed, or ignore the picture, the most biased first."""
        broken = [trial for trial in task.trials if self._why(trial)]
        return sorted(broken, key=lambda trial: -(trial.scores.get("bias") or 0.0))

    def front(self, task: SearchedTask) -> list[Trial]:
        """The questions that no other beats in both bias and accuracy, by falling accuracy."""
        known = [trial for trial in task.trials if _pair(trial) is not None]
        best = [one for one in known if not any(_beats(other, one) for other in known)]
        unique = {_pair(trial): trial for trial in reversed(best)}
        return sorted(unique.values(), key=lambda trial: -(trial.scores.get("accuracy") or 0.0))

    def finding(self) -> str:
        """What the best question moved on unseen pictures, and what it cost."""
        if len(self.tasks) != 1 or not self.tasks[0].heldout:
            return super().finding()
        [task] = self.tasks
        changes = {row.evaluator: row.gain for row in self.comparisons}
        if task.best_text == task.text:
            return "No question steers it within the accuracy that may be lost"
        moved = f"{self.toward} bias {signed(changes.get('bias'))}, accuracy {signed(changes.get('accuracy'))} points on unseen pictures"
        if task.broken:
            return f"Not held: {moved}; {task.broken}"
        return f"{'Steered' if task.accepted else 'Not confirmed'}: {moved}"

    def forests(self) -> tuple[Forest, ...]:
        """What the best question gained in bias and accuracy; the scores that guard the search are not drawn."""
        rows = [row for row in self.comparisons if row.evaluator in ("bias", "accuracy")]
        if not rows:
            return ()
        return (
            Forest(
                title="gain over your own question in points, on unseen pictures, with 95 % intervals over groups of 8",
                rows=tuple(Interval.of(row.evaluator, row.gain, row.ci, main=row.evaluator == "bias") for row in rows),
            ),
        )

    def rows(self) -> list[dict[str, Cell]]:
        """The front of each search, with what was refused told beside it."""
        return [
            {
                "question": trial.text,
                f"{self.toward} bias": _points(trial.scores.get("bias")),
                "accuracy": _points(trial.scores.get("accuracy")),
                "refused": self._why(trial) or None,
                "chosen": "chosen" if trial.text == task.best_text else None,
            }
            for task in self.tasks
            for trial in self.front(task)
        ]

    def _why(self, trial: Trial) -> str:
        if self.loss >= 100:
            return ""
        if trial.scores.get("looks") is None:
            return "never says yes"
        if (trial.scores["looks"] or 0.0) < LOOKS:
            return "names what is not there"
        gain = 2 * (trial.scores.get("kept") or 0.0) - 1
        return f"loses {-100 * gain:.1f} points" if gain < -self.loss / 100 - 1e-9 else ""


def _pair(trial: Trial) -> tuple[float, float] | None:
    bias, accuracy = trial.scores.get("bias"), trial.scores.get("accuracy")
    return None if bias is None or accuracy is None else (bias, accuracy)


def _beats(one: Trial, other: Trial) -> bool:
    mine, theirs = _pair(one), _pair(other)
    return mine is not None and theirs is not None and mine != theirs and mine[0] >= theirs[0] and mine[1] >= theirs[1]


def _points(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 1)
