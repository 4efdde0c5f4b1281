"""What a comparison of encoders leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ...evaluators.features import Ranking
from ...evaluators.stats import Estimate
from ...runtime.display import Forest, Interval
from ...runtime.folder import RunResult, Task

if TYPE_CHECKING:
    from ...runtime.display import Cell

__all__ = ["CompareResult", "EncoderTask"]


class EncoderTask(Task):
    """One encoder; intervals are over test pictures, with what was learned held fixed.

    `size`: numbers of a vector. `probe_by_seed`: the probe's accuracy by validation split; `probe` is of the first. `k_shot_spread`: the
    standard deviation over draws of the examples. `zero_shot` is None where `no_zero_shot` says why. `shifted`: the first probe on
    each further set.
    """

    encoder: str
    size: int
    probe: Estimate
    penalty: float
    penalty_at_edge: bool
    probe_by_seed: tuple[float, ...]
    correct: tuple[float, ...]
    worst_class: str
    worst: float
    knn: Estimate
    k_shot: Estimate
    k_shot_spread: float
    zero_shot: Estimate | None = None
    no_zero_shot: str = ""
    shifted: dict[str, Estimate] = Field(default_factory=dict)


class CompareResult(RunResult[EncoderTask]):
    """The comparison: `train` and `test` pictures of `classes`. `ranking` is by the probe; None where no encoder was finished."""

    loop: str = "encoders"
    tasks: tuple[EncoderTask, ...] = ()
    train: int
    test: int
    classes: tuple[str, ...]
    ranking: Ranking | None = None

    def finding(self) -> str:
        """Who is first by the linear probe, and how sure that is."""
        if self.ranking is None:
            return "no encoder was finished"
        best, rivals = self.ranking.order[0], []
        for pair in self.ranking.pairs:
            if best in (pair.one, pair.other) and not pair.differs:
                rivals.append(pair.other if pair.one == best else pair.one)
        if len(self.ranking.order) == 1:
            return f"{best} alone was compared"
        return f"first by linear probe: {best}" + (f"; not told apart from {', '.join(rivals)}" if rivals else "")

    def rows(self) -> list[dict[str, Cell]]:
        """One row an encoder, in the order of the probe."""
        order = [] if self.ranking is None else self.ranking.order
        tasks = {task.encoder: task for task in self.tasks}
        return [self._row(tasks[name]) for name in order]

    def _row(self, task: EncoderTask) -> dict[str, Cell]:
        low, high = task.probe.ci or (None, None)
        zero = None if task.zero_shot is None else task.zero_shot.value
        return {
            "encoder": task.encoder,
            "probe": task.probe.value,
            "low": low,
            "high": high,
            "first": None if self.ranking is None else self.ranking.first[task.encoder],
            "kNN": task.knn.value,
            "k-shot": task.k_shot.value,
            "k-shot spread": task.k_shot_spread,
            "zero-shot": zero,
            "worst class": task.worst_class,
            "its accuracy": task.worst,
            **{f"shifted: {name}": each.value for name, each in task.shifted.items()},
        }

    def forests(self) -> tuple[Forest, ...]:
        """The probe's accuracy of each, and the paired differences."""
        if self.ranking is None:
            return ()
        tasks = {task.encoder: task for task in self.tasks}
        ordered = [tasks[name] for name in self.ranking.order]
        rows = tuple(Interval.of(task.encoder, task.probe.value, task.probe.ci) for task in ordered)
        alone = Forest(
            title="Linear probe: accuracy, with 95 % intervals over test pictures", rows=rows, gains=False, digits=3
        )
        pairs = tuple(
            Interval.of(f"{pair.other} over {pair.one}", pair.gain.gain.value, pair.gain.gain.ci)
            for pair in self.ranking.pairs
        )
        if not pairs:
            return (alone,)
        return alone, Forest(title="Paired differences of the probe, with 95 % intervals", rows=pairs, digits=3)
