"""What tests of cleanings share: an embedder that needs no weights, drawn copies with their truth, and a run that can be killed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inloop.graphs.curate import curate
from inloop.mini.world.data import write_set
from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

__all__ = ["ColorClip", "drawn_copies", "go"]

WORDS = {"red": (1.0, 0.1, 0.1), "green": (0.1, 1.0, 0.1), "blue": (0.1, 0.1, 1.0), "white": (1.0, 1.0, 1.0)}


class ColorClip:
    """Pictures as their smallest thumbnail, words as a thumbnail of the colour that they name."""

    model, revision = "colors", "1"
    pause = 0.0
    log: Path | None = None

    def __init__(self, store: Store) -> None:
        self._store = store

    async def images(self, images: Sequence[Any]) -> list[list[float]]:
        found = []
        for image in images:
            time.sleep(self.pause)
            if self.log is not None:
                with self.log.open("a", encoding="utf-8") as log:
                    log.write(f"{image.sha256}\n")
            small = self._store.blobs.get_image(image).convert("RGB").resize((6, 6))
            found.append(_unit(np.asarray(small, dtype=np.float64) / 255 + 0.01))
        return found

    async def texts(self, texts: Sequence[str]) -> list[list[float]]:
        if any("too long" in text for text in texts):
            raise BadInput("the text is too long: split it.")
        colors = [next((WORDS[word] for word in text.split() if word in WORDS), (0.5, 0.5, 0.5)) for text in texts]
        return [_unit(np.tile(np.array(color), (6, 6, 1))) for color in colors]


def _unit(values: Any) -> list[float]:
    flat = np.asarray(values).ravel()
    unit: list[float] = (flat / np.linalg.norm(flat)).tolist()
    return unit


def drawn_copies(folder: Path, count: int, seed: int = 0) -> tuple[Path, Path, dict[str, dict[str, Any]]]:
    """Drawn originals, their copies and look-alikes: the folder to clean, the test set, and the truth by name."""
    write_set("copies", folder / "drawn", count=count, seed=seed)
    truth: dict[str, dict[str, Any]] = {}
    for split in ("train", "test"):
        (folder / split).mkdir()
        for line in (folder / "drawn" / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            name = Path(row["file_name"]).name
            shutil.copy(folder / "drawn" / split / row["file_name"], folder / split / name)
            truth[name] = {**row, "split": split}
    return folder / "train", folder / "test", truth


def go(runs_dir: str, folder: str, to: str, log: str, pause: float, run: str = "", pool: str = "") -> None:
    """A cleaning in a process of its own, which may be killed; `run`: one to go on with."""
    ColorClip.pause, ColorClip.log = pause, Path(log)
    settings = Settings(runs_dir=Path(runs_dir))
    if run:
        curate.resume(run, settings=settings, models={"clip": ColorClip})
    else:
        curate(folder, to=to, pool=pool, settings=settings, models={"clip": ColorClip})
