"""How far judges agree with labelled answers, as a file: what an ensemble's weights were certified on.

`inloop certify judges` writes it; `--vqa FILE.json` opens its members with its weights. It names each member by its revision: weights that were
certified for one model say nothing about another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...runtime.text import read_text

__all__ = ["Certificate", "CertifiedJudge", "Figures", "read_certificate"]


class Figures(Record):
    """How a judge did on labelled questions: shares of right answers over pictures with a 95 % interval, Cohen's kappa, the Brier score.

    `brier` is the mean squared distance of P(yes) from the label, 0 at best. `answered`: questions that it gave yes or no to.
    """

    accuracy: float | None
    interval: tuple[float, float] | None
    kappa: float | None
    brier: float | None
    answered: int


class CertifiedJudge(Record):
    """One member: what opens it, what it was, its weight and its figures."""

    spec: str
    model: str
    revision: str
    weight: float
    figures: Figures


class Certificate(Record):
    """What judges were certified on, and what came out.

    `sha256` is that of the labels: every picture's content, question and answer. `certified`: weights that were fitted were better
    than equal ones on pictures that they were not fitted on; else the weights are equal. `why` says so in words. `equal` and
    `weighted`: the ensemble's figures, with weights fitted on other pictures than each is judged on.
    """

    kind: Literal["inloop judges"] = "inloop judges"
    data: str
    sha256: str
    questions: int
    pictures: int
    members: tuple[CertifiedJudge, ...]
    certified: bool
    why: str
    equal: Figures | None = None
    weighted: Figures | None = None

    def in_words(self) -> str:
        """In one sentence."""
        return f"{self.why} ({self.data}, {self.questions} questions on {self.pictures} pictures, sha256 {self.sha256[:12]})"


def read_certificate(path: Path) -> Certificate:
    """Raises `BadInput` where the file is no certificate of judges."""
    try:
        return Certificate.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{str(path)!r} is no certificate of judges ({where or 'it'}: {first['msg'].lower()}):"
            " write one with `inloop certify judges LABELS --vqa 'A + B' --to FILE.json`."
        ) from None
