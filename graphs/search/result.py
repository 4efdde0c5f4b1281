"""What a search for a text leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...runtime.display import Forest, Interval, counted, signed
from ...runtime.folder import RunResult
from ..opt2i import Comparison, SearchedTask

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["SearchResult"]


class SearchResult(RunResult[SearchedTask]):
    """The whole run; `comparisons`: by score, the mean gain of the best text over the user's on unseen instances."""

    comparisons: tuple[Comparison, ...] = ()

    def finding(self) -> str:
        """How many gains hold on unseen instances, and what they are for a single text."""
        accepted = sum(task.accepted for task in self.tasks)
        if len(self.tasks) != 1:
            return f"{counted(len(self.tasks), 'text')}: {accepted} confirmed on unseen instances"
        [task] = self.tasks
        if not task.heldout:
            return "One text: nothing was looked at on unseen instances"
        changes = ", ".join(f"{row.evaluator} {signed(row.gain)}" for row in self.comparisons if row.gain is not None)
        if task.broken:
            return f"One text: the best one breaks a floor on unseen instances ({task.broken})"
        if accepted and task.verdict != "gain":
            return f"One text: the best one holds the floors on unseen instances, and your own breaks one there ({changes} points)"
        return f"One text: {'' if accepted else 'no '}confirmed gain on unseen instances ({changes} points)"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a text: the best one beside it, and their scores on unseen instances in points."""
        return [self._row(task) for task in self.tasks]

    def forests(self) -> tuple[Forest, ...]:
        """By score, what the best texts gained."""
        if not self.comparisons:
            return ()
        return (
            Forest(
                title="mean gain over the user's text in points, on unseen instances, with 95 % intervals",
                rows=tuple(Interval.of(row.evaluator, row.gain, row.ci, main=True) for row in self.comparisons),
            ),
        )

    def _row(self, task: SearchedTask) -> dict[str, Cell]:
        user, best = task.heldout.get("user"), task.heldout.get("best")
        row: dict[str, Cell] = {"id": task.id, "text": task.text, "best text": task.best_text}
        for name, value in (user.scores if user else {}).items():
            row[name] = _points(value)
            row[f"{name} of the best"] = _points(best.scores.get(name) if best else None)
        return row | {
            "confirmed": task.accepted,
            "verdict": task.verdict,
            "floors": task.broken or None,
            "candidates": len(task.trials),
            "stop": task.stop,
        }


def _points(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)
