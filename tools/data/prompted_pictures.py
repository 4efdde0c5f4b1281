"""Pictures with their prompts, from where people keep them: folders, tables, saved Hugging Face data sets.

A folder of the hub's data sets (`datasets.save_to_disk`) or one by its id (`hf:OWNER/NAME`) is read with the package `datasets`.
Nothing but names and texts is held in memory; a picture is read when its turn comes. What does not fit together is
refused before anything is scored, with the names of what is left over.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import json_of, lines_of, read_text
from .hub import from_hub, from_saved
from .items import PROMPT, TAGS, Item, Items, prompt_of, tags_of, unique
from .pictures import SUFFIXES
from .tables import KINDS, named_list, read_table

__all__ = ["Item", "Items", "picture_files", "read_items"]

_PICTURE = ("image", "file_name", "image_path", "path", "file")
_GENEVAL = "metadata.jsonl"


def picture_files(folder: Path) -> list[Path]:
    """The picture files in a folder and below it, sorted as people number them; `BadInput` where there are none."""
    if not folder.is_dir():
        raise BadInput(f"{str(folder)!r} is no folder: give a folder of pictures.")
    files = [
        path for path in sorted(folder.rglob("*"), key=_natural) if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not files:
        raise BadInput(
            f"there is no picture in {str(folder)!r}: files that end with {', '.join(sorted(SUFFIXES))} are looked for."
        )
    return files


def read_items(pictures: Path | str, prompts: Path | None = None) -> Items:
    """Pair pictures with prompts.

    Forms of `pictures`:

    - a folder of picture files, with `prompts`: a text file (a line a picture, in the order of the sorted names), or a
      table of picture names and prompts. Without: the folder's `metadata.csv` or `metadata.jsonl`, or a `.txt` file
      beside each picture;
    - a folder in GenEval's layout: `00000/metadata.jsonl`, `00000/samples/*.png`;
    - a table, `.csv`, `.jsonl` or `.json`: columns `image` (path, from the table's folder) and `prompt`, with `id` and
      `tags` where they are; other columns become the item's `meta`;
    - a folder written by `datasets.save_to_disk`, with an image and a text column;
    - `hf:OWNER/NAME[:CONFIG][#SPLIT]`: the same from the Hugging Face hub, fetched once.

    Raises:
        BadInput: nothing there, an empty prompt, or pictures and prompts that do not match.
        PrerequisiteError: a Hugging Face data set, and the package `datasets` or the hub cannot be had.
    """
    if str(pictures).startswith("hf:"):
        if prompts is not None:
            raise BadInput(f"{str(pictures)!r} has prompts of its own: leave {str(prompts)!r} out.")
        return from_hub(str(pictures))
    pictures = Path(pictures)
    if pictures.is_file():
        if prompts is not None:
            raise BadInput(f"{str(pictures)!r} is a table with prompts of its own: leave {str(prompts)!r} out.")
        return Items(unique(_from_table(pictures, pictures.parent)))
    if not pictures.is_dir():
        raise BadInput(f"{str(pictures)!r} does not exist: give a folder of pictures, or a CSV or JSONL table.")
    if (pictures / "state.json").is_file() or (pictures / "dataset_dict.json").is_file():
        return from_saved(pictures)
    if prompts is None and any(pictures.glob(f"*/{_GENEVAL}")):
        return Items(unique(_from_geneval(pictures)))
    files = picture_files(pictures)
    if prompts is None:
        tables = [pictures / name for name in ("metadata.csv", "metadata.jsonl", "prompts.txt")]
        prompts = next((path for path in tables if path.is_file()), None)
    if prompts is None:
        return Items(unique(_from_sidecars(pictures, files)))
    if not prompts.is_file():
        raise BadInput(f"the prompts file {str(prompts)!r} does not exist.")
    if prompts.suffix.lower() in KINDS:
        return Items(unique(_matched(pictures, files, prompts)))
    return Items(unique(_in_order(pictures, files, prompts)))


def _in_order(folder: Path, files: Sequence[Path], prompts: Path) -> list[Item]:
    lines = [line.strip() for line in lines_of(read_text(prompts))]
    while lines and not lines[-1]:
        lines.pop()
    lines = [line for line in lines if not line.startswith("#")]
    if len(lines) != len(files):
        extra = [str(path.relative_to(folder)) for path in files[len(lines) :]] or lines[len(files) :]
        raise BadInput(
            f"{len(files)} pictures in {str(folder)!r} and {len(lines)} prompts in {str(prompts)!r} do not match: give one"
            f" line a picture, or a table of names and prompts. Left over: {', '.join(map(repr, extra[:5]))}"
            f"{' and more' if len(extra) > 5 else ''}."
        )
    for number, line in enumerate(lines, start=1):
        if not line:
            raise BadInput(f"{str(prompts)!r}, line {number}: the prompt of {files[number - 1].name!r} is empty.")
    return [
        Item(id=str(path.relative_to(folder)), text=line, path=str(path))
        for path, line in zip(files, lines, strict=True)
    ]


def _matched(folder: Path, files: Sequence[Path], table: Path) -> list[Item]:
    items = _from_table(table, folder)
    known = {str(path) for path in files}
    named = {item.path for item in items}
    lost = [item.id for item in items if item.path not in known and not Path(item.path or "").is_file()]
    if lost:
        raise BadInput(
            f"{str(table)!r} names {len(lost)} pictures that are not in {str(folder)!r}: {', '.join(map(repr, lost[:5]))}"
            f"{' and more' if len(lost) > 5 else ''}."
        )
    over = [path.name for path in files if str(path) not in named]
    if over:
        raise BadInput(
            f"{len(over)} pictures in {str(folder)!r} have no prompt in {str(table)!r}: {', '.join(map(repr, over[:5]))}"
            f"{' and more' if len(over) > 5 else ''}."
        )
    return items


def _from_sidecars(folder: Path, files: Sequence[Path]) -> list[Item]:
    bare = [path for path in files if not path.with_suffix(".txt").is_file()]
    if bare:
        raise BadInput(
            f"the pictures in {str(folder)!r} have no prompts: give a prompts file (a line a picture), a metadata.csv with"
            f" the columns file_name and prompt, or a .txt file beside each; {bare[0].name!r} has none."
        )
    items = []
    for path in files:
        text = " ".join(read_text(path.with_suffix(".txt")).split())
        if not text:
            raise BadInput(f"the prompt in {str(path.with_suffix('.txt'))!r} is empty.")
        items.append(Item(id=str(path.relative_to(folder)), text=text, path=str(path)))
    return items


def _from_geneval(folder: Path) -> list[Item]:
    items = []
    for place in sorted((path.parent for path in folder.glob(f"*/{_GENEVAL}")), key=_natural):
        rows = _rows(place / _GENEVAL)
        if not rows:
            raise BadInput(f"{str(place / _GENEVAL)!r} is empty.")
        row = rows[0]
        text, tags = prompt_of(place / _GENEVAL, 1, row), tags_of(row)
        samples = place / "samples" if (place / "samples").is_dir() else place
        for path in sorted(samples.iterdir(), key=_natural):
            if path.suffix.lower() in SUFFIXES:
                items.append(
                    Item(id=str(path.relative_to(folder)), text=text, path=str(path), tags=tags, meta=dict(row))
                )
    if not items:
        raise BadInput(f"there is no picture in the samples of {str(folder)!r}.")
    return items


def _from_table(table: Path, folder: Path) -> list[Item]:
    items = []
    for number, row in enumerate(_rows(table), start=1):
        name = next((row[key] for key in _PICTURE if row.get(key)), None)
        if not isinstance(name, str):
            raise BadInput(
                f"{str(table)!r}, row {number}: no picture; one of {', '.join(_PICTURE)} must hold its path. The row has"
                f" {named_list(list(row))}."
            )
        text = prompt_of(table, number, row)
        rest = {key: value for key, value in row.items() if key not in (*_PICTURE, *PROMPT, *TAGS, "id")}
        path = Path(name) if Path(name).is_absolute() else folder / name
        given = row.get("id")
        items.append(
            Item(
                id=name if given in (None, "") else str(given), text=text, path=str(path), tags=tags_of(row), meta=rest
            )
        )
    if not items:
        raise BadInput(f"{str(table)!r} holds no rows.")
    return items


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix.lower() == ".json":
        with contextlib.suppress(ValueError):
            content = json_of(read_text(path))
            if isinstance(content, dict):  # picture name to prompt
                return [{"image": name, "prompt": prompt} for name, prompt in content.items()]
    return read_table(path)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorted as people number files: 2.png before 10.png."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", path.as_posix())]
