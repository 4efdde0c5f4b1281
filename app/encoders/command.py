"""Encoders of pictures: compare some on a labelled set of your own (`compare`).

  inloop encoders compare mini dinov2:facebook/dinov2-small my_module:encoder --on photos/

photos/ has a subfolder a class, or is a table with the columns file_name and label.
"""

from __future__ import annotations

import argparse

from .compare import compare

__all__ = ["add_arguments", "encoders"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop encoders`."""
    parts = command.add_subparsers(dest="part", metavar="WHAT", required=True)
    brief = "probe, neighbours, few examples, zero-shot: one table, and which differences are real"
    parser = parts.add_parser("compare", help=brief, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object on the standard output"
    )
    compare.describe(parser)


def encoders(args: argparse.Namespace) -> int:
    """The command `inloop encoders`."""
    return compare.run(args)
