"""A folder of documents brought into an index: the models opened, the files read, only what changed written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.protocols import Captioner
from ...runtime.roles import close
from ...runtime.run import Anywhere
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..documents import Chunker
from ..encoders import open_clip, open_text_embedder
from .ingestion import Ingested, ingest
from .open import open_index

__all__ = ["index", "index_folder"]


async def index_folder(
    folder: str | Path,
    *,
    to: str,
    name: str = "",
    embedder: str = "minilm",
    clip: str = "",
    captioner: str = "",
    chunk: int = 900,
    max_mb: float = 64.0,
    settings: Settings | None = None,
    on_progress: Callable[[int, int, str], None] = lambda done, files, file: None,
) -> tuple[Ingested, int]:
    """What was done, and how many passages the index holds now.

    Args:
        folder: text, Markdown, HTML, PDF and pictures in it are read.
        to: the index, as lancedb:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB, memory:.
        name: the collection; default: the folder's name.
        embedder: of texts, by id; "none" for words alone.
        clip: of pictures; default: the settings', "none" for none.
        captioner: describes pictures, so that they are found by words.
        chunk: characters of a passage at most.
        max_mb: files above it are named and not read.
        settings: default: what `inloop config` shows.
        on_progress: called with files done, files in all, and the name of the last one.

    Raises:
        BadInput: a folder, an index or a number that cannot be used.
        PrerequisiteError: a package, a model or a server that cannot be had.
    """
    settings = settings or Settings.load()
    if chunk < 100 or max_mb <= 0:
        raise BadInput(f"chunk {chunk} must be 100 or more, and max_mb {max_mb:g} above 0.")
    chunker = Chunker(size=chunk)
    with Store.open(settings) as store:
        async with contextlib.AsyncExitStack() as stack:
            text = None if embedder == "none" else open_text_embedder(embedder, store, settings)
            image = None if clip == "none" else open_clip(clip or settings.clip, store, settings)
            describer: Captioner | None = None
            if captioner:
                from ..vision import open_captioner

                describer = open_captioner(captioner, store, settings)
            for model in (text, image, describer):
                if model is not None:
                    stack.push_async_callback(close, model)
            opened = await open_index(to, text=text, image=image, chunker=chunker.key)
            stack.push_async_callback(opened.close)
            ingested = await ingest(
                Path(folder), opened, collection=name, chunker=chunker, blobs=store.blobs, captioner=describer,
                max_bytes=int(max_mb * 1e6), progress=on_progress,
            )  # fmt: skip
            return ingested, await opened.count()


index = Anywhere(index_folder)
"""`index_folder`, from wherever it is called."""
