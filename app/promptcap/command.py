"""Captions for questions: make the data with a language model (`synthesize`), fine-tune a captioner on it (`train`).

  inloop promptcap synthesize rows.jsonl --out data --llm http://host:8000/v1
  inloop promptcap train data/train.jsonl --start Salesforce/blip-vqa-base --out captioner --test held-out.jsonl

Rows are JSONL or Parquet: image, question, answers, captions (what people say of the picture unasked).
"""

from __future__ import annotations

import argparse
from typing import Any

from ..cli import LoopCommand
from .synthesize import synthesize
from .train import train

__all__ = ["add_arguments", "promptcap"]

_PARTS: dict[str, tuple[str, LoopCommand[Any, Any]]] = {
    "synthesize": ("have a language model write a caption for each question, and keep those that help", synthesize),
    "train": ("fine-tune a captioner on rows with captions, and measure it", train),
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop promptcap`."""
    parts = command.add_subparsers(dest="part", metavar="WHAT", required=True)
    for name, (brief, part) in _PARTS.items():
        parser = parts.add_parser(name, help=brief, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object on the standard output"
        )
        part.describe(parser)


def promptcap(args: argparse.Namespace) -> int:
    """The command `inloop promptcap`."""
    return _PARTS[args.part][1].run(args)
