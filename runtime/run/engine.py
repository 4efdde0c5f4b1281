"""What an engine is: it carries a run somewhere else than in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..folder import RunFolder, RunResult
    from ..session import RunConfig
    from ..settings import Settings
    from .worker import Listener

__all__ = ["Engine", "SharedLoop"]


class SharedLoop(Protocol):
    """What an engine asks of a `Loop`; the work itself is done by workers (`inloop work`)."""

    def begin_shared(self, config: Any, folder: RunFolder, settings: Settings) -> None:
        """Let workers find the run of a folder in the store."""

    def read_result(self, text: str, settings: Settings) -> RunResult[Any]:
        """A result from its JSON."""


class Engine(Protocol):
    """Carries runs."""

    async def carry(
        self,
        loop: SharedLoop,
        config: RunConfig,
        *,
        folder: RunFolder,
        settings: Settings,
        on_event: Listener,
        history: Listener,
        parts: Mapping[str, Any],
    ) -> RunResult[Any]:
        """Work on the run of a folder until there is a result; `on_event` hears what its workers tell, `history` what
        they told before.

        Raises:
            BadInput: it cannot be carried so, as with an object of this process among the `parts`.
            InloopError: what `Loop.run` raises.
        """
