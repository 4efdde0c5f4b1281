"""What is done with runs that are there: `inloop runs` lists them, `resume` goes on, `report` draws the page again.

Which command a run is of stands in the table of commands: `LoopCommand.resume` goes on with one, or shows the result of a finished one, and
`LoopCommand.report` draws one that is finished.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from .commands import PARTS, commands
from .format import clip, printable

if TYPE_CHECKING:
    from ...runtime.run import RunFolder

__all__ = ["add_report_arguments", "add_resume_arguments", "add_runs_arguments", "report", "resume", "runs"]


def add_runs_arguments(command: argparse.ArgumentParser) -> None:
    """List the runs, the newest first."""
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def add_resume_arguments(command: argparse.ArgumentParser) -> None:
    """Go on with a run that was stopped or killed."""
    command.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def add_report_arguments(command: argparse.ArgumentParser) -> None:
    """Draw the report of a finished run again."""
    add_resume_arguments(command)
    command.add_argument("--all-images", action="store_true", help="embed every image, however large the file gets")


def resume(args: argparse.Namespace) -> int:
    """The command `inloop resume`; for a finished run it shows the result again."""
    from ...runtime.run import RunFolder

    folder = RunFolder.open(Settings.load(runs_dir=args.out).runs_dir, args.run)
    settings = Settings.load(runs_dir=folder.path.parent)
    code: int = _command_of(folder).resume(folder, settings, json_output=args.json)
    return code


def report(args: argparse.Namespace) -> int:
    """The command `inloop report`: draws `report.html` anew and prints its path."""
    from ...runtime.run import RunFolder
    from ...runtime.store import BlobStore, write_whole
    from ..report import DEFAULT_LIMIT

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    # a run that is named by its path keeps its images beside it, not where today's settings point
    beside = folder.path.parent / ".store"
    store = settings.store if settings.store is not None else beside if beside.is_dir() else settings.store_dir
    blobs, limit = BlobStore(store / "blobs"), sys.maxsize if args.all_images else DEFAULT_LIMIT
    page: str = _command_of(folder).report(folder, blobs, limit=limit)
    write_whole(folder.report_path, page.encode("utf-8"))
    if args.json:
        print(json.dumps({"run_id": folder.id, "report": str(folder.report_path), "bytes": len(page.encode("utf-8"))}))
    else:
        print(folder.report_path)
    return 0


def runs(args: argparse.Namespace) -> int:
    """The command `inloop runs`."""
    from ...runtime.run import RunFolder, list_runs

    settings = Settings.load(runs_dir=args.out)
    rows = []
    for info in reversed(list_runs(settings.runs_dir)):
        about: tuple[str, ...] = ()
        if info.state != "unreadable":
            about = RunFolder.open(settings.runs_dir, info.path.resolve()).about
        rows.append((info, about))
    if args.json:
        listed = [
            {
                "id": i.id,
                "path": str(i.path),
                "loop": i.loop,
                "created": i.created,
                "state": i.state,
                "note": i.note,
                "prompts": list(about),
            }
            for i, about in rows
        ]
        print(json.dumps({"runs": listed}, ensure_ascii=False))
        return 0
    if not rows:
        print(f'no runs in {settings.runs_dir} yet; start one with: inloop opt2i "..."')
    for info, about in rows:
        what = clip(printable(about[0]), 80) if about else ""
        what += f" and {len(about) - 1} more" if len(about) > 1 else ""
        print(f"{info.id:<32}  {info.state:<10}  {info.note or what}")
    return 0


def _command_of(folder: RunFolder) -> Any:
    every = [*commands().values(), *PARTS]
    command = next((command for command in every if command.loop == folder.loop), None)
    if command is None:
        raise BadInput(
            f"the run {folder.id!r} is of the loop {folder.loop!r}, which neither this version nor an installed package knows:"
            " use the version, or install the package, that made it."
        )
    return command.imported()
