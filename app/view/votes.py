"""`inloop votes`: what people voted on a run, votes by mail, and what judge and people say together."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.settings import Settings
from ..cli import json_text, printable

if TYPE_CHECKING:
    from ...graphs.opt2i import VotesSaid

__all__ = ["add_arguments", "votes"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What people voted on the pictures of a run, and what judge and people say together; or votes by mail.

    `--page` writes one HTML file that is mailed to whoever is to vote, and opened without a network; `--read` takes in the file that comes
    back, any number of times.
    """
    command.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")
    command.add_argument("--page", metavar="FILE", help="write pairs of pictures as one HTML file")
    command.add_argument("--pairs", type=int, default=40, metavar="N", help="in that file, at most (default: 40)")
    command.add_argument(
        "--read",
        metavar="FILE",
        action="append",
        default=[],
        help="take in a file that was saved there; may be repeated",
    )


def votes(args: argparse.Namespace) -> int:
    """The command; the exit code.

    Raises:
        BadInput: no such run, one without pictures to vote on, or a file that holds no votes on it.
    """
    from ...graphs.opt2i import ballot_of, followed
    from ...runtime.folder import RunFolder
    from ...runtime.storage import write_whole
    from .mail import mail_page, read_votes

    if args.pairs < 1:
        raise BadInput(f"--pairs {args.pairs}: give 1 or more.")
    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    if folder.loop != "opt2i":
        raise BadInput(f"the run {folder.id!r} is of {folder.loop!r}: people vote on the pictures of opt2i.")
    tasks = followed(folder)
    store = folder.store_of(settings)
    kept = store.votes()
    told: dict[str, Any] = {"run_id": folder.id}
    lines: list[str] = []
    for name in args.read:
        read = read_votes(folder, tasks, kept, Path(name))
        told.setdefault("read", []).append({"file": name, **read._asdict()})
        lines.append(f"{printable(name)}: {read.new} new, {read.known} known already, {read.void} void")
    if args.page:
        page = mail_page(folder, tasks, kept, store.open_blobs(), most=args.pairs).encode("utf-8")
        write_whole(Path(args.page), page)
        told |= {"page": args.page, "bytes": len(page)}
        lines.append(f"{args.page}  ({len(page) / 1e6:.1f} MB; what comes back: inloop votes {folder.id} --read FILE)")
    else:
        said = {}
        for task in tasks:
            ballot = ballot_of(folder.id, task, kept.of(text=task.text))
            if (ballot.votes or ballot.void) and len(ballot.trials) > 1:
                said[task.id] = ballot.said()
                lines += [printable(task.text), *(f"  {line}" for line in _lines(said[task.id]))]
        told["tasks"] = {id: each.model_dump(mode="json") for id, each in said.items()}
        if not said:
            lines.append("no votes yet: inloop view, or --page FILE to mail.")
    print(json_text(told) if args.json else "\n".join(lines))
    return 0


def _lines(said: VotesSaid) -> list[str]:
    from ..opt2i import vote_words

    return [
        *vote_words(said),
        *(f"{100 * each.best:5.1f} %  {printable(said.texts[each.item])}" for each in said.standings),
    ]
