"""`inloop opt2i`: prompts from the command line or a file, and how a search is told."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import opt2i as room
from ...runtime.errors import BadInput
from ..cli import LoopCommand
from .export import pictures, tables
from .progress import SearchView
from .prompt_sets import read_prompts
from .report import render
from .review import TerminalReviewer
from .summary import as_json, in_words
from .watch import watched

if TYPE_CHECKING:
    from pathlib import Path

    from ...graphs.opt2i import Opt2iConfig, Opt2iResult, Plan
    from ...runtime.folder import RunFolder
    from ...runtime.settings import Settings
    from ...runtime.store import BlobStore

__all__ = ["opt2i"]

_ABOUT = """Rewrite a text-to-image prompt until the pictures show what it asks for.

A language model rewrites the prompt, a text-to-image model paints each rewrite, a visual question answering model
and a CLIP model score the pictures, and what scored better is fed back. The best prompt is then checked on seeds that
nothing was chosen on, beside baselines that get the same number of images."""


def _flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prompts",
        dest="file",
        metavar="FILE",
        help="a text file with one prompt a line (# starts a comment), or rows with a prompt, caption or text (.tsv, .csv, .json, .jsonl);"
        " partiprompts:FILE and mscoco:FILE choose the sets of the paper from PartiPrompts.tsv and tifa_v1.0_text_inputs.json",
    )
    command.add_argument(
        "--watch",
        action="store_true",
        help="read prompts from the standard input, one a line, each a run of its own whose result comes at once; ends where the input does",
    )


def _watch(args: argparse.Namespace) -> int | None:
    return watched(args, opt2i.run) if args.watch else None


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    prompts = list(getattr(args, "prompts", ()))
    if args.file is not None:
        prompts += read_prompts(args.file)
    if not prompts:
        raise BadInput('no prompt: give one, as in inloop opt2i "a red circle above a blue square", or --prompts FILE.')
    for prompt in prompts:
        if not prompt.strip():
            raise BadInput(f"the prompt {prompt!r} is empty: say what the picture should show.")
    return {"prompts": tuple(dict.fromkeys(" ".join(prompt.split()) for prompt in prompts))}


def _view(config: Opt2iConfig) -> SearchView:
    return SearchView(prompts=len(config.prompts), iterations=config.iterations, baselines=config.baselines)


def _dry_run(config: Opt2iConfig, settings: Settings) -> Plan:
    return room.plan_of(config)


def _export(result: Opt2iResult, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Path]:
    return tables(result, folder.path)


def _parts(config: Opt2iConfig, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Any]:
    return {"reviewer": TerminalReviewer(folder.path, blobs)} if config.review else {}


opt2i = LoopCommand(
    config=room.Opt2iConfig,
    loop=lambda: room.opt2i,
    about=_ABOUT,
    words=in_words,
    data=as_json,
    page=render,
    view=_view,
    flags=_flags,
    fields=_fields,
    instead=_watch,
    export=_export,
    pictures=pictures,
    parts=_parts,
    dry_run=_dry_run,
    exit_code=lambda result: int(bool(result.unproposed)),
)
