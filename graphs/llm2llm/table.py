"""What each arm was worth: one line an arm, with the gain over the seeds alone.

The gain of an arm is taken over fine-tuning on the same seeds in the same repeat, so that the draw of the seeds cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...evaluators.stats import mean, paired_gain, standard_error
from .arms import ARMS
from .result import ArmRow, ArmRun, ArmValue, Measured

__all__ = ["table", "undertrained"]


def table(runs: Sequence[ArmRun], main: str, *, redrawn: bool = True) -> list[ArmRow]:
    """One line an arm, in the order of `ARMS`.

    `redrawn` False: every repeat learned from the same seeds. What it spreads over is then no draw of the seeds, and there is no
    standard error of it.
    """
    seeds_alone = {run.repeat: run.test for run in runs if run.way == "seed-only"}
    size = mean([float(run.added) for run in runs if run.way == main]) or 0.0
    by_arm = {name: [run for run in runs if run.way == name] for name in ARMS}
    return [_row(name, members, seeds_alone, size, redrawn) for name, members in by_arm.items() if members]


def _row(
    name: str, runs: Sequence[ArmRun], seeds_alone: dict[int, Measured | None], size: float, redrawn: bool
) -> ArmRow:
    base = {} if name == "seed-only" else seeds_alone
    values = [_value(run, base.get(run.repeat)) for run in runs]
    added = mean([float(run.added) for run in runs]) or 0.0
    gain_se = _spread([value.gain for value in values]) if redrawn else None
    fewer = name != "seed-only" and added < size - 0.5
    return ArmRow(
        way=name,
        accuracy=mean([value.accuracy for value in values]),
        se=_spread([value.accuracy for value in values]) if redrawn else None,
        gain=mean([value.gain for value in values]),
        gain_se=gain_se,
        ci=_interval([(base.get(run.repeat), run.test) for run in runs]) if gain_se is None else None,
        repeats=len(runs),
        rows=round(added, 1),
        note=f"fewer rows: {', '.join(sorted({run.stop for run in runs}))}" if fewer else "",
        values=tuple(values),
    )


def _spread(values: Sequence[float | None]) -> float | None:
    """Their standard error; None where all are the same: so few draws cannot show that there is no spread."""
    return standard_error(values) or None


def _interval(pairs: Sequence[tuple[Measured | None, Measured | None]]) -> tuple[float, float] | None:
    """The 95 % interval of the gain over the test rows, in points; of each row the mean over the repeats is taken."""
    before = [pair[0].right for pair in pairs if pair[0] is not None]
    after = [pair[1].right for pair in pairs if pair[1] is not None]
    if not before or not after:
        return None
    return paired_gain(_points(before), _points(after)).ci


def _points(repeats: Sequence[tuple[bool, ...]]) -> list[float]:
    return [100.0 * sum(right) / len(repeats) for right in zip(*repeats, strict=True)]


def _value(run: ArmRun, before: Measured | None) -> ArmValue:
    accuracy = None if run.test is None else 100 * run.test.accuracy
    gain = None if accuracy is None or before is None else round(accuracy - 100 * before.accuracy, 6)
    return ArmValue(repeat=run.repeat, accuracy=accuracy, gain=gain, rows=run.added, stop=run.stop)


def undertrained(rows: Sequence[ArmRow]) -> str:
    """A note where the seeds alone, repeated, gain by more than chance: then the other gains are not the rows' alone. Else empty."""
    repeated = next((row for row in rows if row.way == "repeated"), None)
    if repeated is None or repeated.verdict != "better":
        return ""
    return (
        f"the seeds repeated gain {repeated.gain:+.1f} points: more training alone does that, so the student is not trained to its end and"
        " the gains of all ways hold some of it. Give it more updates (--student 'local?updates=160'; embedding: a larger ?c=)"
    )
