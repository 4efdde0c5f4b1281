"""Where a training is kept while it is under way: one file, there whole or not at all."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import PrerequisiteError
from ...runtime.storage import disk_problem, draft_of

__all__ = ["Checkpoint"]

_PAUSE = 30.0  # seconds between two: that of a whole model holds twelve bytes a parameter


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The file `path`. `key` names all that the training depends on: a file with another key is not gone on from."""

    path: Path
    key: str = ""

    @staticmethod
    def is_due(saved: float) -> bool:
        """Whether the last one, written at the time `saved` of `time.monotonic`, is old enough."""
        return time.monotonic() - saved >= _PAUSE

    def write(self, state: dict[str, Any]) -> None:
        """Put `state` into the file, in the place of what was there. Raises `PrerequisiteError` where the disk refuses."""
        import torch

        draft = draft_of(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                torch.save({"key": self.key, **state}, file)
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise disk_problem(error, self.path) from error
        finally:
            draft.unlink(missing_ok=True)

    def read(self) -> dict[str, Any] | None:
        """What was written last, on the CPU; None where nothing was, or of another training.

        Raises:
            PrerequisiteError: the file is damaged.
        """
        import torch

        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise PrerequisiteError(
                f"the checkpoint {str(self.path)!r} cannot be read ({type(error).__name__}: {str(error)[:200]})",
                remedy="delete it, and the training begins anew.",
            ) from error
        return state if state.get("key") == self.key else None

    def remove(self) -> None:
        """Delete it, with what a kill in the middle of writing left behind."""
        for draft in self.path.parent.glob(f".{self.path.name}.*.tmp"):
            draft.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
