"""What LLM2LLM's rows are worth on SNIPS: 10 rows a class, five draws of the seeds, every way at equal size.

The data are not part of inloop: set INLOOP_DATA to a folder with `llm2llm/snips/{train,test}.jsonl` (default: ../shared/data). The
student is the fast one, the teacher an oracle, which tests the loop and not a teacher; with `--llm` another than mini-writer, that
model is the teacher of a second table. With `--student local` or another that is fine-tuned: one step instead of three, and 30 test rows
a class.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from inloop.graphs.llm2llm import Llm2LlmResult, llm2llm
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.settings import Settings
from inloop.tools.data import per_class, read_rows

from .figures import Figure, Options

__all__ = ["measure"]

_TESTED = 30  # rows a class that a fine-tuned student answers


def measure(options: Options) -> list[Figure]:
    """Test accuracy of every way in points, with standard errors over the repeats."""
    root = Path(__file__).parent.parent
    data = Path(os.environ.get("INLOOP_DATA", root.parent / "shared" / "data")) / "llm2llm" / "snips"
    train, test = data / "train.jsonl", data / "test.jsonl"
    if not test.is_file():
        raise PrerequisiteError(
            f"there are no rows in {str(data)!r}", remedy="set INLOOP_DATA to the folder that holds llm2llm/snips"
        )
    teachers = [f"oracle:{train}"]
    if options.llm != "mini-writer":
        teachers.append(options.llm)
    student = options.student or "embedding"
    tuned = not student.startswith("embedding")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(runs_dir=folder, device=options.device)
        if tuned:
            lines = [row.model_dump_json() for row in per_class(read_rows(test), _TESTED, seed=0)]
            test = Path(folder) / "test.jsonl"
            test.write_text("\n".join(lines), encoding="utf-8")
        for teacher in teachers:
            result = llm2llm(
                str(train), test=str(test), seeds_per_class=10, student=student, teachers=(teacher,), steps=1 if tuned else 3,
                repeat=options.repeats, compare=("all",), settings=settings,
            )  # fmt: skip
            figures += _figures(result, "oracle" if teacher.startswith("oracle:") else teacher)
    return figures


def _figures(result: Llm2LlmResult, teacher: str) -> list[Figure]:
    found = []
    for row in result.table:
        if row.accuracy is None:
            continue
        reach = row.se or 0.0
        gain = "" if row.gain is None else f", gain {row.gain:+.1f} ± {row.gain_se or 0:.1f}"
        found.append(
            Figure(
                name=f"{teacher}: {row.way}", value=row.accuracy, unit="points", low=row.accuracy - reach, high=row.accuracy + reach,
                note=f"{row.rows:g} rows added, {row.repeats} repeats{gain}",
            )
        )  # fmt: skip
    found.append(Figure(name=f"{teacher}: whole run", value=result.seconds, unit="s"))
    return found
