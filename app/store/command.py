"""Check a store of calls and pictures, copy it into another one, or set aside what no run that is kept needs.

The store is that of the settings, unless --store and --blobs name another one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from ...runtime.store import StoreLocation
from ..cli import add_store_flags, amount, counted, json_text

__all__ = ["add_arguments", "store"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What each part takes."""
    parts = command.add_subparsers(dest="part", required=True, metavar="check|copy|gc")
    check = parts.add_parser("check", help="read every blob, and look whether all that calls and runs name is there")
    copy = parts.add_parser("copy", help="copy a store into another one; killed, the same command goes on")
    gc = parts.add_parser("gc", help="set aside the calls and blobs that only old runs used, until --confirm or --undo")
    for part in (check, gc):
        add_store_flags(part)
        part.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")
    copy.add_argument("source", metavar="FROM", help="a folder, or postgresql://user@host/db")
    copy.add_argument("target", metavar="TO", help="the same")
    copy.add_argument("--from-blobs", metavar="PLACE", help="where FROM has its blobs (default: `blobs` in it)")
    copy.add_argument("--to-blobs", metavar="PLACE", help="where TO has its blobs (default: `blobs` in it)")
    group = gc.add_mutually_exclusive_group(required=True)
    group.add_argument("--keep-runs", type=int, metavar="N", help="the runs that used the store last")
    group.add_argument("--undo", action="store_true", help="bring back what was set aside")
    group.add_argument("--confirm", action="store_true", help="delete what was set aside, for good")
    gc.add_argument("--dry-run", action="store_true", help="say what would go; nothing does")
    for part in (check, copy, gc):
        part.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def store(args: argparse.Namespace) -> int:
    """The command; the exit code."""
    return {"check": _check, "copy": _copy, "gc": _gc}[args.part](args)


def _check(args: argparse.Namespace) -> int:
    from ...runtime.folder import list_runs
    from .check import check

    at, settings = _named(args)
    finished = [info.path for info in list_runs(settings.runs_dir) if info.state == "finished"]
    found = check(at, finished, _progress(args))
    lines = [
        f"{found.store}: {counted(found.blobs, 'blob')} ({found.bytes / 1e6:.1f} MB), {counted(found.calls, 'call')}",
        *(f"  altered: the blob {sha}" for sha in found.altered),
        *(f"  lost: {counted(len(shas), 'blob')} of the call {key}" for key, shas in found.lost.items()),
        *(f"  paid twice: the call {key}" for key in found.paid_twice),
        *(f"  lost: {counted(count, 'blob')} that the run {id} shows" for id, count in found.runs.items()),
    ]
    if found.good:
        lines.append("  nothing is wrong: every blob is what its name says, and all that calls and runs name is there.")
    else:
        lines.append("  what is lost or altered is made anew when a run needs it; delete what is altered.")
    _tell(args, found.model_dump(mode="json") | {"good": found.good}, lines)
    return 0 if found.good else 1


def _copy(args: argparse.Namespace) -> int:
    from .copying import copy

    settings = Settings.load()
    source = StoreLocation.of(args.source, args.from_blobs)
    target = StoreLocation.of(args.target, args.to_blobs)
    if isinstance(source.database, Path) and not source.tables("ledger").exists():  # type: ignore[union-attr]
        raise BadInput(f"there is no store in {args.source!r}: no ledger.sqlite in it.")
    done = copy(source.cached(settings), target.cached(settings), _progress(args))
    lines = [
        f"{done.source} → {done.target}",
        f"  {counted(done.blobs, 'blob')} copied ({done.bytes / 1e6:.1f} MB), {amount(done.blobs_there)} were there",
        f"  {counted(done.calls, 'call')} copied, {amount(done.calls_there)} were there; {counted(done.uses, 'use')} booked,"
        f" {counted(done.votes, 'vote')}",
        f"  {counted(done.runs, 'shared run')}, {amount(done.batches)} in the book of batches, {counted(done.questions, 'question')}",
        *([f"  {counted(len(done.other), 'call')} have another value there, which stays"] if done.other else []),
        "  each value was compared there, and each blob has its length there; `inloop store check` reads them.",
    ]
    _tell(args, done.model_dump(mode="json"), lines)
    return 0


def _gc(args: argparse.Namespace) -> int:
    from ...runtime.folder import list_runs
    from .collecting import Collected, collect, confirm, plan, undo

    at, settings = _named(args)
    if args.dry_run and not args.keep_runs:
        raise BadInput("--dry-run goes with --keep-runs.")
    if args.undo or args.confirm:
        done = undo(at) if args.undo else confirm(at)
        what = "brought back" if args.undo else "deleted"
        _tell(args, done.model_dump(mode="json"), [f"{at}: {_counts(done)} {what}"])
        return 0
    if args.keep_runs < 1:
        raise BadInput(f"--keep-runs {args.keep_runs}: give 1 or more.")
    found = plan(at, list_runs(settings.runs_dir), args.keep_runs)
    told = Collected(
        kept=found.kept, dropped=found.dropped, calls=len(found.keys), blobs=len(found.blobs), bytes=sum(found.blobs.values())
    )  # fmt: skip
    lines = [f"{at}: {counted(told.kept, 'run')} kept, {amount(told.dropped)} not"]
    if args.dry_run:
        lines.append(f"  {_counts(told)} would be set aside")
    else:
        collect(at, found)
        lines.append(f"  {_counts(told)} set aside")
        if told.calls:
            lines.append("  bring back: inloop store gc --undo     delete for good: inloop store gc --confirm")
    _tell(args, told.model_dump(mode="json"), lines)
    return 0


def _counts(done: Any) -> str:
    return f"{counted(done.calls, 'call')} and {counted(done.blobs, 'blob')} ({done.bytes / 1e6:.1f} MB)"


def _named(args: argparse.Namespace) -> tuple[StoreLocation, Settings]:
    settings = Settings.load(runs_dir=args.out, store=args.store, blobs=args.blobs)
    at = StoreLocation.named_by(settings)
    if isinstance(at.database, Path) and not (at.database / "ledger.sqlite").exists():
        raise BadInput(f"there is no store in {str(at.database)!r} yet: a run makes it, or --store names another one.")
    return at, settings


def _progress(args: argparse.Namespace) -> Any:
    def tell(text: str) -> None:
        if not args.json and sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return tell


def _tell(args: argparse.Namespace, told: dict[str, Any], lines: list[str]) -> None:
    if not args.json and sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    print(json_text(told) if args.json else "\n".join(lines))
