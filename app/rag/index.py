"""`inloop index`: a folder into an index; again, and only what changed is done.

Text, Markdown, HTML, PDF and pictures are read. Words are embedded by --embedder, pictures by --clip; both are found
again by `inloop ask --index URL`. A run that was stopped is run again: what is done is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from ...runtime.settings import Settings
from ..cli import amount, clip, printable, seconds

if TYPE_CHECKING:
    from ...tools.index import Ingested

__all__ = ["add_arguments", "index", "open_embedder"]

_SHOWN = 20


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop index`."""
    command.add_argument("folder", metavar="FOLDER", help="a folder of documents, or one file")
    command.add_argument(
        "--to",
        metavar="URL",
        default="lancedb:///./index",
        help="lancedb:///PATH, qdrant://HOST/NAME, qdrant+file:///PATH, postgresql://HOST/DB (default: lancedb:///./index)",
    )
    command.add_argument(
        "--embedder", metavar="ID", help="minilm, a folder, a hub id, a server's URL, or none (default: minilm)"
    )
    command.add_argument("--clip", metavar="ID", help="CLIP model for pictures: mini, a folder, a hub id, or none")
    command.add_argument(
        "--captioner",
        metavar="ID",
        help="a vision-language model's URL, folder or hub id: captions pictures without one",
    )
    command.add_argument("--name", metavar="NAME", default="", help="the collection (default: the folder's name)")
    command.add_argument(
        "--chunk", type=int, default=900, metavar="N", help="most characters of a passage (default: 900)"
    )
    command.add_argument(
        "--max-mb", type=float, default=64.0, metavar="N", help="larger files are left out (default: 64)"
    )
    command.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")


def index(args: argparse.Namespace) -> int:
    """The command: 0 where every file could be read, 1 where some could not."""
    from ...tools.index import index_folder

    settings = Settings.load(clip=None if args.clip == "none" else args.clip, device=args.device)
    started = time.monotonic()
    done, count = asyncio.run(
        index_folder(
            args.folder,
            to=args.to,
            name=args.name,
            embedder=args.embedder or "minilm",
            clip=args.clip or "",
            captioner=args.captioner or "",
            chunk=args.chunk,
            max_mb=args.max_mb,
            settings=settings,
            on_progress=_Progress(),
        )
    )
    took = time.monotonic() - started
    if args.json:
        told = {**done.model_dump(mode="json"), "url": args.to, "held": count, "seconds": round(took, 3)}
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(_told(done, count, took))
    for note in done.failed[:_SHOWN]:
        print(f"not indexed: {printable(note.file)}: {printable(note.reason)}", file=sys.stderr)
    if len(done.failed) > _SHOWN:
        print(f"... and {len(done.failed) - _SHOWN} more (--json lists all)", file=sys.stderr)
    return 1 if done.failed else 0


def open_embedder(spec: str | None, store: Any, settings: Settings) -> Any:
    """The embedder of texts behind `spec`; None for "none"."""
    if spec == "none":
        return None
    from ...tools.encoders import open_text_embedder

    return open_text_embedder(spec or "minilm", store, settings)


class _Progress:
    """One line that is written over on a terminal; elsewhere a line every ten seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, done: int, files: int, name: str) -> None:
        now = time.monotonic()
        if now - self._last < (0.1 if self._live else 10.0) and done < files:
            return
        self._last = now
        line = f"{amount(done)} of {amount(files)} files  {clip(printable(name), 60)}"
        if self._live:
            print(f"\r\x1b[2K{line}" if done < files else "\r\x1b[2K", end="", file=sys.stderr, flush=True)
        elif done < files:
            print(line, file=sys.stderr, flush=True)


def _told(done: Ingested, count: int, took: float) -> str:
    counts = [
        f"{amount(number)} {what}"
        for number, what in (
            (done.added, "added"),
            (done.changed, "changed"),
            (done.unchanged, "unchanged"),
            (done.deleted, "deleted"),
            (len(done.failed), "could not be read"),
        )
        if number
    ]
    lines = [
        f"{done.collection}: {', '.join(counts) or 'nothing to do'}; {amount(done.passages)} passages written in"
        f" {seconds(took)}, {amount(count)} in the index."
    ]
    lines += [f"  {printable(note.file)}: {printable(note.reason)}" for note in done.notes[:_SHOWN]]
    if done.skipped:
        kinds = ", ".join(f"{number} {end or 'without an ending'}" for end, number in sorted(done.skipped.items()))
        lines.append(f"  of kinds that are not read: {printable(kinds)}")
    return "\n".join(lines)
