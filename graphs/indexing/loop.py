"""`index`: a folder into an index; again, and only what changed is done.

What is read, `tools.documents.readers.kinds` says. A run that was stopped or killed goes on with the files that are not in the
index whole; what was embedded is in the call ledger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...runtime.protocols import Captioner, Embedder, Index, PageReader, TextEmbedder
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session, Warned
from ...tools.documents import Chunker, media_of
from ...tools.encoders import open_clip, open_text_embedder
from ...tools.index import ingest, listing, open_index
from ...tools.vision import foreign_note, open_captioner, open_page_reader
from .config import IndexConfig
from .result import IndexedFolder, IndexResult

__all__ = ["index"]


def _inputs(config: IndexConfig) -> Mapping[str, Path]:
    listing(Path(config.folder))
    return {"folder": Path(config.folder)}


@dataclass(frozen=True)
class _Indexing:
    """The index that is written, and who describes pictures for it."""

    config: IndexConfig
    session: Session
    index: Index
    chunker: Chunker
    captioner: Captioner | None
    ocr: PageReader | None
    clip: Embedder | None

    @classmethod
    async def open(cls, config: IndexConfig, session: Session) -> _Indexing:
        given = session.brought("models", ("embedder", "clip", "captioner", "ocr"))
        text: TextEmbedder | None = None
        if config.embedder != "none" or "embedder" in given:
            text = session.open("embedder", open_text_embedder, config.embedder)
        image: Embedder | None = None
        if config.clip != "none" or "clip" in given:
            image = session.open("clip", open_clip, config.clip)
        captioner: Captioner | None = None
        if config.captioner or "captioner" in given:
            captioner = session.open("captioner", open_captioner, config.captioner)
        ocr: PageReader | None = None
        if config.ocr or "ocr" in given:
            ocr = session.open("ocr", open_page_reader, config.ocr)
        chunker = Chunker(size=config.chunk)
        opened = await open_index(config.to, text=text, image=image, chunker=chunker.key)
        session.close_later(opened)
        await opened.embeds()  # refuses what would leave the index half
        return cls(config, session, opened, chunker, captioner, ocr, image)

    async def work(self, id: str, folder: Path) -> IndexedFolder | None:
        config, session = self.config, self.session
        if session.folder.finished:  # a resumed run that has ended shows its result; to index again is another run
            before = session.folder.result_as(IndexResult)
            if before.tasks and not before.stopped:
                return before.tasks[0]
        if session.budget.exhausted():
            return None
        self._tell_foreign(folder)
        ingested = await ingest(
            folder, self.index, collection=config.name, chunker=self.chunker, blobs=session.store.blobs,
            captioner=self.captioner, ocr=self.ocr, encoding=config.encoding, max_bytes=int(config.max_mb * 1e6),
            progress=lambda done, files, name: session.emit(Progressed(text="files", done=done, of=files)),
            stop=lambda: session.budget.exhausted() is not None,
        )  # fmt: skip
        return IndexedFolder(id=id, ingested=ingested, held=await self.index.count())

    def _tell_foreign(self, folder: Path) -> None:
        """Say, once, that bundled models are given pictures that they cannot know; broken files are told by the reading."""

        def pictures() -> Iterator[Image.Image]:
            for path in listing(folder).files:
                if media_of(path) == "image/*":
                    with contextlib.suppress(OSError, ValueError), Image.open(path) as picture:
                        yield picture

        if note := foreign_note({"--clip": self.clip, "--captioner": self.captioner}, pictures()):
            self.session.emit(Warned(text=note))


def _summary(indexing: _Indexing, mapped: Mapped[IndexedFolder]) -> Mapping[str, object]:
    left = any(task.ingested.left for task in mapped.results.values())
    return {"stopped": indexing.session.budget.exhausted()} if left else {}


index = Loop(
    name="index",
    config=IndexConfig,
    result=IndexResult,
    inputs=_inputs,
    open=_Indexing.open,
    work=_Indexing.work,
    summary=_summary,
    brings={"models": "by role: embedder (TextEmbedder), clip (Embedder), captioner (Captioner), ocr (PageReader)"},
    checkpoints=False,
    brief="a folder of documents brought into an index; again, and only what changed is done",
)
