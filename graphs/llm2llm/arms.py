"""The ways of getting more rows that are compared at equal size, and the table of what each was worth.

    seed-only     the seeds alone
    repeated      the seeds again: more updates, no new rows
    eda           noisy copies of seeds (Wei & Zou 2019)
    random        the teacher, for seeds drawn blindly: augmentation without targeting
    paper         the paper's rule: seeds that the student, trained on them, gets wrong; one row each; ROUGE-L 0.95; no check of labels
    ours          seeds that are wrong out of fold, the wrong answer shown, labels verified, leaks refused, dev decides
    soup          the weights of ours after each kept step, averaged (only with --soup)
    oracle        real rows that were held back: not a teacher, the ceiling

The gain of a way is taken over fine-tuning on the same seeds in the same repeat, so that the draw of the seeds cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...evaluators.stats import mean, paired_gain
from .parts import Mining
from .result import Measured, WayRow, WayRun, WayValue

__all__ = ["COMPARISONS", "MAIN", "WAYS", "Way", "compared", "standard_error", "table", "undertrained"]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way. `rows`: who writes; `strict`: all checks, else ROUGE-L 0.95 alone ("paper") or none; `own_end`: it stops by itself."""

    name: str
    mining: Mining
    rows: Literal["none", "copies", "noise", "teacher", "pool"]
    checks: Literal["all", "paper", "none"]
    words: str


WAYS: dict[str, Way] = {
    way.name: way
    for way in (
        Way(name="seed-only", mining="random", rows="none", checks="none", words="seeds alone"),
        Way(name="repeated", mining="random", rows="copies", checks="none", words="seeds repeated"),
        Way(name="eda", mining="random", rows="noise", checks="none", words="noisy seeds (EDA)"),
        Way(name="random", mining="random", rows="teacher", checks="all", words="teacher, seeds at random"),
        Way(name="paper", mining="seeds", rows="teacher", checks="paper", words="LLM2LLM, the paper's rule"),
        Way(name="ours", mining="out of fold", rows="teacher", checks="all", words="LLM2LLM, ours"),
        Way(name="soup", mining="out of fold", rows="none", checks="none", words="LLM2LLM, ours, a soup of its steps"),
        Way(name="oracle", mining="random", rows="pool", checks="none", words="real rows (oracle, no teacher)"),
    )
}
MAIN = ("ours", "paper")
COMPARISONS = tuple(name for name in WAYS if name not in ("ours", "soup"))


def compared(names: Sequence[str], main: str, *, pool: bool) -> list[str]:
    """The ways to run, the main one first: it decides how many rows the others get. `oracle` needs a pool of real rows."""
    wanted = list(names)
    if "all" in wanted:
        wanted = [name for name in COMPARISONS if name != "oracle" or pool]
        wanted.append("ours")
    return [main, *(name for name in WAYS if name in wanted and name != main)]


def table(ways: Sequence[WayRun], main: str) -> list[WayRow]:
    """One line a way, in the order of `WAYS`."""
    base = {run.repeat: run.test for run in ways if run.way == "seed-only"}
    size = mean([float(run.added) for run in ways if run.way == main]) or 0.0
    rows = []
    for name in WAYS:
        mine = [run for run in ways if run.way == name]
        if mine:
            rows.append(_row(name, mine, base, size))
    return rows


def _row(name: str, mine: Sequence[WayRun], base: dict[int, Measured | None], size: float) -> WayRow:
    each = [_value(run, None if name == "seed-only" else base.get(run.repeat)) for run in mine]
    values = [one.accuracy for one in each]
    gains = [one.gain for one in each if one.gain is not None]
    ci = None
    if len(mine) == 1 and name != "seed-only":
        before, after = base.get(mine[0].repeat), mine[0].test
        if before is not None and after is not None:
            found = paired_gain([100.0 * x for x in before.right], [100.0 * x for x in after.right])
            ci = found.ci
    added = mean([float(run.added) for run in mine]) or 0.0
    note = ""
    if name not in ("seed-only",) and added < size - 0.5:
        reasons = sorted({run.stop for run in mine})
        note = f"fewer rows: {', '.join(reasons)}"
    return WayRow(
        way=name,
        accuracy=mean(values),
        se=standard_error([value for value in values if value is not None]),
        gain=None if name == "seed-only" else mean(gains),
        gain_se=None if name == "seed-only" else standard_error(gains),
        ci=ci,
        repeats=len(mine),
        rows=round(added, 1),
        note=note,
        values=tuple(each),
    )


def _value(run: WayRun, before: Measured | None) -> WayValue:
    accuracy = None if run.test is None else 100 * run.test.accuracy
    gain = None if accuracy is None or before is None else round(accuracy - 100 * before.accuracy, 6)
    return WayValue(repeat=run.repeat, accuracy=accuracy, gain=gain, rows=run.added, stop=run.stop)


def undertrained(rows: Sequence[WayRow]) -> str:
    """A note where the seeds alone, repeated, gain by more than chance: then the other gains are not the rows' alone. Else empty."""
    for row in rows:
        if row.way == "repeated" and row.gain is not None:
            clear = row.gain > 2 * row.gain_se if row.gain_se is not None else row.ci is not None and row.ci[0] > 0
            if row.gain > 0 and clear:
                return (
                    f"the seeds repeated gain {row.gain:+.1f} points: more training alone does that, so the student is not trained to"
                    " its end and the gains of all ways hold some of it. Give it more updates (--student 'local?updates=160';"
                    " embedding: a larger ?c=)"
                )
    return ""


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    middle = sum(values) / len(values)
    return math.sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
