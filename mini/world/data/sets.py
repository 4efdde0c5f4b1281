"""The data sets that there are, by their names on the command line."""

from __future__ import annotations

from .audits import AUDIT
from .classes import CLASSES
from .conflicts import CONFLICTS
from .copies import COPIES
from .pictures import DrawnSet
from .views import CLIPS, DOMAIN_VIEWS, SCENES

__all__ = ["SETS"]

SETS: dict[str, DrawnSet] = {
    each.name: each for each in (CLASSES, CONFLICTS, DOMAIN_VIEWS, SCENES, CLIPS, AUDIT, COPIES)
}
