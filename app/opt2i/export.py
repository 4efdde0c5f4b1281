"""The prompts of a run for other programs: as text, as a table, and as pictures that carry their prompt.

    chosen.txt       the prompt to use of each search, one a line
    chosen.csv       the user's prompt, the best one, which of them to use and why, with their scores on unseen seeds in points
    ID-SEED.png       pictures of the prompt to use, with the settings in the form of the AUTOMATIC1111 web UI (text chunk `parameters`),
                      which ComfyUI and others read, too

Made from the result and the blob store alone.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...graphs.opt2i import Opt2iResult, Opt2iTask, TrialImage
from ...runtime.storage import write_whole

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["parameters", "pictures", "tables"]


def tables(result: Opt2iResult, folder: Path) -> dict[str, Path]:
    """Write `chosen.txt` and `chosen.csv`; their paths by name."""
    text, table = folder / "chosen.txt", folder / "chosen.csv"
    write_whole(text, "".join(f"{task.chosen}\n" for task in result.tasks).encode("utf-8"))
    rows = [_row(task) for task in result.tasks]
    sheet = io.StringIO(newline="")
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(sheet, list(columns), restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(table, sheet.getvalue().encode("utf-8"))
    return {"chosen": text, "table": table}


def pictures(result: Opt2iResult, blobs: BlobStore, folder: Path) -> list[Path]:
    """Write the pictures of the prompt to use of each search: those on unseen seeds, or those that it was chosen by where there are none."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for task in result.tasks:
        for shot in _shots(task):
            path = folder / f"{task.id}-{shot.seed}.png"
            write_whole(
                path, _with_parameters(blobs.get(shot.image), task.chosen, shot.seed, result.models.get("images", {}))
            )
            written.append(path)
    return written


def _row(task: Opt2iTask) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": task.id,
        "prompt": task.text,
        "best": task.best_text,
        "use": task.chosen,
        "accepted": task.accepted,
        "verdict": task.verdict,
    }
    for name in task.heldout["user"].scores if task.heldout else ():
        for which, of in (("", "user"), (" of the best", "best")):
            value = task.heldout[of].scores[name]
            row[f"{name}{which}"] = "" if value is None else round(100 * value, 2)
    return row


def _shots(task: Opt2iTask) -> tuple[TrialImage, ...]:
    held = [each.images for each in task.heldout.values() if each.text == task.chosen]
    tried = [trial.images for trial in task.trials if trial.text == task.chosen]
    return next(iter([*held, *tried]), ())


def _with_parameters(png: bytes, prompt: str, seed: int, painter: dict[str, str]) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    with Image.open(io.BytesIO(png)) as image:
        chunks = PngInfo()
        chunks.add_itxt("parameters", parameters(prompt, seed, painter, image.size))
        out = io.BytesIO()
        image.save(out, format="PNG", pnginfo=chunks)
    return out.getvalue()


def parameters(prompt: str, seed: int, painter: dict[str, str], size: tuple[int, int]) -> str:
    """What a picture was painted with, as the AUTOMATIC1111 web UI writes it: the prompt, and a line of settings.

    `painter`: of `result.models`, with the `recipe` that a pipeline of diffusers was run by.
    """
    recipe = dict(pair.split("=", 1) for pair in painter.get("recipe", "").split())
    settings = {
        "Steps": recipe.get("steps"),
        "CFG scale": recipe.get("guidance"),
        "Seed": seed,
        "Size": f"{size[0]}x{size[1]}",
        "Model": painter.get("id", "").replace(",", " "),
        "Version": "inloop",
    }
    return f"{prompt}\n" + ", ".join(f"{name}: {value}" for name, value in settings.items() if value not in (None, ""))
