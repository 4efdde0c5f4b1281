"""A task of one's own in a file: what it may hold, and how it is named where it breaks."""

import pytest

from inloop.runtime.errors import BadInput
from inloop.tools.tasks import open_task

TASK = """
from __future__ import annotations

from dataclasses import dataclass

from inloop.tools.tasks import Classification


@dataclass
class Scale:
    low: int = 0
    high: int = 9


class Urgency(Classification):
    @property
    def about(self) -> str:
        return f"from {Scale().low} to {Scale().high}"


task = Urgency(labels=("low", "high"))
"""


def test_a_file_may_hold_dataclasses(tmp_path):
    path = tmp_path / "urgency.py"
    path.write_text(TASK, encoding="utf-8")
    task = open_task(str(path), rows=[])
    assert type(task).__name__ == "Urgency" and task.labels == ("low", "high")


def test_a_file_that_breaks_is_named_with_its_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import os\n\nraise ValueError('no')\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"broken.py' does not run: ValueError: no .*line 3"):
        open_task(str(path), rows=[])
