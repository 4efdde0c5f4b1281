"""Rewrite a text-to-image prompt until the pictures show what it asks for.

A language model rewrites the prompt, a text-to-image model paints each rewrite, a visual question answering model
and a CLIP model score the pictures, and what scored better is fed back. The best prompt is then checked on seeds that
nothing was chosen on, beside baselines that get the same number of images.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.records import flags_checked
from ...runtime.run import RunFolder
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, write_whole
from ..cli import kept, log_to_stderr, new_run, progress
from ..report import DEFAULT_LIMIT
from .progress import RunView
from .report import render
from .summary import as_json, in_words, stopped_by_budget

if TYPE_CHECKING:
    from ...graphs.opt2i import Opt2iConfig, Outcome

__all__ = ["add_arguments", "again", "opt2i", "read_prompts", "report_page"]

_BUDGET = 4


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop opt2i`."""
    command.add_argument(
        "prompt", nargs="*", metavar="PROMPT", help="the prompt to better; several give several searches"
    )
    command.add_argument("--prompts", metavar="FILE", help="a text file with one prompt a line; # starts a comment")
    models = command.add_argument_group("models")
    models.add_argument(
        "--llm", metavar="LLM", help="mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL"
    )
    models.add_argument("--images", metavar="ID", help="text-to-image model: mini, a folder or a hub id")
    models.add_argument(
        "--vqa", metavar="ID", help="visual question answering model: mini, a folder, a hub id, or a server's URL"
    )
    models.add_argument("--clip", metavar="ID", help="CLIP model: mini, a folder or a hub id")
    models.add_argument(
        "--questioner",
        metavar="WHO",
        default="",
        help="who writes the questions: an LLM or simple-english (rules); default: the LLM, for mini-writer the rules"
        " where they understand the whole prompt",
    )
    models.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")
    search = command.add_argument_group("search")
    search.add_argument("--objective", choices=("dsg", "dcs", "both"), help="what to climb (default: dsg)")
    search.add_argument("--iterations", type=int, metavar="N", help="rounds of rewriting (default: 30)")
    search.add_argument("--candidates", type=int, metavar="N", help="rewrites a round (default: 5)")
    search.add_argument("--images-per-prompt", type=int, metavar="N", help="pictures of each rewrite (default: 4)")
    search.add_argument(
        "--history", type=int, metavar="N", help="best rewrites shown to the language model (default: 5)"
    )
    search.add_argument("--seed", type=int, metavar="N", help="the same seed gives the same run (default: 0)")
    search.add_argument("--heldout-seeds", type=int, metavar="N", help="unseen seeds for the last check (default: 8)")
    search.add_argument("--no-baselines", action="store_true", help="leave the equal-budget baselines out")
    search.add_argument(
        "--budget",
        metavar="LIMITS",
        default="",
        help="stop at limits such as images=200,tokens=10000,seconds=60,money=0.5",
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def opt2i(args: argparse.Namespace) -> int:
    """The command `inloop opt2i`."""
    prompts = _prompts(args)
    Budget.parse(args.budget)
    settings = Settings.load(
        llm=args.llm, images=args.images, vqa=args.vqa, clip=args.clip, device=args.device, runs_dir=args.out
    )

    from ...graphs.opt2i import Opt2iConfig

    given: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("objective", "iterations", "candidates", "images_per_prompt", "history", "seed", "heldout_seeds")
        if getattr(args, name) is not None
    }
    with flags_checked():
        config = Opt2iConfig(
            prompts=prompts,
            llm=settings.llm,
            images=settings.images,
            vqa=settings.vqa,
            clip=settings.clip,
            baselines=not args.no_baselines,
            budget=args.budget,
            questioner=args.questioner,
            **given,
        )
    with new_run(settings, "opt2i", config) as folder:
        return _go(config, settings, folder, resume=False, json_output=args.json)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command; for a finished one the result is shown again."""
    from ...graphs.opt2i import Opt2iConfig

    config = folder.config_as(Opt2iConfig)
    # the run's own models: today's flags and environment must not change a run
    settings = Settings.load(
        llm=config.llm, images=config.images, vqa=config.vqa, clip=config.clip, runs_dir=settings.runs_dir
    )
    return _go(config, settings, folder, resume=True, json_output=json_output)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int = DEFAULT_LIMIT) -> str:
    """The HTML report of a finished run."""
    from ...graphs.opt2i import Outcome

    return render(folder.result_as(Outcome), blobs, limit=limit)


def _go(config: Opt2iConfig, settings: Settings, folder: RunFolder, *, resume: bool, json_output: bool) -> int:
    from ...graphs.opt2i import run_opt2i

    log_to_stderr(settings)
    view = RunView(prompts=len(config.prompts), iterations=config.iterations)
    with kept(folder, begun=lambda: bool(view.tasks), quiet=json_output):
        with progress(view, sys.stderr, silent=json_output) as show:
            outcome: Outcome = asyncio.run(
                run_opt2i(config, settings=settings, folder=folder, resume=resume, on_event=show)
            )
        if not folder.finished:
            folder.write_result(outcome)
        page = render(outcome, BlobStore(settings.store_dir / "blobs"))
        write_whole(folder.report_path, page.encode("utf-8"))
    if json_output:
        print(json.dumps(as_json(outcome, folder), ensure_ascii=False))
    else:
        print(in_words(outcome, folder, bold=sys.stdout.isatty()))
    return _BUDGET if stopped_by_budget(outcome) else 0


def _prompts(args: argparse.Namespace) -> tuple[str, ...]:
    given = list(args.prompt)
    if args.prompts is not None:
        given += read_prompts(Path(args.prompts))
    if not given:
        raise BadInput('no prompt: give one, as in inloop opt2i "a red circle above a blue square", or --prompts FILE.')
    for prompt in given:
        if not prompt.strip():
            raise BadInput(f"the prompt {prompt!r} is empty: say what the picture should show.")
    return tuple(dict.fromkeys(" ".join(prompt.split()) for prompt in given))


def read_prompts(path: Path) -> list[str]:
    """The prompts of a text file (UTF-8): one a line; empty lines and lines that start with # are passed over.

    Raises:
        BadInput: the file is not there, is not UTF-8 text, or holds no prompt.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{str(path)!r} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None
    except OSError as error:
        raise BadInput(f"the prompts cannot be read from {str(path)!r}: {error.strerror}.") from None
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BadInput(f"there is no prompt in {str(path)!r}: write one a line.")
    return found
