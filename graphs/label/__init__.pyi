from .config import LabelConfig
from .export import read_objects, table_csv
from .loop import label
from .result import Calibration, Labelled, LabelledObject, LabelResult
from .review import Added, Offer, Offered, Review

__all__ = [
    "Added",
    "Calibration",
    "LabelConfig",
    "LabelResult",
    "Labelled",
    "LabelledObject",
    "Offer",
    "Offered",
    "Review",
    "label",
    "read_objects",
    "table_csv",
]
