"""The files of a folder that can be read, those that are not, and the captions beside its pictures."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import BadInput
from ..documents import kinds_in_words, media_of

__all__ = ["Listing", "beside", "listing"]


@dataclass(frozen=True)
class Listing:
    """The files of a folder that are read, in order; how many there are of other kinds, by the end of their names."""

    files: list[Path]
    skipped: dict[str, int]
    captions: set[Path]
    """Text files that are the captions of pictures beside them."""
    links: tuple[Path, ...] = ()
    """Links to files and folders that lead out of the folder: they are not followed."""


def listing(root: Path) -> Listing:
    """What there is to read in a folder, or the one file.

    Raises:
        BadInput: it is not there, or holds nothing that can be read.
    """
    if not root.exists():
        raise BadInput(f"{str(root)!r} does not exist: give a folder or a file to index.")
    if root.is_file():
        return Listing([root], {}, set())
    paths: list[Path] = []
    links: list[Path] = []
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links += [path for name in folders if (path := Path(folder) / name).is_symlink() and _leads_out(path, inside)]
        for name in sorted(names):
            path = Path(folder) / name
            if not name.startswith("."):
                (links if path.is_symlink() and _leads_out(path, inside) else paths).append(path)
    there = set(paths)
    captions = {near for path in paths if media_of(path) == "image/*" for near in beside(path) if near in there}
    files = [path for path in paths if media_of(path) is not None and path not in captions]
    skipped = dict(Counter(path.suffix.lower() for path in paths if media_of(path) is None))
    if not files:
        kinds = ", ".join(f"{count} {end or 'without an ending'}" for end, count in sorted(skipped.items()))
        kinds = ", ".join(filter(None, [kinds, f"{len(links)} links that lead out of it" if links else ""]))
        raise BadInput(
            f"there is nothing to index in {str(root)!r}{f' ({kinds})' if kinds else ', it is empty'}: {kinds_in_words()}"
            " are read. The index was left as it is."
        )
    return Listing(files, skipped, captions, tuple(links))


def _leads_out(link: Path, folder: Path) -> bool:
    """Whether a link leads to what is there, outside of the folder (a path without links)."""
    return link.exists() and not link.resolve().is_relative_to(folder)


def beside(picture: Path) -> tuple[Path, Path]:
    """The files that may hold the caption of a picture: `x.png.txt` and `x.txt`."""
    return picture.with_name(picture.name + ".txt"), picture.with_suffix(".txt")
