"""Whether a written training row may be used: form, duplicates, and what verifiers say of it."""

from .checks import Judged, RowChecks, RowTable
from .duplicates import Contamination, KnownTexts, contamination, normal
from .languages import foreign
from .verifiers import ByStudent, SecondModel, Verifier, open_checker

__all__ = [
    "ByStudent",
    "Contamination",
    "Judged",
    "KnownTexts",
    "RowChecks",
    "RowTable",
    "SecondModel",
    "Verifier",
    "contamination",
    "foreign",
    "normal",
    "open_checker",
]
