"""Who does what in the loop over pictures: the roles by name, and the models opened from them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ...agents.captions import (
    PRESETS,
    CaptionAnswerer,
    FollowUp,
    LLMFollowUp,
    LLMSupport,
    PlainFollowUp,
    PresetName,
    Support,
    WordSupport,
)
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.llm import OpenAIChat, open_chat
from ...runtime.passages import Mode
from ...runtime.protocols import Captioner, Embedder, Index, TextEmbedder, VisualQA
from ...runtime.records import BlobRef
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, Store
from ...tools.data import Selection, Shot, Shots, read_corpus, read_picture
from ...tools.encoders import open_clip, open_text_embedder
from ...tools.index import open_index
from ...tools.vision import DetectorTags, RapidOCR, open_captioner, open_ocr, open_tagger, open_vqa
from ..rag import open_for_search
from .parts import PromptCapPorts
from .result import ExampleFiles, Way

__all__ = ["PromptCapBench", "Roles", "keep_pictures"]

Event = dict[str, Any]
_SMALL = ("mini-writer", "smollm2")
_BATCH = 512


class Roles(ExampleFiles):
    """Who does what, in every run of this loop.

    `index`: knowledge, as the URL of an index or a `corpus.jsonl` in BEIR's layout; empty for none. `judge`: who checks the
    answers; "auto" is the language model, and a rule of words for the bundled small ones. `examples_index`: where worked
    examples are searched. `tagger` names the things in pictures (see `tools.tags`), `ocr` reads what is written there; empty:
    tags and text are those that are given.
    """

    llm: str = "smollm2"
    captioner: str = "mini-promptcap"
    tagger: str = ""
    ocr: str = ""
    vqa: str = "mini"
    clip: str = "mini"
    embedder: str = ""
    index: str = ""
    examples_index: str = "memory:"
    preset: PresetName = "promptcap"
    judge: Literal["auto", "words", "llm"] = "auto"
    max_tokens: int | None = Field(default=None, ge=1, le=512)
    seed: int = 0
    budget: str = ""
    in_flight: int = Field(default=64, ge=1, le=1024)


class PromptCapBench:
    """The opened models of one run, shared by all its questions. Nothing is loaded before it is needed."""

    def __init__(self, roles: Roles, store: Store, settings: Settings) -> None:
        self.roles, self.store, self.settings = roles, store, settings
        self.chat = open_chat(roles.llm, store, settings)
        self.captioner: Captioner | None = None
        self.examples_are: Literal["aware", "generic"] = "aware"
        self.tagger: DetectorTags | None = None
        self.ocr: RapidOCR | None = None
        self.vqa: VisualQA | None = None
        self.clip: Embedder | None = None
        self.embedder: TextEmbedder | None = None
        self.index: Index | None = None
        self.mode: Mode = "hybrid"
        self.shots: dict[Selection, Shots] = {}

    async def open_models(self, ways: Sequence[Way], stack: AsyncExitStack) -> None:
        """Open the models that `ways` need; what is opened is closed with `stack`.

        Raises:
            BadInput: a way needs an index and none is named, or a model's name means nothing.
            PrerequisiteError: a model, a package or a server that cannot be had.
        """
        roles, store, settings = self.roles, self.store, self.settings
        stack.push_async_callback(self.close)
        seeing = [way for way in ways if not way.direct and way.caption != "none"]
        if any(way.caption in ("generic", "aware", "both") for way in seeing):
            self.captioner = open_captioner(roles.captioner, store, settings)
        if roles.tagger and any(way.tags for way in seeing):
            self.tagger = open_tagger(roles.tagger, store, settings)
        if roles.ocr and any(way.ocr for way in seeing):
            self.ocr = open_ocr(roles.ocr, store, settings)
        if any(way.direct or (way.check and way.follow_ups) for way in ways):
            self.vqa = open_vqa(roles.vqa, store, settings)
        if any(way.knowledge != "none" for way in ways) and not roles.index:
            raise BadInput("knowledge needs an index: give its URL, or a corpus.jsonl, with --index.")

    async def open_knowledge(self, ways: Sequence[Way], budget: Budget, stack: AsyncExitStack) -> None:
        """Open the index of knowledge, where a way needs it; a `corpus.jsonl` is indexed as far as the budget goes.

        Raises:
            BadInput: there is no such index, or it was made with another embedder.
            PrerequisiteError: a package or a server that cannot be had.
        """
        roles = self.roles
        if all(way.knowledge == "none" for way in ways):
            return
        if not roles.index.endswith(".jsonl"):
            self.index, found = await open_for_search(roles.index, roles.embedder, self.store, self.settings)
            self.embedder = found or self.embedder
            stack.push_async_callback(self.index.close)
            return
        self.embedder = self.embedder or open_text_embedder(roles.embedder or "minilm", self.store, self.settings)
        self.index = await open_index("memory:", text=self.embedder)
        stack.push_async_callback(self.index.close)
        passages = list(read_corpus(Path(roles.index)))
        for start in range(0, len(passages), _BATCH):
            if budget.exhausted():
                return
            await self.index.upsert(passages[start : start + _BATCH])
        if not all(importlib.util.find_spec(name) for name in ("bm25s", "Stemmer")):
            self.mode = "dense"

    async def open_shots(
        self, ways: Sequence[Way], pool: Sequence[Shot], budget: Budget, stack: AsyncExitStack
    ) -> None:
        """Embed the examples that `ways` choose from, as far as the budget goes.

        Raises:
            BadInput: a way needs examples and there are none.
            PrerequisiteError: a model that cannot be had.
        """
        roles, store, settings = self.roles, self.store, self.settings
        wanted = {way.selection for way in ways if way.shots}
        index = None
        # by both before by the question: one index holds the vectors of both, and pictures come in with the former
        for by in [name for name in ("image+question", "question", "random") if name in wanted]:
            if not pool:
                raise BadInput("there are no worked examples to choose from: give them with --examples, or --shots 0.")
            if index is None and by != "random":
                self.embedder = self.embedder or open_text_embedder(roles.embedder or "minilm", store, settings)
                if by == "image+question":
                    self.clip = self.clip or open_clip(roles.clip, store, settings)
                index = await open_index(roles.examples_index, text=self.embedder, image=self.clip)
                stack.push_async_callback(index.close)
            self.shots[by] = Shots(pool, by=by, index=None if by == "random" else index, seed=roles.seed)
            await self.shots[by].fill(stop=lambda: budget.exhausted() is not None)

    def ports(self, way: Way, budget: Budget, tell: Callable[[Event], None]) -> PromptCapPorts:
        """The machine's parts for one way."""
        roles, chat = self.roles, self.chat
        words = roles.judge == "words" or (roles.judge == "auto" and roles.llm in _SMALL)
        support: Support = WordSupport() if words else LLMSupport(chat)
        follow_up: FollowUp = PlainFollowUp() if words else LLMFollowUp(chat)
        candidates = PRESETS[roles.preset].candidates
        return PromptCapPorts(
            way=way, answerer=CaptionAnswerer(chat, roles.preset, max_tokens=roles.max_tokens, seed=roles.seed),
            blobs=self.store.blobs, captioner=self.captioner,
            examples_are=self.examples_are, tagger=self.tagger, ocr=self.ocr, vqa=self.vqa, shots=self.shots.get(way.selection),
            index=self.index, mode=self.mode,
            proposer=CaptionAnswerer(chat, "promptcap", max_tokens=roles.max_tokens, seed=roles.seed) if candidates else None,
            support=support, follow_up=follow_up, budget=budget, tell=tell,
        )  # fmt: skip

    def models(self) -> dict[str, dict[str, str]]:
        """By role, what was opened."""
        parts = {
            "llm": self.chat, "captioner": self.captioner, "tagger": self.tagger, "ocr": self.ocr, "vqa": self.vqa,
            "clip": self.clip, "embedder": self.embedder,
        }  # fmt: skip
        return {role: {"id": each.model, "revision": each.revision} for role, each in parts.items() if each is not None}

    def notes(self) -> list[str]:
        """What a reader must know about how the answers were made."""
        found = [*self.chat.notes] if isinstance(self.chat, OpenAIChat) else []
        if self.mode == "dense":
            found.append("Knowledge was searched by meaning alone: the extra rag is not installed.")
        return found

    async def close(self) -> None:
        """Stop the embedded server and free the models."""
        opened_all = (self.chat, self.captioner, self.tagger, self.ocr, self.vqa, self.clip, self.embedder)
        for opened in opened_all:
            if opened is not None and hasattr(opened, "aclose"):
                await opened.aclose()


def keep_pictures(files: Sequence[str], blobs: BlobStore) -> dict[str, BlobRef]:
    """Every file once, in the blob store.

    Raises:
        BadInput: some are missing or no pictures: how many, and why the first of them cannot be read.
    """
    found, problems = {}, []
    for name in dict.fromkeys(files):
        try:
            found[name] = read_picture(Path(name), blobs).blob
        except BadInput as error:
            problems.append(str(error))
    if problems:
        many = f"{len(problems)} of {len(found) + len(problems)} pictures cannot be used: " if len(problems) > 1 else ""
        raise BadInput(many + problems[0])
    return found
