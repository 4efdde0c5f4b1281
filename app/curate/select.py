"""A few entries that stand for many: prompts to spend pictures on, rows to label, pictures to look at.

Entries are embedded and joined with their nearest ones; the most connected one is chosen, and those that it stands for count less from then
on (ImageReward's choice of prompts). The chosen ones go to the standard output, or to a file. How well they stand for all is told beside
random choices of as many and beside a choice of the farthest ones (k-center).

FILE is a text file with an entry a line, a table (.csv, .tsv, .jsonl, .json, .parquet) with a column of texts, or a folder of pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...runtime.errors import BadInput
from ...runtime.session import Session
from ...runtime.settings import Settings
from ...runtime.storage import write_whole
from ...runtime.text import is_blank, json_bytes
from ...tools.data import KINDS, json_lines, picture_files, read_picture, read_table
from ..cli import amount, json_text, log_to_stderr, printable, read_lines

__all__ = ["add_arguments", "select"]

_COLUMNS = ("text", "prompt", "caption", "question")
_DRAWS = 50
_BATCH = 256


class Entries(NamedTuple):
    """What can be chosen from: the texts (or names of pictures), and the lines to write of those that are chosen."""

    texts: list[str]
    lines: list[bytes]
    pictures: list[Path]
    repeated: int


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop select`."""
    command.add_argument("file", metavar="FILE", help="a text file, a table, or a folder of pictures")
    command.add_argument("-n", "--count", type=int, required=True, metavar="N", help="how many to choose")
    command.add_argument("--column", metavar="NAME", help=f"of a table (default: the first of {', '.join(_COLUMNS)})")
    command.add_argument("--to", metavar="FILE", help="where the chosen ones are written (default: standard output)")
    command.add_argument(
        "--embedder", default="minilm", metavar="ID", help="of texts: minilm, a folder, a hub id, a URL"
    )
    command.add_argument("--clip", metavar="ID", help="of pictures: mini, a folder or a hub id")
    command.add_argument("--device", metavar="DEVICE", help=Settings.describe("device"))
    command.description = __doc__


def select(args: argparse.Namespace) -> int:
    """The command `inloop select`."""
    entries = read_entries(Path(args.file), args.column)
    if not 1 <= args.count <= len(entries.texts):
        raise BadInput(
            f"-n {args.count}: there are {amount(len(entries.texts))} different entries in {args.file!r}; give 1 to as many."
        )
    settings = Settings.load(clip=args.clip, device=args.device)
    log_to_stderr(settings)
    vectors, notes = asyncio.run(_embedded(entries, args.embedder, settings))
    chosen, figures = _chosen(vectors, args.count)
    if args.to:
        write_whole(Path(args.to), b"".join(entries.lines[place] for place in chosen))
    if args.json:
        rows = [{"place": place + 1, "text": entries.texts[place]} for place in chosen]
        told = {"of": len(entries.texts), "repeated": entries.repeated, "coverage": figures, "chosen": rows}
        print(json_text({**told, "notes": notes, "to": args.to}))
        return 0
    if not args.to:
        sys.stdout.write("".join(entries.lines[place].decode("utf-8", "replace") for place in chosen))
    print("\n".join(_words(figures, len(entries.texts), entries.repeated, notes)), file=sys.stderr)
    return 0


def read_entries(path: Path, column: str | None) -> Entries:
    """The different entries of a file or folder, in their order.

    Raises:
        BadInput: nothing to read, no such column, or no entry.
    """
    if path.is_dir():
        if column is not None:
            raise BadInput(f"--column is for a table, and {str(path)!r} is a folder: leave it out.")
        files = picture_files(path)
        names = [str(file.relative_to(path)) for file in files]
        return Entries(names, [name.encode("utf-8", "replace") + b"\n" for name in names], files, 0)
    if path.suffix.lower() not in KINDS:
        if column is not None:
            raise BadInput(f"--column is for a table ({', '.join(KINDS)}), and {str(path)!r} is none: leave it out.")
        texts = read_lines(path, "entry")
        lines = [text.encode() + b"\n" for text in texts]
    else:
        rows = read_table(path)
        name = _column(path, rows, column)
        told = [row for row in rows if isinstance(row.get(name), str) and not is_blank(row[name])]
        if not told:
            raise BadInput(f"no row of {str(path)!r} has a text in the column {name!r}: give another with --column.")
        texts, lines = [row[name] for row in told], [_line(row) for row in told]
    first = {text: place for place, text in reversed([*enumerate(texts)])}
    places = sorted(first.values())
    return Entries([texts[place] for place in places], [lines[place] for place in places], [], len(texts) - len(places))


