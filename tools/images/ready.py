"""Pictures that are there already, in the place of a generator: painted elsewhere, found by their prompt and seed.

What belongs to which prompt says `manifest.csv` (or .jsonl, .json) in the folder, with `file`, `prompt` and, where there are several, `seed`. Without
one the names do: `a red disc.png`, `a red disc_0.png`, `a-red-disc-1.jpg`, or a folder `a red disc/` with one file a seed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import BadInput, CallFailed
from ...runtime.records import BlobRef, ImageRequest
from ...runtime.session import settled
from ...runtime.store import folder_revision
from ..data import picture_files, read_picture, read_table

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ReadyImages"]

_MANIFESTS = ("manifest.csv", "manifest.jsonl", "manifest.json")


class ReadyImages:
    """An `ImageGenerator` of the pictures in a folder; it paints nothing and costs nothing.

    Pictures without a seed of their own count from 0, in the order of the manifest or of their names.

    Raises:
        BadInput: there is no such folder, no picture in it, a row of the manifest that cannot be used, or two pictures of one prompt
            and seed.
    """

    def __init__(self, folder: Path, store: Store, settings: Settings) -> None:
        if not folder.is_dir():
            raise BadInput(f"there is no folder {str(folder)!r} of ready pictures.")
        self._folder, self._store = folder, store
        manifest = next((folder / name for name in _MANIFESTS if (folder / name).is_file()), None)
        rows = _named(folder) if manifest is None else _listed(folder, manifest)
        self._files: dict[str, dict[int, Path]] = {}
        for prompt, seed, path in rows:
            of_prompt = self._files.setdefault(_plain(prompt), {})
            place = len(of_prompt) if seed is None else seed
            if place in of_prompt:
                raise BadInput(
                    f"{str(folder)!r} has two pictures of {prompt!r} with seed {place}: {of_prompt[place].name!r} and {path.name!r}."
                )
            of_prompt[place] = path
        if not self._files:
            raise BadInput(f"{str(folder)!r} holds no pictures.")
        self.model = folder.resolve().name
        self.revision = folder_revision(folder, settings.cache_dir)

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """The picture of each request, in order.

        Raises:
            CallFailed: there is none of that prompt and seed, or its file is no picture; the message says what there is.
        """
        return await settled([self._generate(request) for request in requests])

    async def _generate(self, request: ImageRequest) -> BlobRef:
        of_prompt = self._files.get(_plain(request.prompt))
        if of_prompt is None:
            raise CallFailed(
                f"{str(self._folder)!r} has no picture of {request.prompt!r} (it has those of {len(self._files)} prompts); nothing is painted here"
            )
        path = of_prompt.get(request.seed)
        if path is None:
            seeds = ", ".join(map(str, sorted(of_prompt)[:8])) + (", ..." if len(of_prompt) > 8 else "")
            raise CallFailed(
                f"{str(self._folder)!r} has no picture of {request.prompt!r} with seed {request.seed} (it has {seeds})"
            )
        try:
            return (await asyncio.to_thread(read_picture, path, self._store.blobs)).blob
        except BadInput as error:
            raise CallFailed(str(error)) from None


def _plain(prompt: str) -> str:
    """A prompt as file names can hold it: letters and digits, in words."""
    return " ".join(re.findall(r"\w+", prompt.casefold().replace("_", " ")))


def _listed(folder: Path, manifest: Path) -> list[tuple[str, int | None, Path]]:
    rows: list[tuple[str, int | None, Path]] = []
    for place, row in enumerate(read_table(manifest), start=1):
        where = f"{str(manifest)!r}, row {place}"
        missing = next((name for name in ("file", "prompt") if not str(row.get(name) or "").strip()), None)
        if missing is not None:
            raise BadInput(
                f"{where}: it has no {missing!r}; a row has file, prompt and, where there are several, seed."
            )
        path = folder / str(row["file"])
        if not path.is_file():
            raise BadInput(f"{where}: there is no file {str(row['file'])!r} in {str(folder)!r}.")
        given = str("" if row.get("seed") is None else row["seed"]).strip()
        if given and not given.isdecimal():
            raise BadInput(f"{where}: the seed {given!r} is no whole number.")
        rows.append((str(row["prompt"]), int(given) if given else None, path))
    return rows


def _named(folder: Path) -> list[tuple[str, int | None, Path]]:
    rows: list[tuple[str, int | None, Path]] = []
    for path in picture_files(folder):
        inner = path.parent != folder
        number = re.fullmatch(r"(?:(.*?)[\s_-]+)?(\d+)", path.stem)
        seed = int(number[2]) if number is not None and (inner or number[1]) else None
        name = path.parent.name if inner else number[1] if number is not None and number[1] else path.stem
        rows.append((name, seed, path))
    return rows
