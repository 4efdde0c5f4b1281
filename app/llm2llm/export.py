"""The augmented data set of a run as files that other tools read: JSONL, Parquet where pyarrow is there, and a data set card.

    data/train.jsonl     seeds and added rows: id, text, label, origin, the lineage of what was added, and the rows' own further columns
    data/refused.jsonl   what was written and not taken, with the reason
    data/train.parquet   the same as train.jsonl
    data/README.md       the card; with it `datasets.load_dataset("DIR")` loads the folder

The files are made from the result and the blob store alone: the same run gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs.llm2llm import ArmRun, Llm2LlmConfig, Llm2LlmResult, judged_at, open_source, words_of
from ...runtime.records import Row
from ...runtime.storage import write_whole
from ...tools.data import json_lines, parquet, size_category

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["export", "records"]

_LINEAGE = ("seed", "mistake", "teacher", "prompt", "verifier", "agreement", "step")
_COLUMNS = {"id", "text", "label", "origin", *_LINEAGE}
_KINDS = {"agreement": "float64", "step": "int64"}


def export(result: Llm2LlmResult, blobs: BlobStore, folder: Path) -> list[Path]:
    """Write the files of the main arm's first repeat; gives their paths."""
    run = result.main_runs[0]
    rows = records(run, blobs, Llm2LlmConfig.model_validate(result.config))
    refused = [
        {**entry.model_dump(mode="json", exclude={"row"}), "step": step.step}
        for step in run.steps
        for entry in step.judged
        if entry.outcome != "accepted"
    ]
    written = [folder / "train.jsonl", folder / "refused.jsonl", folder / "README.md"]
    write_whole(written[0], json_lines(rows))
    write_whole(written[1], json_lines(refused))
    write_whole(written[2], _card(result, run, rows).encode("utf-8"))
    if (table := parquet(rows, _KINDS)) is not None:
        write_whole(folder / "train.parquet", table)
        written.append(folder / "train.parquet")
    return written


def records(run: ArmRun, blobs: BlobStore, config: Llm2LlmConfig) -> list[dict[str, Any]]:
    """The training set of an arm, one record a row, in the order it was learned in."""
    parts = open_source(config).parts(config.seed + run.repeat)
    steps = {entry.row.id: step.step for step in run.steps for entry in step.judged if entry.row is not None}
    blank = dict.fromkeys(_LINEAGE)
    rows: list[dict[str, Any]] = [
        {"id": row.id, "text": row.text, "label": row.label, "origin": "seed", **blank, **_own(row)}
        for row in parts.seeds
    ]
    for entry in judged_at(blobs, run.rows):
        if entry.row is not None:
            rows.append(
                {
                    "id": entry.row.id, "text": entry.row.text, "label": entry.row.label, "origin": "added", "seed": entry.seed,
                    "mistake": entry.wrong, "teacher": entry.teacher, "prompt": entry.prompt, "verifier": entry.verifier,
                    "agreement": entry.agreement, "step": steps.get(entry.row.id),
                    **_own(entry.row),
                }
            )  # fmt: skip
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def _own(row: Row) -> dict[str, Any]:
    """The further columns of a row; one with a name of the export's own is kept under "own_NAME"."""
    return {f"own_{name}" if name in _COLUMNS else name: value for name, value in row.meta.items()}


def _card(result: Llm2LlmResult, run: ArmRun, rows: list[dict[str, Any]]) -> str:
    oracle = run.teacher.startswith("oracle")
    source = (
        "real rows that were held back (an oracle, no teacher)" if oracle else f"written by {run.teacher or 'nobody'}"
    )
    worth = ["| way | rows added | test accuracy | gain |", "|---|---|---|---|"]
    for line in result.table:
        accuracy = (
            ""
            if line.accuracy is None
            else f"{line.accuracy:.1f}" + (f" ± {line.se:.1f}" if line.se is not None else "")
        )
        gain = "" if line.gain is None else line.words()
        worth.append(f"| {words_of(line.way)} | {line.rows:g} | {accuracy} | {gain} |")
    worth += ["", "Accuracy in points on the user's test rows; ± is a standard error over repeats."]
    worth = worth if result.table else []
    near = [
        f"- {found.group}: {found.exact} of {found.rows} added rows are copies of one of {found.texts} {found.group} rows,"
        f" {found.above} have a ROUGE-L above {found.threshold:g}"
        + ("" if found.mean is None else f"; mean of the largest ROUGE-L {found.mean:.2f}")
        for found in run.contamination
    ]
    task = str(result.task.get("kind", ""))
    front = ["---", "configs:", "- config_name: default", "  data_files: train.jsonl"]
    front += ["task_categories:", "- text-classification"] if task == "classification" else []
    front += ["tags:", "- synthetic", "- llm2llm", f"size_categories:\n- {size_category(len(rows))}", "---"]
    return "\n".join(
        [
            *front,
            f"# Training rows made by inloop llm2llm, run {result.run_id}",
            "",
            f"{run.seeds} seed rows of the user's and {run.added} added rows ({source}) for mistakes that a student made: {words_of(run.way)}.",
            "Each added row names its seed, the student's wrong answer, the teacher, the prompt's sha256, the verifier and the step.",
            f"Student: {result.models['student']['id']}. Verifier: {run.verifier or 'none'}. sha256 of the rows: {run.data_sha256}.",
            "",
            "The licence of the seed rows and the terms of the teacher's model hold for these rows; neither is known here.",
            "",
            "## What the rows were worth",
            "",
            *(worth or ["These rows were not measured on the test rows."]),
            "",
            "## Nearness to rows that are measured on",
            "",
            *(near or ["- nothing was compared"]),
            "",
        ]
    )