def _column(path: Path, rows: Sequence[dict[str, Any]], column: str | None) -> str:
    names = list(rows[0]) if rows else []
    wanted = (column,) if column is not None else _COLUMNS
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise BadInput(
            f"{str(path)!r} has no column {' or '.join(map(repr, wanted))}: it has {', '.join(map(repr, names)) or 'none'}."
            " Give one with --column."
        )
    return found


def _line(row: dict[str, Any]) -> bytes:
    try:
        return json_lines([row])
    except (TypeError, ValueError):  # what a Parquet file holds beside its texts
        return json_bytes({name: str(value) for name, value in row.items()}) + b"\n"


async def _embedded(entries: Entries, embedder: str, settings: Settings) -> tuple[Any, list[str]]:
    from ...tools.curation import unit_rows
    from ...tools.encoders import open_clip, open_text_embedder
    from ...tools.vision import foreign_note

    async with Session.aside(settings, "select") as session:
        vectors: list[list[float]] = []
        if not entries.pictures:
            model = session.open("embedder", open_text_embedder, embedder)
            for start in range(0, len(entries.texts), _BATCH):
                vectors += await model.texts(entries.texts[start : start + _BATCH])
            return unit_rows(vectors), []
        clip = session.open("clip", open_clip, settings.clip)
        blobs = session.store.blobs
        kept = [await asyncio.to_thread(read_picture, path, blobs) for path in entries.pictures]
        for start in range(0, len(kept), _BATCH):
            vectors += await clip.images([picture.blob for picture in kept[start : start + _BATCH]])
        note = foreign_note({"--clip": clip}, (blobs.get_image(picture.blob) for picture in kept))
        return unit_rows(vectors), [note] if note else []


def _chosen(vectors: Any, count: int) -> tuple[list[int], dict[str, float]]:
    """The chosen places, and how well they stand for all: the mean cosine of an entry with the most similar chosen one."""
    import numpy as np

    from ...tools.curation import coverage, farthest_first, graph_selection

    chosen = graph_selection(vectors, count)
    rng = np.random.default_rng(0)
    random = [float(coverage(vectors, rng.choice(len(vectors), count, replace=False)).mean()) for _ in range(_DRAWS)]
    low, high = np.quantile(random, [0.05, 0.95])
    figures = {
        "chosen": float(coverage(vectors, chosen).mean()),
        "random": float(np.mean(random)),
        "random_low": float(low),
        "random_high": float(high),
        "k_center": float(coverage(vectors, farthest_first(vectors, count)).mean()),
    }
    return [int(place) for place in chosen], figures


def _words(figures: dict[str, float], of: int, repeated: int, notes: Sequence[str]) -> list[str]:
    random = f"{figures['random']:.3f} ({figures['random_low']:.3f} to {figures['random_high']:.3f} in 90 of 100 draws)"
    best = figures["chosen"] >= max(figures["random_high"], figures["k_center"])
    lines = [
        f"  chosen from {amount(of)} different entries" + (f", {amount(repeated)} repeated ones left out" if repeated else ""),
        f"  mean cosine of an entry with the nearest chosen one: {figures['chosen']:.3f}; random choices {random}, k-center {figures['k_center']:.3f}",
    ]  # fmt: skip
    if not best:
        lines.append("  another way covers as much or more here: see the figures")
    return [*lines, *(f"  note: {printable(note)}" for note in notes)]
