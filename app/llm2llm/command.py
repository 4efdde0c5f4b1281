"""Fine-tune a small model on a few labelled rows, have a teacher write more where it errs, and see what that was worth.

A few dozen labelled rows in; out come the fine-tuned student, the augmented data set in which every row knows where it comes from,
and a table of what the teacher's rows were worth against fine-tuning on the seeds alone, repeating them, noise, and rows for
seeds drawn blindly, at equal size, with standard errors. A run that is stopped goes on with `inloop resume` and pays nothing twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from ...runtime.budget import Budget
from ...runtime.records import flags_checked
from ...runtime.run import RunFolder, discarded_if_refused
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ..cli import kept, log_to_stderr, progress

if TYPE_CHECKING:
    from ...graphs.llm2llm import Llm2LlmConfig
    from ...runtime.store import BlobStore

__all__ = ["add_arguments", "config_of", "llm2llm", "again", "report_page"]

_FAILED, _BUDGET = 1, 4
_PLAIN = (
    *(
        "test",
        "dev",
        "task",
        "about",
        "seeds_per_class",
        "dev_per_class",
        "student",
        "preset",
        "steps",
        "per_error",
        "rows",
    ),
    *("attempts", "folds", "rouge", "cosine", "agreement", "temperature", "repeat", "seed", "budget", "soup"),
)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop llm2llm`."""
    command.add_argument(
        "train",
        metavar="ROWS",
        help="labelled rows: .jsonl, .json, .csv, .tsv, .parquet, a saved data set, or hf:OWNER/NAME#SPLIT",
    )
    data = command.add_argument_group("data")
    data.add_argument(
        "--test", metavar="FILE", help="rows to measure on, looked at once; without it nothing is measured"
    )
    data.add_argument(
        "--dev", metavar="FILE", help="rows that decide whether a step's rows are kept (default: drawn from ROWS)"
    )
    data.add_argument(
        "--seeds-per-class", type=int, metavar="N", help="learn from N rows of each class (default: from all)"
    )
    data.add_argument("--dev-per-class", type=int, metavar="N", help="dev rows of each class from ROWS; 0 for none")
    data.add_argument("--text-column", metavar="NAME", help="default: text, question, sentence, ...")
    data.add_argument("--label-column", metavar="NAME", help="default: label, intent, answer, ...")
    task = command.add_argument_group("task")
    task.add_argument(
        "--task", metavar="TASK", help="classification (default), short-answer, multiple-choice, extraction, or a file"
    )
    task.add_argument("--labels", metavar="A,B", help="all labels, where some may be missing from ROWS")
    task.add_argument("--match", choices=("exact", "normalised", "number"), help="how short answers are compared")
    task.add_argument("--marker", metavar="TEXT", help="what stands before a short answer, as #### in GSM8K")
    task.add_argument("--about", metavar="TEXT", help="the task in a sentence, for the teacher")
    who = command.add_argument_group("models")
    who.add_argument(
        "--student",
        metavar="STUDENT",
        help="embedding (default, fast), local (LoRA on SmolLM2-135M), or a model folder",
    )
    who.add_argument(
        "--teacher", action="append", metavar="TEACHER",
        help="local (SmolLM2-135M, small), http://host:8000/v1[#model], openai:MODEL, or oracle:FILE (real rows, for tests); repeatable",
    )  # fmt: skip
    who.add_argument(
        "--verifier", action="append", metavar="WHO",
        help="auto (default), none, student (a classifier), self:VOTES, a model as --teacher[,votes=N], or a .py file with check(row); repeatable",
    )  # fmt: skip
    who.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, ...")
    how = command.add_argument_group("how")
    how.add_argument("--preset", choices=("ours", "paper"), help="ours (default), or the paper's rule")
    how.add_argument("--steps", type=int, metavar="N", help="rounds of writing rows (default: 3; paper: 9)")
    how.add_argument(
        "--per-error", type=int, metavar="N", help="rows for each mistake in a step (default: 4; paper: 1)"
    )
    how.add_argument("--rows", type=int, metavar="N", help="the most rows to add in all")
    how.add_argument(
        "--attempts", type=int, metavar="N", help="how often a step asks again for refused rows (default: 3)"
    )
    how.add_argument("--folds", type=int, metavar="N", help="mistakes are found out of N folds (default: 5)")
    how.add_argument("--rouge", type=float, metavar="F", help="ROUGE-L above which a row is a copy (default: 0.7)")
    how.add_argument("--cosine", type=float, metavar="C", help="cosine above which a row is a copy (default: 0.95)")
    how.add_argument(
        "--agreement", type=float, metavar="A", help="the verifier's agreement that is enough (default: its own)"
    )
    how.add_argument("--temperature", type=float, metavar="T", help="of the teacher (default: 1)")
    how.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same run (default: 0)")
    how.add_argument("--repeat", type=int, metavar="N", help="draw the seeds N times, for standard errors (default: 1)")
    how.add_argument(
        "--compare", metavar="WAYS",
        help="all, none, or of seed-only,repeated,eda,random,paper,oracle (default: the first three, which cost no teacher calls)",
    )  # fmt: skip
    how.add_argument(
        "--soup", choices=("none", "uniform", "greedy", "stock"), help="also average the students of the steps"
    )
    how.add_argument(
        "--budget", metavar="LIMITS", default=None, help="stop at limits such as tokens=100000,seconds=600,money=2"
    )
    how.add_argument(
        "--dry-run", action="store_true", help="say what the teacher would be asked and what it may cost, and stop"
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def config_of(args: argparse.Namespace) -> Llm2LlmConfig:
    """The settings of a run from its arguments; `BadInput` names the flag that cannot be used."""
    from ...graphs.llm2llm import Llm2LlmConfig

    Budget.parse(args.budget or "")
    given: dict[str, Any] = {name: getattr(args, name) for name in _PLAIN if getattr(args, name) is not None}
    given |= {"teachers": tuple(args.teacher)} if args.teacher else {}
    given |= {"verifiers": tuple(args.verifier)} if args.verifier else {}
    given |= (
        {"compare": tuple(part.strip() for part in args.compare.split(",") if part.strip())} if args.compare else {}
    )
    options = {"match": args.match, "marker": args.marker, "labels": args.labels and args.labels.split(",")}
    given["task_options"] = {name: value for name, value in options.items() if value is not None}
    given |= {"text": args.text_column, "label": args.label_column}
    with flags_checked({"teachers": "teacher", "verifiers": "verifier"}):
        return Llm2LlmConfig(train=args.train, **given)


def llm2llm(args: argparse.Namespace) -> int:
    """The command `inloop llm2llm`."""
    config = config_of(args)
    settings = Settings.load(device=args.device, runs_dir=args.out)

    from ...graphs.llm2llm import llm2llm as loop

    loop.inputs(config)
    if args.dry_run:
        from .plan import dry_run

        return dry_run(config, settings, json_output=args.json)
    with discarded_if_refused(RunFolder.create(settings.runs_dir, loop.name, config)) as folder:
        return _go(config, settings, folder, resumed=False, json_output=args.json)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command."""
    from ...graphs.llm2llm import Llm2LlmConfig

    config = folder.config_as(Llm2LlmConfig)
    return _go(config, settings, folder, resumed=True, json_output=json_output)


def _go(config: Llm2LlmConfig, settings: Settings, folder: RunFolder, *, resumed: bool, json_output: bool) -> int:
    from ...graphs.llm2llm import llm2llm as loop
    from ...runtime.run import carry
    from ...runtime.store import BlobStore
    from .export import export
    from .format import RowsView, as_json, in_words, refusal, stopped_by_budget
    from .report import render

    log_to_stderr(settings)
    with kept(folder, begun=lambda: bool(folder.events()), quiet=json_output):
        with progress(RowsView(repeat=config.repeat), sys.stderr, silent=json_output) as show:
            work = carry(loop, config, folder=folder, settings=settings, on_event=show, resumed=resumed)
            outcome = asyncio.run(work)
        blobs = BlobStore(settings.store_dir / "blobs")
        export(outcome, blobs, config, folder.path / "data")
        write_whole(folder.report_path, render(outcome, blobs).encode("utf-8"))
    why = refusal(outcome)
    if json_output:
        told = as_json(outcome, folder)
        if why:
            told |= {"error": {"kind": "nothing accepted", "message": why, "remedy": None}, "exit_code": _FAILED}
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(in_words(outcome, folder))
        if why:
            print(f"inloop: {why}", file=sys.stderr)
    return _FAILED if why else _BUDGET if stopped_by_budget(outcome) else 0


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run."""
    from ...graphs.llm2llm import Llm2LlmResult
    from .report import render

    return render(folder.result_as(Llm2LlmResult), blobs)
