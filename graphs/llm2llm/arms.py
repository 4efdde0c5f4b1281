"""The arms of the experiment: the ways of getting more rows that are compared at equal size.

seed-only     the seeds alone
repeated      the seeds again: more updates, no new rows
eda           noisy copies of seeds (Wei & Zou 2019)
random        the teacher, for seeds drawn blindly: augmentation without targeting
paper         the paper's rule: seeds that the student, trained on them, gets wrong; one row each; ROUGE-L 0.95; no check of labels
ours          seeds that are wrong out of fold, the wrong answer shown, labels verified, leaks refused, dev decides
soup          the weights of ours after each kept step, averaged (only with --soup)
oracle        real rows that were held back: not a teacher, the ceiling

In JSON and on pages an arm is called a way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["ARMS", "COMPARISONS", "Arm", "Mining", "arms_of", "words_of"]

Mining = Literal["seeds", "out of fold", "random"]
"""How the seeds to write for are found; see `mistakes`."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm. `rows`: who writes; `checks`: what a row must pass: all checks, the paper's ROUGE-L 0.95 alone, or none."""

    name: str
    mining: Mining
    rows: Literal["none", "copies", "noise", "teacher", "pool"]
    checks: Literal["all", "paper", "none"]
    words: str


ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(name="seed-only", mining="random", rows="none", checks="none", words="seeds alone"),
        Arm(name="repeated", mining="random", rows="copies", checks="none", words="seeds repeated"),
        Arm(name="eda", mining="random", rows="noise", checks="none", words="noisy seeds (EDA)"),
        Arm(name="random", mining="random", rows="teacher", checks="all", words="teacher, seeds at random"),
        Arm(name="paper", mining="seeds", rows="teacher", checks="paper", words="LLM2LLM, the paper's rule"),
        Arm(name="ours", mining="out of fold", rows="teacher", checks="all", words="LLM2LLM, ours"),
        Arm(name="soup", mining="out of fold", rows="none", checks="none", words="LLM2LLM, ours, a soup of its steps"),
        Arm(name="oracle", mining="random", rows="pool", checks="none", words="real rows (oracle, no teacher)"),
    )
}
COMPARISONS = tuple(name for name in ARMS if name not in ("ours", "soup"))


def arms_of(names: Sequence[str], main: str, *, pool: bool) -> list[str]:
    """The arms to run, the main one first: it decides how many rows the others get. `oracle` needs a pool of real rows."""
    wanted = list(names)
    if "all" in wanted:
        wanted = [name for name in COMPARISONS if name != "oracle" or pool]
        wanted.append("ours")
    return [main, *(name for name in ARMS if name in wanted and name != main)]


def words_of(name: str) -> str:
    """An arm in words."""
    return ARMS[name].words if name in ARMS else name
