"""`inloop label`: a folder of pictures with boxes and masks, and a person asked about what is doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs import label as room
from ...runtime.folder import RunFolder
from ...runtime.storage import write_whole
from ..cli import LoopCommand, RunView, printable

if TYPE_CHECKING:
    from ...graphs.label import LabelConfig, LabelResult, Offer
    from ...runtime.store import BlobStore

__all__ = ["label"]

_ABOUT = """Pictures labelled with boxes and masks: SAM's data engine, with a judge between model and person.

A detector looks for the classes, a segmenter makes a mask of each box, and a router sends it on: accepted as it is, shown to a vision-language model
(--judge), or to you (--review). Before you have answered, the router goes by defaults and says so; then by what you confirmed, so that --precision of what
it accepts unseen is right. What you say is remembered: no later run asks it again. Without --review, what is doubtful is written apart, to be corrected
in a tool for labels and read again with --import.

The bundled models (mini) know drawn pictures alone. For photographs:
  inloop label photos/ --classes "cup; dog" --detector google/owlv2-base-patch16-ensemble --segmenter facebook/sam2.1-hiera-tiny --to labels/
Without the hub, for the 80 classes of COCO:
  inloop label photos/ --classes "cup; dog" --detector ssd --segmenter sam2-tiny --to labels/"""


def _words(result: LabelResult, bold: bool) -> list[str]:
    lines = [f"  {printable(result.finding())}"]
    for done in result.tasks:
        lines.append("  " + ", ".join(f"{printable(name)} {count}" for name, count in done.classes.items()))
        lines.append(f"  router: {done.calibration.how}")
        if done.calibration.audit and done.calibration.audit_ci:
            hits, of = done.calibration.audit
            low, high = done.calibration.audit_ci
            lines.append(f"  accepted masks that were looked at: {hits} of {of} right ({low:.0%} to {high:.0%})")
        if done.looks:
            lines.append(f"  {done.looks} masks were looked at")
        lines.append(
            f"  {'labels in ' + printable(done.to) if done.to else 'nothing was written: --to DIR writes the labels'}"
        )
    return lines


def _data(result: LabelResult) -> Mapping[str, Any]:
    return {"labelled": [task.model_dump(mode="json") for task in result.tasks]}


def _page(result: LabelResult, blobs: BlobStore, limit: int) -> str:
    from .report import render

    return render(result, blobs, limit)


def _export(result: LabelResult, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Path]:
    if not result.tasks:
        return {}
    path = folder.path / "table.csv"
    write_whole(path, room.table_csv(room.read_objects(blobs, result.tasks[0]), blobs))
    return {"table": path}


def _parts(config: LabelConfig, folder: RunFolder, blobs: BlobStore) -> Mapping[str, Any]:
    if not config.review:
        return {}
    from .report import offered
    from .review import TerminalReviewer

    def drawn(offer: Offer, page: Path) -> None:
        write_whole(page, offered(offer, blobs).encode("utf-8"))

    return {"reviewer": TerminalReviewer(folder.path / "review.html", drawn)}


label = LoopCommand(
    config=room.LabelConfig,
    loop=lambda: room.label,
    about=_ABOUT,
    words=_words,
    data=_data,
    page=_page,
    view=lambda config: RunView(""),
    settings=("device",),
    export=_export,
    parts=_parts,
)
