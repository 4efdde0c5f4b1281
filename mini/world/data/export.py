"""A data set as a folder that `datasets` loads as it is (imagefolder): a folder a split with `metadata.jsonl` beside its pictures.

    drawn_set.json      what was asked for; it is written first, and says whose folder this is
    train/              metadata.jsonl, images/, masks/, full_masks/, edges/; the other splits alike
    contact_sheet.png
    README.md           the card; it is written last, and says that all is there

Files appear whole or not at all. What a process that was killed left behind is completed by the same command; a folder that is whole is
not written again, and one that holds anything else is refused before anything is drawn.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....runtime.errors import BadInput
from ....runtime.storage import disk_problem
from .card import card
from .contact_sheet import contact_sheet
from .pictures import DrawnSet, Picture
from .sets import SETS

__all__ = ["Written", "write_set"]

EDITION = 2  # of the drawn world: folders of another one hold other pictures
_REQUEST, _CARD = "drawn_set.json", "README.md"
_MOST = 100_000  # seeds of splits and of data sets keep apart up to here


@dataclass(frozen=True, kw_only=True)
class Written:
    """How many pictures each split has; `drawn`: how many files were written, 0 where all was there."""

    splits: dict[str, int]
    drawn: int


def write_set(
    which: str | DrawnSet,
    out: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Written:
    """Write a data set to the folder `out`.

    Args:
        which: a name of `SETS`, or a data set of one's own.
        out: a folder that is empty, not there, or holds what the same request left.
        count: how many, in the unit of the data set; None: its own number.
        seed: of everything that is drawn at random.
        progress: told after each picture how many are done.

    Raises:
        BadInput: a name, count or seed that cannot be used, or a folder that holds something else.
        PrerequisiteError: the folder cannot be written.
    """
    if isinstance(which, str) and which not in SETS:
        raise BadInput(f"{which!r} is none of the drawn data sets: choose one of {', '.join(SETS)}.")
    drawn = SETS[which] if isinstance(which, str) else which
    count = drawn.count if count is None else count
    if not 1 <= count <= _MOST:
        raise BadInput(f"count={count!r}: give a number of {drawn.counts} from 1 to {_MOST}.")
    if seed < 0:
        raise BadInput(f"seed={seed!r}: give a number from 0 on.")
    request = {"data": drawn.name, "count": count, "seed": seed, "edition": EDITION}
    try:
        _check(out, request)
        if (out / _CARD).exists():
            return Written(splits=_counts(out), drawn=0)
        return _write(drawn, out, request, progress)
    except OSError as error:
        raise disk_problem(error, out) from error


def _check(out: Path, request: dict[str, Any]) -> None:
    """Raise `BadInput` where `out` holds anything but what this request left."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"{str(out)!r} is a file: give a folder.")
    if not (out / _REQUEST).exists():
        others = [path.name for path in sorted(out.iterdir()) if path.name != f"{_REQUEST}.part"]
        if others:
            raise BadInput(
                f"{str(out)!r} holds {others[0]!r}, which is no part of a drawn data set: give another folder, or an empty one."
            )
        return
    try:
        before = json.loads((out / _REQUEST).read_text(encoding="utf-8"))
    except ValueError:
        before = None
    if before != request:
        raise BadInput(f"{str(out)!r} holds the data set {before}, and {request} is another one: give another folder.")


def _write(drawn: DrawnSet, out: Path, request: dict[str, Any], progress: Callable[[int], None]) -> Written:
    out.mkdir(parents=True, exist_ok=True)
    written = int(_put(out / _REQUEST, lambda: _json(request)))
    pictures: list[Picture] = []
    rows: dict[str, list[bytes]] = defaultdict(list)
    for picture in drawn.plan(request["count"], request["seed"]):
        row, files = picture.written()
        for path, content in files.items():
            written += _put(out / picture.split / path, content)
        rows[picture.split].append(_json(row))
        pictures.append(picture)
        progress(len(pictures))
    for split, lines in rows.items():
        _put(out / split / "metadata.jsonl", lambda lines=lines: b"".join(lines))  # type: ignore[misc]
    _put(out / "contact_sheet.png", lambda: contact_sheet(drawn, pictures))
    text = card(drawn, pictures, count=request["count"], seed=request["seed"])
    _put(out / _CARD, lambda: text.encode("utf-8"))
    return Written(splits={split: len(lines) for split, lines in rows.items()}, drawn=written)


def _put(path: Path, content: Callable[[], bytes]) -> bool:
    """Write a file, whole or not at all, unless it is there; whether it was written."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content())
    part.replace(path)
    return True


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8") + b"\n"


def _counts(out: Path) -> dict[str, int]:
    """Rows a split, in the order of the card."""
    order = [
        line.rpartition(" ")[2]
        for line in (out / _CARD).read_text(encoding="utf-8").splitlines()
        if line.startswith("  - split: ")
    ]
    return {split: len((out / split / "metadata.jsonl").read_bytes().splitlines()) for split in order}
