"""What a tool, a chat model or an evaluator must be able to do: small, batch first, async.

`model` and `revision` identify what answered (a hub id and commit, a folder and the sha256 of its weights); they
are part of every key in the call ledger, and must be known without loading any weights.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from .passages import Filter, Hit, Manifest, Mode, Passage, Query, SpaceName
from .records import (
    Answer,
    BlobRef,
    Detection,
    EditRequest,
    ImageRequest,
    Message,
    Prediction,
    Reply,
    Row,
    Sample,
    Score,
    Segment,
    Training,
)

__all__ = [
    "Captioner",
    "Chat",
    "Detector",
    "Embedder",
    "Evaluator",
    "Identified",
    "ImageClassifier",
    "ImageEditor",
    "ImageEncoder",
    "ImageGenerator",
    "Index",
    "Reranker",
    "Rewarder",
    "Segmenter",
    "Student",
    "Tagger",
    "TextEmbedder",
    "PageReader",
    "TextReader",
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


class ImageEditor(Identified, Protocol):
    """Edits pictures for a prompt; the same request gives the same picture, whatever it is batched with.

    A picture keeps its size. With a mask, every pixel outside of it keeps its value exactly.
    """

    async def edit(self, requests: Sequence[EditRequest]) -> list[BlobRef]: ...


class VisualQA(Identified, Protocol):
    """Answers questions about pictures; one picture is encoded once for all its questions."""

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]: ...


class Captioner(Identified, Protocol):
    """Describes pictures, for a question where one is given."""

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]: ...


class ImageEncoder(Identified, Protocol):
    """Unit vectors (L2 norm 1) of pictures, one each, in order; it need not know any words."""

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]: ...


class ImageClassifier(Identified, Protocol):
    """Names the class of each picture, in order; `scores` of a `Prediction` are by the labels that it knows, None where it gives none."""

    async def classify(self, images: Sequence[BlobRef]) -> list[Prediction]: ...


class Embedder(ImageEncoder, Protocol):
    """Unit vectors (L2 norm 1) of texts and images in one space."""

    async def texts(self, texts: Sequence[str]) -> list[list[float]]: ...


class Detector(Identified, Protocol):
    """Finds objects in pictures, the surest first. `labels` are the classes it knows, None where it takes any words."""

    @property
    def labels(self) -> tuple[str, ...] | None: ...
    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]: ...


class Segmenter(Identified, Protocol):
    """Masks of what is in boxes, one a box, in order; a box is (x0, y0, x1, y1) in pixels from the top left."""

    async def segment(
        self, asked: Sequence[tuple[BlobRef, tuple[tuple[float, float, float, float], ...]]]
    ) -> list[tuple[Segment, ...]]: ...


class Tagger(Identified, Protocol):
    """Names the things in each picture, as one text, the surest first; empty where it finds none."""

    async def tags(self, images: Sequence[BlobRef]) -> list[str]: ...


class TextReader(Identified, Protocol):
    """Reads what is written in each picture, as one text; empty where nothing is."""

    async def read(self, images: Sequence[BlobRef]) -> list[str]: ...


class PageReader(Identified, Protocol):
    """Reads the page that each picture shows, line by line; empty where nothing is written."""

    async def pages(self, images: Sequence[BlobRef]) -> list[str]: ...


class Rewarder(Identified, Protocol):
    """Says how much people would like a picture for a text: higher is better, on a scale of its own."""

    async def rewards(self, asked: Sequence[tuple[BlobRef, str]]) -> list[float]: ...


class TextEmbedder(Identified, Protocol):
    """Unit vectors (L2 norm 1) of texts; their dot product is the cosine.

    `role` ("query" or "document") puts the words before a text that some models were trained with; others ignore it.
    """

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]: ...
    async def aclose(self) -> None: ...


class Reranker(Identified, Protocol):
    """How well each text answers a query, in [0, 1], in order; None where that could not be told."""

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float | None]: ...


class Index(Protocol):
    """Passages that are found by words, by vectors, or by both; chosen by URL (`tools.index.open_index`).

    A write that has returned is on the disk. A write is whole or not there, a search meanwhile sees the one or the other.
    """

    @property
    def url(self) -> str: ...
    @property
    def manifest(self) -> Manifest | None:
        """What it was made with; None as long as it is empty and new."""
        ...

    async def upsert(self, passages: Sequence[Passage]) -> None:
        """Put passages in; one with the id of another takes its place. Of two with one id in one call the last stays."""
        ...

    async def delete(self, ids: Sequence[str] = (), *, where: Filter | None = None) -> int:
        """Take out the passages with these ids and those that `where` finds; how many there were."""
        ...

    async def search(
        self,
        queries: Sequence[Query | str],
        *,
        k: int = 10,
        mode: Mode = "hybrid",
        where: Filter | None = None,
        reranker: Reranker | None = None,
    ) -> list[list[Hit]]:
        """At most `k` hits a query, best first, equal ones by id; `where` holds before the k are chosen."""
        ...

    async def get(self, ids: Sequence[str]) -> list[Passage | None]:
        """The passages with these ids, in order; None for one that is not there."""
        ...

    async def count(self, where: Filter | None = None) -> int:
        """How many passages `where` finds, exactly."""
        ...

    def iterate(self, where: Filter | None = None, *, without: SpaceName | None = None) -> AsyncIterator[Passage]:
        """Every passage once, by id, a page at a time; with `without` only those that hold no vector of that kind."""
        ...

    async def embeds(self) -> frozenset[SpaceName]:
        """The kinds of vectors that a passage gets when it is put in now.

        Raises:
            BadInput: it holds vectors of a kind that a passage put in now would not get, or cannot take those that it would.
        """
        ...

    async def annotate(self, name: str, value: Any) -> None:
        """Keep a JSON value in the manifest's `meta`; while it is empty and new nothing is kept."""
        ...

    async def size(self) -> int | None:
        """Bytes on the disk; None where that is not known."""
        ...

    async def optimise(self) -> None:
        """Tidy up: join small files, index what was added, drop what was deleted. Never needed for right results."""
        ...

    async def close(self) -> None:
        """Let go of files and connections; may be called twice."""
        ...


