"""`inloop index`: a folder into an index; again, and only what changed is done."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import indexing as room
from ...runtime.errors import BadInput
from ..cli import LoopCommand, RunView, amount, printable

if TYPE_CHECKING:
    from ...graphs.indexing import IndexResult

__all__ = ["index"]

_ABOUT = """A folder into an index; again, and only what changed is done.

Text, Markdown, reStructuredText, HTML, PDF, office files, CSV, EPUB, notebooks, e-mail and pictures are read. Words are
embedded by --embedder, pictures by --clip; both are found again by `inloop ask --index URL`. A run that was stopped
goes on with `inloop resume`: what is done is kept.
`inloop index --status URL` says what is in an index, with which models, and what is missing."""

_SHOWN = 20


def _words(result: IndexResult, bold: bool) -> list[str]:
    lines = [f"  {printable(result.finding())}"]
    if not result.tasks:
        return lines
    done = result.ingested
    lines += [f"  {printable(note.file)}: {printable(note.reason)}" for note in done.notes[:_SHOWN]]
    if done.skipped:
        kinds = ", ".join(
            f"{amount(number)} {end or 'without an ending'}" for end, number in sorted(done.skipped.items())
        )
        lines.append(f"  of kinds that are not read: {printable(kinds)}")
    lines += [f"  not indexed: {printable(note.file)}: {printable(note.reason)}" for note in done.failed[:_SHOWN]]
    if len(done.failed) > _SHOWN:
        lines.append(f"  ... and {amount(len(done.failed) - _SHOWN)} more (--json lists all)")
    return lines


def _data(result: IndexResult) -> Mapping[str, Any]:
    if not result.tasks:
        return {"url": result.config["to"]}
    whole = {
        "url": result.config["to"],
        "held": result.held,
        "run_notes": list(result.notes),
    }  # `notes` are those of files
    return {**result.ingested.model_dump(mode="json"), **whole}


def _flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--status", nargs="?", const="", metavar="URL", help="what is in the index at URL (default: that of --to)"
    )


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    if "folder" not in args:
        raise BadInput("no folder: give one, as in inloop index docs/ --to lancedb:///./index.")
    return {}


def _status(args: argparse.Namespace) -> int | None:
    if args.status is None:
        return None
    from .index_status import show_status

    if "folder" in args:
        raise BadInput("--status shows an index and takes no folder: give the index by its URL, --status URL.")
    return show_status(args.status or getattr(args, "to", room.IndexConfig.model_fields["to"].default), args.json)


def _exit_code(result: IndexResult) -> int:
    """0 where every file could be read, 1 where some could not."""
    return int(bool(result.tasks and result.ingested.failed))


index = LoopCommand(
    config=room.IndexConfig,
    loop=lambda: room.index,
    about=_ABOUT,
    words=_words,
    data=_data,
    view=lambda config: RunView(""),
    flags=_flags,
    fields=_fields,
    instead=_status,
    exit_code=_exit_code,
)
