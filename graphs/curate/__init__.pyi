from .config import CurateConfig
from .export import read_rows, table_csv, undone
from .loop import curate
from .result import Audit, Cleaned, CuratedRow, CurateResult, Share, Sought, Theme
from .review import Offer, Review

__all__ = [
    "Audit",
    "Cleaned",
    "CurateConfig",
    "CurateResult",
    "CuratedRow",
    "Offer",
    "Review",
    "Share",
    "Sought",
    "Theme",
    "curate",
    "read_rows",
    "table_csv",
    "undone",
]
