"""What indexing leaves behind."""

from __future__ import annotations

from ...runtime.folder import RunResult, Task
from ...tools.index import Ingested

__all__ = ["IndexResult", "IndexedFolder"]


class IndexedFolder(Task):
    """What was done with a folder. `held`: passages that the index holds now, of all collections."""

    ingested: Ingested
    held: int


class IndexResult(RunResult[IndexedFolder]):
    """A run over one folder; without a task where the budget left no room for it."""

    @property
    def ingested(self) -> Ingested:
        """What this run did, in documents."""
        return self.tasks[0].ingested

    @property
    def held(self) -> int:
        """Passages that the index holds now, of all collections."""
        return self.tasks[0].held

    def finding(self) -> str:
        """What was done, and how much the index holds."""
        if not self.tasks:
            return "nothing was indexed"
        done = self.ingested
        counts = {
            "added": done.added,
            "changed": done.changed,
            "unchanged": done.unchanged,
            "given the vectors that they lacked": done.embedded,
            "deleted": done.deleted,
            "could not be read": len(done.failed),
            "not looked at": done.left,
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return (
            f"{done.collection}: {told or 'nothing to do'}; {done.passages} passages written, {self.held} in the index"
        )
