"""What a tool, a chat model or an evaluator must be able to do: small, batch first, async.

`model` and `revision` identify what answered (a hub id and commit, a folder and the sha256 of its weights); they
are part of every key in the call ledger, and must be known without loading any weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from .records import Answer, BlobRef, Detection, ImageRequest, Message, Prediction, Reply, Row, Sample, Score, Training

__all__ = [
    "Captioner",
    "Chat",
    "Detector",
    "Embedder",
    "Evaluator",
    "ImageGenerator",
    "Identified",
    "Rewarder",
    "Student",
    "TextEmbedder",
    "VisualQA",
]


class Identified(Protocol):
    """Anything that answers calls under a name."""

    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str: ...


class Evaluator(Protocol):
    """Scores samples: same length and order. What cannot be scored is a `Score` with value None."""

    @property
    def name(self) -> str: ...
    async def score(self, samples: Sequence[Sample]) -> list[Score]: ...


class ImageGenerator(Identified, Protocol):
    """Paints prompts; the same request gives the same picture, whatever it is batched with."""

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]: ...


class VisualQA(Identified, Protocol):
    """Answers questions about pictures; one picture is encoded once for all its questions."""

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]: ...


class Captioner(Identified, Protocol):
    """Describes pictures, for a question where one is given."""

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]: ...


class Embedder(Identified, Protocol):
    """Unit vectors (L2 norm 1) of texts and images in one space."""

    async def texts(self, texts: Sequence[str]) -> list[list[float]]: ...
    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]: ...


class Detector(Identified, Protocol):
    """Finds objects in pictures, the surest first. `labels` are the classes it knows, None where it takes any words."""

    @property
    def labels(self) -> tuple[str, ...] | None: ...
    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]: ...


class Rewarder(Identified, Protocol):
    """Says how much people would like a picture for a text: higher is better, on a scale of its own."""

    async def rewards(self, asked: Sequence[tuple[BlobRef, str]]) -> list[float]: ...


class TextEmbedder(Identified, Protocol):
    """Unit vectors (L2 norm 1) of texts; their dot product is the cosine.

    `role` ("query" or "document") puts the words before a text that some models were trained with; others ignore it.
    """

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]: ...
    async def aclose(self) -> None: ...


class Student(Identified, Protocol):
    """A model that is trained on rows and then answers texts.

    `fit` always starts from the base model. It is named by all that it depends on: `revision` is one value before
    `fit`, and another after it, made of the base, the recipe, the task, the rows in their order and the seed. What was
    trained under one revision is kept in the store, and `fit` takes it from there instead of training again.
    `check` gives rows in the task's form, or says which cannot be learned (for the test rows: or read), before anything
    is paid for. `fresh` is another untrained student of the same base, recipe and task.
    """

    @property
    def fitted(self) -> bool: ...
    def check(self, rows: Sequence[Row]) -> list[Row]: ...
    async def fit(self, rows: Sequence[Row], seed: int) -> Training: ...
    async def predict(self, texts: Sequence[str]) -> list[Prediction]: ...
    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...
    def fresh(self) -> Student: ...
    async def aclose(self) -> None: ...


class Chat(Identified, Protocol):
    """A chat model behind any OpenAI-compatible server."""

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        n: int = 1,
        seed: int | None = None,
        temperature: float = 1.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
        schema: type[BaseModel] | None = None,
        logprobs: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply: ...
