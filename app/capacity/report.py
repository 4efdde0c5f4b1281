"""The page of a look at a student's capacity: the verdict, and where something was measured, offered against stored bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ..report import run_page
from .charts import stored_chart

if TYPE_CHECKING:
    from ...graphs.capacity import CapacityResult
    from ...runtime.store import BlobStore

__all__ = ["render"]

_KINDS = {"fits": "good", "does not fit": "bad", "cannot tell": "unknown"}


def render(result: CapacityResult, blobs: BlobStore) -> str:
    """The whole page as a string."""
    return run_page(
        result,
        blobs,
        template="capacity/capacity.html.j2",
        headline=result.fit.why,
        verdict=result.fit.verdict,
        kind=_KINDS[result.fit.verdict],
        chart=Markup(stored_chart(result.tasks)),
    )
