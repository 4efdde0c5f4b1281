"""A matplotlib figure that shows itself in a notebook; imported where one is drawn, for it imports matplotlib."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """A `Figure` with a picture of itself. A plain one has none in a notebook that has not imported pyplot."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()
