"""`inloop curate`: a picture data set cleaned, and what that cost whom."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs import curate as room
from ...runtime.display import counted
from ...runtime.errors import BadInput
from ...runtime.folder import RunFolder
from ...runtime.storage import write_whole
from ..cli import FAILED, LoopCommand, RunView, json_text, printable

if TYPE_CHECKING:
    from ...graphs.curate import Cleaned, CurateConfig, CurateResult, Share
    from ...runtime.store import BlobStore

__all__ = ["curate"]

_ABOUT = """A picture data set cleaned, and what that cost whom; nothing is deleted.

Copies are found byte for byte, pixel for pixel, and cropped, mirrored, saved again or recoloured (--copies pixels), or by what the
encoder takes for the same (--copies meaning, SemDeDup). The threshold is found: copies and look-alikes are planted into your own pictures.
What is a copy of a picture of --test goes first. --like, --query and --pool look for pictures that are like examples or words, and
--balance draws evenly. With --groups the copy stays that keeps the shares of groups as they were. Captions that do not fit are left
out, or written anew by --captioner; labels that do not fit are told. A language model (--llm) may name what is in the set, propose groups and say
what is missing; what it says is checked before it counts. Every picture is in a table with its reason, and on the page of the run.

The kept set is written as links to --to, and `inloop curate --undo DIR` takes that back. With --review you are asked before."""


def _words(result: CurateResult, bold: bool) -> list[str]:
    lines = [f"  {printable(result.finding())}"]
    for done in result.tasks:
        if done.threshold is not None:
            lines.append(f"  threshold {done.threshold:.3g}: {done.how}")
        if done.issues:
            lines.append("  issues: " + ", ".join(f"{count} {name}" for name, count in done.issues.items()))
        if (captions := done.captions) is not None:
            lines.append(
                f"  captions: {captions.judged} scored, and none goes by that: {captions.doubt}"
                if captions.doubt
                else f"  captions: {captions.judged} judged, {captions.unfit} do not fit, {captions.written} written anew,"
                f" {counted(done.reasons.get('caption', 0), 'picture')} left out for it (about {captions.wrong:.0%} are wrong; AUROC {captions.auroc:.3f})"
            )
        lines += [f"  missing: {printable(gap.what)} (--query {json_text(gap.query)})" for gap in done.gaps]
        if (labels := done.labels) is not None:
            lines.append(
                f"  labels: {labels.judged} judged, {labels.wrong} do not fit; a probe is right in {_percent(labels.accuracy)}"
                f" (the commonest class is {100 * labels.commonest:.0f} %)"
            )
        if (found := done.retrieval) is not None:
            where = f"joined from {printable(found.pool)}" if found.pool else "are like what was looked for"
            lines.append(f"  {found.found} of {found.of} {where}; {found.stay} of these stay")
        if done.balance is not None:
            sizes = [each.before for each in done.balance.clusters], [each.after for each in done.balance.clusters]
            lines.append(f"  clusters of {min(sizes[0])} to {max(sizes[0])} pictures keep {min(sizes[1])} to {max(sizes[1])}")  # fmt: skip
        lines += [
            f"  {printable(group)}: {_share(done, group, 'before')} before, {_share(done, group, 'this run')} now"
            for group in dict.fromkeys(each.group for each in done.audit.shares)
        ]
        lines.append(
            f"  {'kept set in ' + printable(done.to) if done.to else 'nothing was written: --to DIR writes the kept set as links'}"
        )
    return lines


def _share(done: Cleaned, group: str, way: str) -> str:
    found = next(each for each in done.audit.shares if (each.group, each.way) == (group, way))
    return _percent(found)


def _percent(share: Share) -> str:
    ends = "" if share.ci is None else f" ({100 * share.ci[0]:.1f} to {100 * share.ci[1]:.1f})"
    return f"{100 * share.share:.1f} %{ends}"


def _data(result: CurateResult) -> Mapping[str, Any]:
    return {"cleaned": [task.model_dump(mode="json") for task in result.tasks]}


def _flags(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--undo", metavar="DIR", help="take back what a cleaning wrote into a folder, and nothing else"
    )


def _fields(args: argparse.Namespace) -> Mapping[str, Any]:
    if "folder" not in args:
        raise BadInput("no folder: give one, as in inloop curate photos/ --to clean/.")
    return {}


def _undo(args: argparse.Namespace) -> int | None:
    if args.undo is None:
        return None
    if "folder" in args:
        raise BadInput("--undo takes the folder that was written, and no folder to clean: leave one of them out.")
    count = room.undone(Path(args.undo))
    print(
        json_text({"undone": args.undo, "removed": count})
        if args.json
        else f"  {count} links and files removed from {args.undo}"
    )
    return 0


def _page(result: CurateResult, blobs: BlobStore, limit: int) -> str:
    from .report import render

    return render(result, blobs, limit)


def _export(result: CurateResult, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Path]:
    if not result.tasks:
        return {}
    path = folder.path / "table.csv"
    write_whole(path, room.table_csv(room.read_rows(blobs, result.tasks[0])))
    return {"table": path}


def _parts(config: CurateConfig, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Any]:
    if not config.review:
        return {}
    from .review import TerminalReviewer

    def drawn(cleaned: Cleaned, page: Path) -> None:
        offered = room.CurateResult(
            run_id=folder.id, loop="curate", created=folder.created, seconds=0.0, config=config.model_dump(mode="json"),
            tasks=(cleaned,),
        )  # fmt: skip
        write_whole(page, _page(offered, blobs, 8_000_000).encode("utf-8"))

    return {"reviewer": TerminalReviewer(folder.path / "review.html", drawn)}


curate = LoopCommand(
    config=room.CurateConfig,
    loop=lambda: room.curate,
    about=_ABOUT,
    words=_words,
    data=_data,
    page=_page,
    view=lambda config: RunView(""),
    flags=_flags,
    fields=_fields,
    instead=_undo,
    settings=("device",),
    export=_export,
    parts=_parts,
    exit_code=lambda result: FAILED if any(task.audit.alarms for task in result.tasks) else 0,
)
