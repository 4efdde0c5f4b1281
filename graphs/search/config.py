"""What can be asked of a search for a text of any kind."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ...runtime.session import option
from ..opt2i import MachineConfig

__all__ = ["SearchConfig"]


class SearchConfig(MachineConfig):
    """What is asked for: the text to begin with, and the task that says what becomes of a text and what that is worth."""

    SUBJECT: ClassVar[str] = "texts"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ()

    texts: Annotated[
        tuple[str, ...], option("the text to better; several give several searches", metavar="TEXT", min_length=1)
    ]
    task: Annotated[
        str, option("a Python file that defines `task`, or module:object: a SearchTask or its class", metavar="TASK")
    ] = ""
    objective: Annotated[
        str, option("the score to climb (0 to 1); default: what the task climbs", "search", "NAME")
    ] = ""
    instances: Annotated[
        int,
        option(
            "seeds that each text is tried on: a picture, a question, or what the task makes of one",
            "search",
            "N",
            ge=1,
            le=256,
        ),
    ] = 8

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are optimised on."""
        return self.first(self.instances)
