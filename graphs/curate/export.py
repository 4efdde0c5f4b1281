"""The kept set as files, and how they are taken back.

    curate.json              what is written here; it comes first, so that all of it can be taken back whenever the process ends
    pictures/                a link for each picture that stays, under its own name
    pictures/metadata.csv    names, captions and groups: `datasets.load_dataset("imagefolder", data_dir=".../pictures")` reads the folder as it is
    table.csv                every picture, with the reason that it stays or goes; table.parquet too, where pyarrow is there

The pictures themselves stay where they are, and as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.storage import disk_problem, write_whole
from ...runtime.text import json_bytes, json_of
from ...tools.data import parquet
from .context import MANIFEST, CurateContext
from .result import Cleaned, CuratedRow

__all__ = ["exported_to", "read_rows", "table_csv", "undone"]

_COLUMNS = (
    "picture", "kept", "reason", "why", "copy_of", "score", "cluster", "group", "issues", "width", "height", "bytes", "caption",
    "caption_score", "written", "theme", "label", "likely", "like", "likeness", "file",
)  # fmt: skip


def read_rows(blobs: Any, cleaned: Cleaned) -> list[CuratedRow]:
    """The rows of a cleaning, from the blob store."""
    return [CuratedRow.model_validate_json(line) for line in blobs.get(cleaned.table).split(b"\n") if line]


def table_csv(rows: Sequence[CuratedRow]) -> bytes:
    """Every picture with its reason, as CSV."""
    return _csv([_told(row) for row in rows], _COLUMNS)


def exported_to(context: CurateContext, cleaned: Cleaned) -> None:
    """Write the kept set; what an earlier cleaning of the same folder wrote there is taken back first.

    Raises:
        BadInput: the folder holds something else.
        PrerequisiteError: it cannot be written.
    """
    to, folder = Path(context.config.to), Path(context.config.folder)
    blobs = context.session.store.blobs
    rows = read_rows(blobs, cleaned)
    kept = [row for row in rows if row.kept]
    files = {"table.csv": table_csv(rows)}
    whole, broken = ("cluster", "width", "height", "bytes"), ("score", "likeness", "caption_score")
    kinds = {**dict.fromkeys(whole, "int64"), **dict.fromkeys(broken, "float64")}
    if (table := parquet([_told(row) for row in rows], kinds)) is not None:
        files["table.parquet"] = table
    files["pictures/metadata.csv"] = _metadata(kept)
    links = {f"pictures/{row.id}": Path(row.file) if row.file else folder / row.id for row in kept}
    # a copy that may go is no target of a link
    copies = {name: sha for name, target in links.items() if (sha := blobs.passing(target)) is not None}
    links = {name: target for name, target in links.items() if name not in copies}
    try:
        if (to / MANIFEST).exists():
            undone(to)
        to.mkdir(parents=True, exist_ok=True)
        written = [*files, *copies]
        manifest = {"folder": str(folder), "run": context.session.folder.id, "files": written, "links": list(links)}
        write_whole(to / MANIFEST, json_bytes(manifest))
        for name, target in links.items():
            link = to / name
            link.parent.mkdir(parents=True, exist_ok=True)
            Path(link).symlink_to(target)
        for name, data in files.items():
            write_whole(to / name, data)
        for name, sha in copies.items():
            write_whole(to / name, blobs.get(sha))
    except FileExistsError as error:
        raise BadInput(
            f"--to: {error.filename2 or error.filename!r} is there already, and not of a cleaning."
        ) from None
    except OSError as error:
        raise disk_problem(error, to) from error


def undone(to: Path) -> int:
    """Take back what a cleaning wrote into a folder, and nothing else; how many links and files that were.

    Raises:
        BadInput: no cleaning wrote there.
        PrerequisiteError: something cannot be removed.
    """
    try:
        manifest = json_of((to / MANIFEST).read_text(encoding="utf-8"))
        links, files = [str(each) for each in manifest["links"]], [str(each) for each in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(f"{str(to)!r} has no {MANIFEST} of a cleaning: give the folder of --to.") from None
    root, count = to.resolve(), 0
    try:
        parents = set[Path]()
        for name in [*links, *files]:
            path = root / name
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise BadInput(
                    f"{str(to / MANIFEST)!r} names {name!r}, which is not in the folder: nothing more was removed."
                )
            # a link that somebody made a file of is theirs
            if path.is_symlink() or (name in files and path.is_file()):
                path.unlink()
                count += 1
            parents.update(parent for parent in path.parents if root in parent.parents)
        for parent in sorted(parents, key=lambda each: -len(each.parts)):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        (root / MANIFEST).unlink()
        if not any(root.iterdir()):
            root.rmdir()
    except OSError as error:
        raise disk_problem(error, to) from error
    return count


def _told(row: CuratedRow) -> dict[str, Any]:
    given = row.model_dump(mode="json") | {
        "picture": row.id,
        "kept": "yes" if row.kept else "no",
        "issues": "; ".join(row.issues),
    }
    return {name: given[name] for name in _COLUMNS}


def _metadata(kept: Sequence[CuratedRow]) -> bytes:
    named = {
        "file_name": [row.id for row in kept],
        "text": [row.written or row.caption for row in kept],
        "group": [row.group for row in kept],
    }
    columns = [name for name, values in named.items() if any(values)]
    rows = [{name: named[name][place] for name in columns} for place in range(len(kept))]
    return _csv(rows, columns)


def _csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "replace")
