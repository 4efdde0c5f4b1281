"""Data sets of the drawn world: labelled, in conflict, shifted, skewed, copied, moving, each with its exact truth, as Hugging Face folders."""

from .audits import PLAN, Subject, audit
from .export import Written, write_set
from .pictures import DrawnSet, Picture
from .sets import SETS

__all__ = ["PLAN", "SETS", "DrawnSet", "Picture", "Subject", "Written", "audit", "write_set"]
