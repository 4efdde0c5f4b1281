"""The labels as files, and the table of all objects.

label.json               what is written here and of which folder: the same folder may be written again by a labelling of the same pictures
labels.json | labels/, data.yaml, sizes.json | tasks.json, config.xml      COCO, YOLO, Label Studio
doubtful/                the same of what is doubtful (COCO, YOLO), to be corrected and read again with --import; Label Studio has it as predictions
images/                  a link for each picture (YOLO), which stays where it is
table.csv                every object with the reason of its route
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.storage import disk_problem, write_whole
from ...runtime.store import BlobStore
from ...runtime.text import json_bytes
from ...tools.labels import LabelledThing, PictureLabels, written_labels
from ...tools.segmentation import get_mask
from .result import Labelled, LabelledObject

if TYPE_CHECKING:
    from .config import LabelConfig

__all__ = ["MANIFEST", "exported_to", "read_objects", "table_csv"]

MANIFEST = "label.json"
_COLUMNS = (
    "object", "picture", "label", "route", "why", "x0", "y0", "x1", "y1", "pixels", "score", "iou", "stability", "p_yes", "confidence",
    "origin", "answer", "audit", "was",
)  # fmt: skip


def read_objects(blobs: BlobStore, labelled: Labelled) -> list[LabelledObject]:
    """The objects of a labelling, from the blob store."""
    return [LabelledObject.model_validate_json(line) for line in blobs.get(labelled.table).split(b"\n") if line]


def table_csv(objects: Sequence[LabelledObject], blobs: BlobStore) -> bytes:
    """Every object with the reason of its route, as CSV."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in objects:
        told = each.model_dump(mode="json") | dict(zip(("x0", "y0", "x1", "y1"), each.box, strict=True))
        told |= {"object": each.id, "pixels": int(get_mask(each.mask, blobs).sum())}
        writer.writerow({name: told[name] for name in _COLUMNS})
    return out.getvalue().encode("utf-8", "replace")


def exported_to(config: LabelConfig, labelled: Labelled, blobs: BlobStore, run: str) -> None:
    """Write the labels; what an earlier labelling of the same folder wrote there is replaced.

    Raises:
        BadInput: the folder holds something else.
        PrerequisiteError: it cannot be written.
    """
    to, folder = Path(config.to), Path(config.folder)
    objects = read_objects(blobs, labelled)
    files = {"table.csv": table_csv(objects, blobs)}
    links: dict[str, Path] = {}
    by_picture = defaultdict[str, list[LabelledObject]](list)
    for each in objects:
        by_picture[each.picture].append(each)
    sure, doubtful = (
        [_of(name, size, by_picture[name], blobs, doubtful=way) for name, size in labelled.sizes.items()]
        for way in (False, True)
    )
    if config.format == "label-studio":
        files |= written_labels(config.format, _both(sure, doubtful), config.names)
    else:
        files |= written_labels(config.format, sure, config.names)
        if some := [each for each in doubtful if each.things]:
            # a picture is corrected as a whole: what is accepted in it goes along
            named = {each.picture for each in some}
            whole = _both([each for each in sure if each.picture in named], some)
            files |= {
                f"doubtful/{name}": data for name, data in written_labels(config.format, whole, config.names).items()
            }
        if config.format == "yolo":
            links = {f"images/{name}": folder / name for name in labelled.sizes}
    try:
        before = (
            json.loads((to / MANIFEST).read_text(encoding="utf-8"))
            if (to / MANIFEST).exists()
            else {"files": [], "links": []}
        )
        for name in [*before["files"], *before["links"]]:
            if (
                not Path(name).is_absolute()
                and ".." not in Path(name).parts
                and ((to / name).is_file() or (to / name).is_symlink())
            ):
                (to / name).unlink()
        to.mkdir(parents=True, exist_ok=True)
        manifest = {
            "folder": str(folder),
            "run": run,
            "format": config.format,
            "files": list(files),
            "links": list(links),
        }
        write_whole(to / MANIFEST, json_bytes(manifest))
        for name, target in links.items():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).symlink_to(target)
        for name, data in files.items():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(to / name, data)
    except FileExistsError as error:
        raise BadInput(
            f"--to: {error.filename2 or error.filename!r} is there already, and not of a labelling."
        ) from None
    except OSError as error:
        raise disk_problem(error, to) from error


def _of(
    name: str, size: tuple[int, int], objects: Sequence[LabelledObject], blobs: BlobStore, *, doubtful: bool
) -> PictureLabels:
    here = [each for each in objects if (each.route == "person" if doubtful else each.kept)]
    things = tuple(
        LabelledThing(
            label=each.label, box=each.box, mask=get_mask(each.mask, blobs), sure=each.confidence if doubtful else None
        )
        for each in here
    )
    return PictureLabels(picture=name, width=size[0], height=size[1], things=things)


def _both(sure: Sequence[PictureLabels], doubtful: Sequence[PictureLabels]) -> list[PictureLabels]:
    more: dict[str, Any] = {each.picture: each.things for each in doubtful}
    return [
        PictureLabels(
            picture=each.picture,
            width=each.width,
            height=each.height,
            things=(*each.things, *more.get(each.picture, ())),
        )
        for each in sure
    ]
