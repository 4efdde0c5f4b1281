"""`inloop score`: pictures with their prompts in, a table with intervals and the worst items out.

A run is a folder: `items.jsonl` (every item with every score and its reasons), `scores.csv`, `result.json`,
`report.html`. A run that was stopped is run again: what was paid for is in the call ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from ...runtime.budget import Budget
from ...runtime.records import flags_checked
from ...runtime.run import RunFolder, discarded_if_refused
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, write_whole
from ..cli import closing_line, kept
from .format import Progress, in_words

if TYPE_CHECKING:
    from ...graphs.score import ScoreConfig

__all__ = ["add_arguments", "again", "report_page", "score"]

_BUDGET = 4


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop score`."""
    command.add_argument(
        "pictures",
        metavar="PICTURES",
        help="folder of pictures, CSV/JSONL table, a saved Hugging Face data set, or hf:OWNER/NAME",
    )
    command.add_argument(
        "prompts", nargs="?", metavar="PROMPTS", help="text file with a line a picture, or a table of names and prompts"
    )
    command.add_argument(
        "--metric", metavar="NAMES", default="dsg,clipscore", help="comma separated; an unknown one lists all"
    )
    models = command.add_argument_group("models")
    models.add_argument(
        "--vqa", metavar="IDS", help="mini, a folder or a hub id; several, comma separated: DSG as an ensemble"
    )
    models.add_argument("--clip", metavar="ID", help="CLIP model: mini, a folder or a hub id")
    models.add_argument(
        "--detector",
        metavar="ID",
        default="ssd",
        help="of GenEval: ssd, a folder or a hub id; ?detection=0.3&counting=0.9",
    )
    models.add_argument(
        "--reward",
        metavar="NAME=ID",
        action="append",
        default=[],
        help="another checkpoint of pickscore, hpsv2 or imagereward (folder or hub id)",
    )
    models.add_argument("--llm", metavar="LLM", help="writes the questions, as in inloop opt2i")
    models.add_argument(
        "--questioner", metavar="WHO", default="", help="another LLM for the questions, or simple-english"
    )
    models.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")
    how = command.add_argument_group("how")
    how.add_argument("--rule", choices=("strict", "released"), default="strict", help="of DSG (default: strict)")
    how.add_argument("--lazy", action="store_true", help="DSG does not ask what a failed parent decides")
    how.add_argument(
        "--long", choices=("refuse", "window"), default="refuse", help="prompts longer than CLIP's text encoder"
    )
    how.add_argument("--template", metavar="TEXT", help="VQAScore's question, with {} for the prompt")
    how.add_argument("--questions", metavar="FILE", help="TIFA questions, as tifa_v1.0_question_answers.json")
    how.add_argument("--geneval", metavar="FILE", help="GenEval requirements by prompt, as evaluation_metadata.jsonl")
    how.add_argument("--limit", type=int, metavar="N", help="score the first N pictures only")
    how.add_argument(
        "--worst", type=int, metavar="N", default=8, help="worst pictures shown for each metric (default: 8)"
    )
    how.add_argument(
        "--reference", metavar="DIR", help="pictures to take FID, KID, precision and recall against (CLIP)"
    )
    how.add_argument("--against", metavar="RUN", help="compare with an earlier run over the same prompts, paired")
    command.add_argument(
        "--budget", metavar="LIMITS", default="", help="stop at limits such as answers=2000,seconds=60; with a result"
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def score(args: argparse.Namespace) -> int:
    """The command `inloop score`."""
    Budget.parse(args.budget)
    settings = Settings.load(clip=args.clip, llm=args.llm, device=args.device, runs_dir=args.out)

    from ...graphs.score import ScoreConfig
    from ...graphs.score import score as loop

    given = {name: getattr(args, name) for name in ScoreConfig.model_fields if hasattr(args, name)}
    given |= {"vqa": args.vqa or settings.vqa, "clip": settings.clip, "llm": settings.llm}
    with flags_checked():
        config = ScoreConfig(**given)
    loop.inputs(config)
    with discarded_if_refused(RunFolder.create(settings.runs_dir, loop.name, config)) as folder:
        return _go(config, settings, folder, resumed=False, json_output=args.json)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command: the same again, and what was paid for is not paid again."""
    from ...graphs.score import ScoreConfig

    return _go(folder.config_as(ScoreConfig), settings, folder, resumed=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run."""
    from ...graphs.score import ScoreResult
    from .report import render

    return render(folder.result_as(ScoreResult), blobs, limit=limit)


def _go(config: ScoreConfig, settings: Settings, folder: RunFolder, *, resumed: bool, json_output: bool) -> int:
    from ...graphs.score import score as loop
    from ...runtime.run import carry
    from .report import render

    show = Progress(quiet=json_output)
    with kept(folder, begun=lambda: show.begun, quiet=json_output), closing_line(show):
        result = asyncio.run(carry(loop, config, folder=folder, settings=settings, on_event=show, resumed=resumed))
        page = render(result, BlobStore(settings.store_dir / "blobs"))
        write_whole(folder.report_path, page.encode("utf-8"))
    if json_output:
        fields = result.model_dump(mode="json")
        print(json.dumps({**fields, "folder": str(folder.path), "report": str(folder.report_path)}, ensure_ascii=False))
    else:
        print(in_words(result, folder))
    return _BUDGET if result.stopped else 0
