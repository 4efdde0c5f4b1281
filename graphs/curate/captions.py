"""Captions of pictures: read by the pictures' names, and which of them do not fit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput
from ...runtime.text import is_blank
from ...tools.data import read_table

__all__ = ["caption_threshold", "read_captions", "wrong_pairs"]

_NAMES = ("image", "file_name", "image_path", "path", "file")
_TEXTS = ("caption", "text", "prompt")


def read_captions(table: Path, files: Sequence[str], folder: Path) -> dict[str, str]:
    """The caption of each picture of `folder` that has one, by the picture's name.

    Pictures are named from the folder, or from where the table lies (as in the metadata of a Hugging Face image folder).

    Raises:
        BadInput: no such table or columns, a picture twice, or a caption of a picture that is not there.
    """
    rows = read_table(table)
    if not rows:
        raise BadInput(f"--captions: {str(table)!r} has no rows: give a table with the columns image and caption.")
    name, text = (next((each for each in wanted if each in rows[0]), None) for wanted in (_NAMES, _TEXTS))
    if name is None or text is None:
        raise BadInput(
            f"--captions: {str(table)!r} has the columns {', '.join(map(repr, rows[0]))}: give image and caption."
        )
    beside = {os.path.relpath(folder / file, table.parent): file for file in files}
    known = beside | {file: file for file in files}
    pictures = [known.get(os.path.normpath(str(row.get(name))), "") for row in rows]
    strangers = [str(row.get(name)) for row, picture in zip(rows, pictures, strict=True) if not picture]
    if strangers:
        raise BadInput(
            f"--captions: {len(strangers)} of {len(rows)} rows of {str(table)!r} name no picture of the folder, such as"
            f" {strangers[0]!r}: names are paths from the folder that is cleaned, such as {files[0]!r}, or from where the table lies."
        )
    found: dict[str, str] = {}
    for row, picture in zip(rows, pictures, strict=True):
        caption = row.get(text)
        if picture in found:
            raise BadInput(f"--captions: the picture {picture!r} is in {str(table)!r} twice: give it once.")
        if isinstance(caption, str) and not is_blank(caption):
            found[picture] = " ".join(caption.split())
    if not found:
        raise BadInput(f"--captions: no row of {str(table)!r} has a caption: give the column {text!r} texts.")
    return found


def wrong_pairs(vectors: NDArray[np.float32], texts: Sequence[str], seed: int) -> NDArray[np.int64]:
    """For each picture the place of a caption that is another picture's and says something else: captions planted to be wrong."""
    rng = np.random.default_rng([seed, 31])
    order = rng.permutation(len(texts))
    wrong = np.roll(order, 1)[np.argsort(order)]
    for place in range(len(texts)):
        for _ in range(20):
            if texts[int(wrong[place])] != texts[place]:
                break
            wrong[place] = rng.integers(len(texts))
    return np.asarray(wrong, dtype=np.int64)


def caption_threshold(own: Mapping[int, float], planted: Sequence[float]) -> tuple[float, float]:
    """The cosine below which a caption does not fit, and how well cosines part a user's captions from planted wrong ones (AUROC).

    The threshold parts the two best (Youden 1950). Where captions of one's own are wrong too, it lies a little low, which keeps more.
    """
    mine, wrong = np.array(list(own.values())), np.array(planted)
    borders = np.unique(np.concatenate([mine, wrong]))
    below = np.searchsorted(np.sort(mine), borders, side="left") / len(mine)
    caught = np.searchsorted(np.sort(wrong), borders, side="left") / len(wrong)
    best = float(borders[int((caught - below).argmax())])
    ranks = np.concatenate([mine, wrong]).argsort().argsort()[: len(mine)] + 1
    auroc = float((ranks.sum() - len(mine) * (len(mine) + 1) / 2) / (len(mine) * len(wrong)))
    return best, auroc
