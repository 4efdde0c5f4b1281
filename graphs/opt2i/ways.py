"""The ways of getting a better prompt that a result sets beside each other: the loop and its baselines, and what each gained."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from ...evaluators.stats import FEWEST, Verdict
from ...runtime.records import Record

__all__ = ["Baseline", "Comparison", "PaperGain", "way_name"]


class Comparison(Record):
    """One row of the table: a way of getting a better prompt, by its gain over the user's text on unseen seeds.

    `gain`, `ci`: in points of the evaluator (DSG and dCS: 0-100), mean and 95 % bootstrap interval over prompts (over seeds when
    there is one prompt). `images` is the image budget that the way spent on optimising. `verdict`: whether the gain is more than
    luck (see `evaluators.stats.verdict_of`), over what the interval is over.
    """

    way: str
    evaluator: str
    gain: float | None
    ci: tuple[float, float] | None = None
    n: int = 0
    images: int = 0
    note: str = ""
    verdict: Verdict = "unclear"

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, given: Any) -> Any:
        """A result without verdicts has them from its intervals, of as many items as it takes now."""
        if not isinstance(given, dict) or "verdict" in given or not given.get("ci"):
            return given
        low, high = given["ci"]
        few = given.get("n", 0) < FEWEST
        return given | {"verdict": "too few" if few else "gain" if low > 0 else "loss" if high < 0 else "unclear"}

    @property
    def own(self) -> bool:
        """Whether it is the loop itself and no baseline."""
        return self.way in ("inloop", "opt2i")

    @property
    def name(self) -> str:
        """The way in words."""
        return way_name(self.way)


def way_name(way: str) -> str:
    """A way of getting a better prompt, in words."""
    words = {
        "inloop": "inloop (best prompt)",
        "opt2i": "inloop (best prompt)",
        "more seeds": "more seeds of your prompt",
        "one-shot feedback": "feedback on your prompt alone",
    }
    return words.get(way, way.replace("_", " "))


class PaperGain(Record):
    """A gain as the paper's tables have it: best less first on the seeds that were optimised on, mean over prompts.

    `gain`, `ci`: per cent of the first score where `relative` (dCS), else points.
    """

    way: str
    relative: bool
    gain: float | None
    ci: tuple[float, float] | None = None
    n: int = 0


class Baseline(Record):
    """What another way of spending the same pictures gained on one prompt; `gains` by evaluator, in its own unit.

    `objective`: of `text` on the seeds that were optimised on, where it was chosen there.
    """

    way: str
    text: str
    objective: float | None = None
    gains: dict[str, float | None]
    images: int
    note: str = ""