class Student(Identified, Protocol):
    """A model that is trained on rows and then answers texts.

    `fit` always starts from the base model. It is named by all that it depends on: `revision` is one value before
    `fit`, and another after it, made of the base, the recipe, the task, the rows in their order and the seed. What was
    trained under one revision is kept in the store, and `fit` takes it from there instead of training again.
    `check` gives rows in the task's form, or says which cannot be learned (for the test rows: or read), before anything
    is paid for; `too_long` says why a row is more than the student reads, and is empty for the others. `fresh` is another
    untrained student of the same base, recipe and task.
    `predict` without `scores` may leave the probabilities out: a student that writes its answers then reads no label.
    """

    @property
    def fitted(self) -> bool: ...
    def check(self, rows: Sequence[Row]) -> list[Row]: ...
    def too_long(self, row: Row) -> str: ...
    async def fit(self, rows: Sequence[Row], seed: int) -> Training: ...
    async def predict(self, texts: Sequence[str], *, scores: bool = True) -> list[Prediction]: ...
    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...
    def fresh(self) -> Student: ...
    async def aclose(self) -> None: ...


class Chat(Identified, Protocol):
    """A chat model behind any OpenAI-compatible server; `complete` is explained at `llm.OpenAIChat.complete`.

    Who asks it looks at its traits, never at its name; a class derived from this one has the usual ones.
    """

    @property
    def small(self) -> bool:
        """Whether it is too small to keep a form it was not trained on: rules or single words then do what needs one."""
        return False

    @property
    def tuned_to(self) -> str:
        """The prompts that it was trained on, by the beginning of their names: "mini" (`prompts/*/mini_*.md`), "" for none."""
        return ""

    @property
    def notes(self) -> Sequence[str]:
        """What was done without because the server does not have it, in words for a report; grows as it is asked."""
        return ()

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
        top: int = 0,
        among: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply: ...
