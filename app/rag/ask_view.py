"""How far a run of `inloop ask` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...graphs import rag as room
from ..cli import RunView, clip, printable

if TYPE_CHECKING:
    from ...graphs.rag import RagConfig
    from ...runtime.session import Event

__all__ = ["AskView"]


class AskView(RunView):
    """How far a run is: of one question its decisions, of many how many are answered."""

    def __init__(self, config: RagConfig) -> None:
        super().__init__("questions")
        self._single = len(config.questions) == 1

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        if not isinstance(event, room.Decided):
            return super().see(event)
        if not self._single:
            return []
        why = f"  ({clip(printable(event.why), 90)})" if event.why else ""
        return [f"{event.step:9} {clip(printable(event.said), 80)}{why}"]
