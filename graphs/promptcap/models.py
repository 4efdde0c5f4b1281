"""The models, the knowledge and the examples of one run, shared by all its questions; what no method needs is not opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...agents.captions import (
    PRESETS,
    CaptionAnswerer,
    FollowUp,
    LLMFollowUp,
    LLMSupport,
    PlainFollowUp,
    Support,
    WordSupport,
)
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.passages import Mode
from ...runtime.protocols import Captioner, Chat, Embedder, Index, Tagger, TextEmbedder, TextReader, VisualQA
from ...runtime.records import BlobRef
from ...runtime.session import Session, Warned
from ...tools.data import Selection, Shot, Shots, read_corpus
from ...tools.encoders import open_clip, open_text_embedder
from ...tools.index import open_index
from ...tools.vision import foreign_note, open_captioner, open_ocr, open_tagger, open_vqa
from ..rag import open_for_search
from .config import PromptCapConfig
from .context import VQAContext
from .result import Method

__all__ = ["BRINGS", "VQAModels", "need_index"]

BRINGS = {
    "models": "by role (llm, captioner, tagger, ocr, vqa, clip, embedder), objects as `runtime.protocols` describes them",
    "pool": "worked examples (`tools.data.Shot`), beside those of files",
}
"""What a caller of these loops can bring."""

_BATCH = 512


def need_index(config: PromptCapConfig, methods: Sequence[Method]) -> None:
    """Raise `BadInput` where a method needs knowledge and no index is named."""
    if not config.index and any(method.knowledge != "none" for method in methods):
        raise BadInput("knowledge needs an index: give its URL, or a corpus.jsonl, with --index.")


class VQAModels:
    """What the questions of a run share. `pictures`: by file name, what is in the blob store.

    Raises:
        BadInput: a model's name means nothing.
        PrerequisiteError: a model, a package or a server that cannot be had.
    """

    def __init__(self, config: PromptCapConfig, session: Session, methods: Sequence[Method]) -> None:
        self.config, self.session, self.methods = config, session, methods
        self.pictures: dict[str, BlobRef] = {}
        self.examples_are: Literal["aware", "generic"] = "aware"
        self.chat: Chat = session.open("llm", open_chat, config.llm)
        self.captioner: Captioner | None = None
        self.tagger: Tagger | None = None
        self.ocr: TextReader | None = None
        self.vqa: VisualQA | None = None
        self.clip: Embedder | None = None
        self.index: Index | None = None
        self.mode: Mode = "hybrid"
        self.shots: dict[Selection, Shots] = {}
        seeing = [method for method in methods if not method.direct and method.caption != "none"]
        if any(method.caption in ("generic", "aware", "both") for method in seeing):
            self.captioner = session.open("captioner", open_captioner, config.captioner)
        if config.tagger and any(method.tags for method in seeing):
            self.tagger = session.open("tagger", open_tagger, config.tagger)
        if config.ocr and any(method.ocr for method in seeing):
            self.ocr = session.open("ocr", open_ocr, config.ocr)
        if any(method.direct or (method.check and method.follow_ups) for method in methods):
            self.vqa = session.open("vqa", open_vqa, config.vqa)

    async def open_knowledge(self) -> None:
        """Open the index of knowledge, where a method needs it; a `corpus.jsonl` is indexed as far as the budget goes.

        Raises:
            BadInput: there is no such index, or it was made with another embedder.
            PrerequisiteError: a package or a server that cannot be had.
        """
        config, session = self.config, self.session
        if all(method.knowledge == "none" for method in self.methods):
            return
        if not config.index.endswith(".jsonl"):
            embedder = session.parts.get("models", {}).get("embedder", config.embedder)
            self.index, used = await open_for_search(config.index, embedder, session.store, session.settings)
            session.close_later(self.index)
            if used is not None:
                session.open("embedder", lambda *_: used, config.embedder)
            return
        self.index = await open_index("memory:", text=self._embedder())
        session.close_later(self.index)
        passages = list(read_corpus(Path(config.index)))
        for start in range(0, len(passages), _BATCH):
            if session.budget.exhausted():
                return
            await self.index.upsert(passages[start : start + _BATCH])
        if not all(importlib.util.find_spec(name) for name in ("bm25s", "Stemmer")):
            self.mode = "dense"
            session.emit(Warned(text="Knowledge was searched by meaning alone: the extra rag is not installed."))

    async def open_shots(self, pool: Sequence[Shot]) -> None:
        """Embed the examples that the methods choose from, as far as the budget goes.

        Raises:
            BadInput: a method needs examples and there are none.
            PrerequisiteError: a model that cannot be had.
        """
        config, session = self.config, self.session
        wanted = {method.selection for method in self.methods if method.shots}
        if wanted and not pool:
            raise BadInput("there are no worked examples to choose from: give them with --examples, or --shots 0.")
        if "image+question" in wanted:
            self.clip = session.open("clip", open_clip, config.clip)
        index = None
        if wanted - {"random"}:
            index = await open_index(config.examples_index, text=self._embedder(), image=self.clip)
            session.close_later(index)
        # by both before by the question: one index holds the vectors of both, and pictures come in with the former
        order: tuple[Selection, ...] = ("image+question", "question", "random")
        for by in [each for each in order if each in wanted]:
            self.shots[by] = Shots(pool, by=by, index=None if by == "random" else index, seed=config.seed)
            await self.shots[by].fill(stop=lambda: session.budget.exhausted() is not None)

    def tell_foreign(self) -> None:
        """Say, once, that a bundled model is shown what it cannot know (`tools.vision.foreign_note`); after `open_shots`, which may show it."""
        pictures = {picture.sha256: picture for picture in self.pictures.values()}
        shown = map(self.session.store.blobs.get_image, pictures.values())
        if note := foreign_note({"--captioner": self.captioner, "--vqa": self.vqa, "--clip": self.clip}, shown):
            self.session.emit(Warned(text=note))

    def context(self, method: Method) -> VQAContext:
        """What the machine works with for one question of a method."""
        config, chat, session = self.config, self.chat, self.session
        words = config.judge == "words" or (config.judge == "auto" and chat.small)
        support: Support = WordSupport() if words else LLMSupport(chat)
        follow_up: FollowUp = PlainFollowUp() if words else LLMFollowUp(chat)
        proposer = None
        if PRESETS[config.preset].candidates:
            proposer = CaptionAnswerer(chat, "promptcap", max_tokens=config.max_tokens, seed=config.seed)
        return VQAContext(
            method=method, answerer=CaptionAnswerer(chat, config.preset, max_tokens=config.max_tokens, seed=config.seed),
            blobs=session.task_blobs(), captioner=self.captioner, examples_are=self.examples_are, tagger=self.tagger,
            ocr=self.ocr, vqa=self.vqa, shots=self.shots.get(method.selection), index=self.index, mode=self.mode,
            proposer=proposer, support=support, follow_up=follow_up, budget=session.budget, emit=session.emit,
        )  # fmt: skip

    def _embedder(self) -> TextEmbedder:
        return self.session.open("embedder", open_text_embedder, self.config.embedder or "minilm")
