"""A run of LLM2LLM in a process of its own that kills itself at a chosen write; imported by that process, so it is no test module."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from row_stand_ins import WordStudent

from inloop.graphs.llm2llm import Llm2LlmConfig, llm2llm
from inloop.runtime.folder import run_folder as runs
from inloop.runtime.run import carry
from inloop.runtime.settings import Settings
from inloop.runtime.store import blobs, ledger_rows

__all__ = ["go"]


class Writes:
    """Counts the writes of a run; at number `fatal` the process is killed, before the write or after it."""

    def __init__(self, fatal: int, after: bool, log: Path) -> None:
        self.fatal, self.after, self.log, self.count = fatal, after, log, 0

    def around(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)
        if asyncio.iscoroutinefunction(real):

            async def write(*args: Any, **kwargs: Any) -> Any:
                here = self._begin()
                found = await real(*args, **kwargs)
                self._end(here)
                return found

        else:

            def write(*args: Any, **kwargs: Any) -> Any:  # type: ignore[misc]
                here = self._begin()
                found = real(*args, **kwargs)
                self._end(here)
                return found

        setattr(owner, name, write)

    def _begin(self) -> int:
        self.count += 1
        self.log.write_text(str(self.count), encoding="utf-8")
        if self.count == self.fatal and not self.after:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.count

    def _end(self, here: int) -> None:
        if here == self.fatal and self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def go(runs_dir: str, run_id: str, fatal: int, after: bool) -> None:
    """Start or resume the run; die at write number `fatal` (0: never)."""
    writes = Writes(fatal, after, Path(runs_dir) / "writes")
    writes.around(blobs, "write_whole")
    writes.around(runs.RunFolder, "event")
    writes.around(ledger_rows.LedgerRows, "send")
    for name in ("aput", "aput_writes"):
        writes.around(AsyncSqliteSaver, name)
    folder = runs.RunFolder.open(Path(runs_dir), run_id)
    models = {"student": WordStudent()}
    config = folder.config_as(Llm2LlmConfig)
    asyncio.run(
        carry(
            llm2llm,
            config,
            folder=folder,
            settings=Settings(runs_dir=Path(runs_dir)),
            parts={"models": models},
            resumed=True,
        )
    )
