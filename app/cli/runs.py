"""What is done with runs that are there: `inloop runs` lists them, `resume` goes on, `report` draws the page again, `export` packs one.

Which command a run is of stands in the table of commands: `LoopCommand.resume` goes on with one, or shows the result of a finished one, and
`LoopCommand.report` draws one that is finished.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.settings import Settings
from ...runtime.store import Claims, StoreLocation
from .commands import PARTS, commands
from .flags import add_store_flags
from .format import clip, counted
from .streams import json_text, printable

if TYPE_CHECKING:
    from ...runtime.folder import RunFolder, RunInfo

__all__ = [
    "add_export_arguments",
    "add_report_arguments",
    "add_resume_arguments",
    "add_runs_arguments",
    "command_of_run",
    "export",
    "report",
    "resume",
    "runs",
]


def add_runs_arguments(command: argparse.ArgumentParser) -> None:
    """List the runs, the newest first."""
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def add_resume_arguments(command: argparse.ArgumentParser) -> None:
    """Go on with a run that was stopped or killed."""
    _add_run(command)
    command.add_argument("--engine", metavar="ENGINE", help=Settings.describe("engine"))
    add_store_flags(command, default="as it was begun")


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def add_report_arguments(command: argparse.ArgumentParser) -> None:
    """Draw the report of a finished run again."""
    _add_run(command)
    command.add_argument("--all-images", action="store_true", help="embed every image, however large the file gets")


def add_export_arguments(command: argparse.ArgumentParser) -> None:
    """Pack a finished run with its pictures into one zip file, to be mailed and read elsewhere; or write its pictures alone."""
    _add_run(command)
    command.add_argument("--to", metavar="FILE", help="the archive (default: RUN.zip in this folder)")
    command.add_argument(
        "--pictures",
        metavar="DIR",
        help="no archive: PNG files of the prompts to use, with their settings as AUTOMATIC1111 and ComfyUI read them (opt2i)",
    )


def resume(args: argparse.Namespace) -> int:
    """The command `inloop resume`; for a finished run it shows the result again."""
    from ...runtime.folder import RunFolder

    folder = RunFolder.open(Settings.load(runs_dir=args.out).runs_dir, args.run)
    settings = Settings.load(runs_dir=folder.path.parent, store=args.store, blobs=args.blobs, engine=args.engine)
    if args.store is None and args.blobs is None:
        settings = folder.with_its_store(settings)
    code: int = command_of_run(folder).resume(folder, settings, json_output=args.json)
    return code


def report(args: argparse.Namespace) -> int:
    """The command `inloop report`: draws `report.html` anew and prints its path.

    Raises:
        PrerequisiteError: pictures of the run cannot be found, and there is a page, which may have them.
    """
    from ...runtime.folder import RunFolder, missing_blobs
    from ...runtime.storage import write_whole
    from ..report import DEFAULT_LIMIT

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    store = folder.store_of(settings)
    blobs, limit = store.open_blobs(), sys.maxsize if args.all_images else DEFAULT_LIMIT
    if folder.report_path.exists() and (missing := missing_blobs(folder.path, blobs)):
        raise PrerequisiteError(
            f"{len(missing)} pictures of {folder.id!r} are not in the store {str(store)!r}: {str(folder.report_path)!r} is left as it is",
            remedy="name the store of the machine or folder where the run was made (INLOOP_STORE), or pack it there:"
            f" inloop export {folder.id} --to {folder.id}.zip",
        )
    page: str = command_of_run(folder).report(folder, blobs, limit=limit)
    write_whole(folder.report_path, page.encode("utf-8"))
    if args.json:
        print(json_text({"run_id": folder.id, "report": str(folder.report_path), "bytes": len(page.encode("utf-8"))}))
    else:
        print(folder.report_path)
    return 0


def export(args: argparse.Namespace) -> int:
    """The command `inloop export`: packs a finished run with its pictures and prints the file."""
    from ...runtime.folder import RunFolder, pack

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    blobs = folder.store_of(settings).open_blobs()
    if args.pictures:
        if args.to:
            raise BadInput("--to and --pictures: give one of them.")
        written = command_of_run(folder).export_pictures(folder, blobs, Path(args.pictures))
        if args.json:
            print(json_text({"run_id": folder.id, "folder": args.pictures, "pictures": len(written)}))
        else:
            print(f"{args.pictures}  ({counted(len(written), 'picture')})")
        return 0
    to = Path(args.to) if args.to else Path(f"{folder.id}.zip")
    count = pack(folder, blobs, to)
    size = to.stat().st_size
    if args.json:
        print(json_text({"run_id": folder.id, "file": str(to), "bytes": size, "blobs": count}))
    else:
        print(
            f"{to}  ({counted(count, 'picture')}, {size / 1e6:.1f} MB; unpack it into any folder DIR, then: inloop report DIR/{folder.id})"
        )
    return 0


def runs(args: argparse.Namespace) -> int:
    """The command `inloop runs`."""
    from ...runtime.folder import list_runs

    settings = Settings.load(runs_dir=args.out)
    rows = [*_with_workers(list_runs(settings.runs_dir), StoreLocation.named_by(settings))][::-1]
    if args.json:
        listed = [
            {
                "id": i.id,
                "path": str(i.path),
                "loop": i.loop,
                "created": i.created,
                "state": i.state,
                "note": i.note,
                "prompts": list(i.about),
            }
            for i in rows
        ]
        print(json_text({"runs": listed}))
        return 0
    if not rows:
        print(f'no runs in {settings.runs_dir} yet; start one with: inloop opt2i "..."')
    for info in rows:
        about = info.about
        what = clip(printable(about[0]), 80) if about else ""
        what += f" and {len(about) - 1} more" if len(about) > 1 else ""
        note = info.note and (f"{what} ({info.note})" if what else info.note)
        print(f"{info.id:<32}  {info.state:<10}  {note or what}")
    return 0


def _with_workers(listed: Sequence[RunInfo], store: StoreLocation) -> Iterator[RunInfo]:
    """The runs, with what their folders on this machine do not tell: workers, and results of other machines."""
    from ...runtime.run import SharedRun

    workers = Counter(owner.work for owner in Claims.seen(store.tables("claims")))
    shared = SharedRun.listed(store)
    for info in listed:
        if workers[info.id] and info.state != "finished":
            yield info._replace(state="running", note=counted(workers[info.id], "worker"))
        elif info.state == "stopped" and shared.get(info.id):
            yield info._replace(note=f"finished elsewhere: inloop work {info.id} brings its result")
        else:
            yield info


def command_of_run(folder: RunFolder) -> Any:
    """The `LoopCommand` that a run is of; `BadInput` where nobody knows its loop."""
    every = [*commands().values(), *PARTS]
    command = next((command for command in every if command.loop == folder.loop), None)
    if command is None:
        raise BadInput(
            f"the run {folder.id!r} is of the loop {folder.loop!r}, which neither this version nor an installed package knows:"
            " use the version, or install the package, that made it."
        )
    return command.imported()
