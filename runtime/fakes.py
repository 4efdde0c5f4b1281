"""Fakes for tests of your own graphs: they answer at once, always the same, and look at nothing.

They fulfil `protocols` and are never chosen by a setting or a flag. What they return says nothing about a model: a run
with a fake is a test of the code around it. Each counts what it was asked in `asked`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from .errors import BadInput
from .records import Answer, BlobRef, Cost, Detection, EditRequest, ImageRequest, Message, Reply, Segment
from .store import BlobStore

__all__ = [
    "ScriptedCaptioner",
    "ScriptedChat",
    "ScriptedDetector",
    "ScriptedEditor",
    "ScriptedEmbedder",
    "ScriptedImages",
    "ScriptedRewards",
    "ScriptedSegmenter",
    "ScriptedVQA",
]


class ScriptedChat:
    """FAKE chat model: gives `replies` in turn, or what a function of the messages returns.

    With n > 1, that many replies are taken. Raises `BadInput` when the script is at its end.
    """

    def __init__(
        self,
        replies: Sequence[str] | Callable[[Sequence[Message]], str],
        *,
        model: str = "fake-chat",
        small: bool = False,
        tuned_to: str = "",
    ) -> None:
        self.model = model
        self.revision = "fake"
        self.small, self.tuned_to = small, tuned_to
        self.notes: tuple[str, ...] = ()
        self.asked: list[list[Message]] = []
        self._script = replies if callable(replies) else None
        self._replies = [] if callable(replies) else list(replies)

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
    ) -> Reply:
        """The next `n` replies; tokens are counted as words."""
        self.asked.append(list(messages))
        texts = tuple(self._next(messages) for _ in range(n))
        for text in texts if on_text else ():
            on_text(text)  # type: ignore[misc]
        return Reply(
            texts=texts,
            finish_reasons=("stop",) * n,
            model=self.model,
            cost=Cost(
                calls=1,
                input_tokens=sum(len(message.content.split()) for message in messages),
                output_tokens=sum(len(text.split()) for text in texts),
            ),
        )

    def _next(self, messages: Sequence[Message]) -> str:
        if self._script is not None:
            return self._script(messages)
        if not self._replies:
            raise BadInput(
                f"the script of {self.model!r} is at its end, and it was asked {messages[-1].content[:80]!r}:"
                " give it one more reply."
            )
        return self._replies.pop(0)


class ScriptedImages:
    """FAKE text-to-image model: one flat colour a picture, from the hash of prompt and seed."""

    def __init__(self, blobs: BlobStore, *, size: int = 16, model: str = "fake-images") -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[ImageRequest] = []
        self._blobs, self._size = blobs, size

    async def generate(self, requests: Sequence[ImageRequest]) -> list[BlobRef]:
        """A flat picture for each request."""
        from PIL import Image

        self.asked += requests
        sides = (self._size, self._size)
        return [
            self._blobs.put_image(Image.new("RGB", sides, tuple(_hash(request.prompt, request.seed)[:3])))
            for request in requests
        ]


class ScriptedEditor:
    """FAKE image editor: lays one flat colour, from the hash of prompt and seed, over the picture, as thickly as `strength` says.

    With a mask, only where that is white.
    """

    def __init__(self, blobs: BlobStore, *, model: str = "fake-editor") -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[EditRequest] = []
        self._blobs = blobs

    async def edit(self, requests: Sequence[EditRequest]) -> list[BlobRef]:
        """A picture of the same size for each request."""
        self.asked += requests
        return [self._one(request) for request in requests]

    def _one(self, request: EditRequest) -> BlobRef:
        from PIL import Image

        picture = self._blobs.get_image(request.image).convert("RGB")
        flat = Image.new("RGB", picture.size, tuple(_hash(request.prompt, request.seed)[:3]))
        edited = Image.blend(picture, flat, request.strength)
        if request.mask is not None:
            edited = Image.composite(edited, picture, self._blobs.get_image(request.mask).convert("1", dither=None))
        return self._blobs.put_image(edited)


class ScriptedVQA:
    """FAKE visual question answering: the answers of a dict by question, or of a function of (image, question).

    An answer is a text, or a number that is the probability of yes. A question that the dict does not hold: `BadInput`.
    """

    def __init__(
        self,
        answers: Mapping[str, str | float] | Callable[[BlobRef, str], str | float],
        *,
        model: str = "fake-vqa",
    ) -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[tuple[BlobRef, str]] = []
        self._answers = answers

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """An answer to each question."""
        self.asked += asked
        return [self._one(image, question) for image, question in asked]

    def _one(self, image: BlobRef, question: str) -> Answer:
        if callable(self._answers):
            given = self._answers(image, question)
        elif question in self._answers:
            given = self._answers[question]
        else:
            raise BadInput(f"the script of {self.model!r} has no answer to {question!r}: add one.")
        if isinstance(given, str):
            return Answer(text=given, p_yes={"yes": 1.0, "no": 0.0}.get(given.lower()))
        return Answer(text="yes" if given > 0.5 else "no", p_yes=float(given))


class ScriptedCaptioner:
    """FAKE captioner: what a function of (picture, question or None) says."""

    def __init__(self, said: Callable[[BlobRef, str | None], str], *, model: str = "fake-captioner") -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[tuple[BlobRef, str | None]] = []
        self._said = said

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """A caption for each pair."""
        self.asked += asked
        return [self._said(image, question) for image, question in asked]

    async def aclose(self) -> None:
        """Nothing to let go of."""


class ScriptedEmbedder:
    """FAKE embedder: unit vectors from hashes; equal things are equal, everything else is near to orthogonal."""

    def __init__(self, *, size: int = 64, model: str = "fake-embedder") -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[str | BlobRef] = []
        self._size = size

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """A unit vector for each text."""
        self.asked += texts
        return [_unit("text:" + text, self._size) for text in texts]

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        """A unit vector for each picture."""
        self.asked += images
        return [_unit("image:" + image.sha256, self._size) for image in images]

    async def aclose(self) -> None:
        """Nothing to let go of."""


class ScriptedDetector:
    """FAKE detector: what a function of the picture says is there, of the labels asked for; the surest first."""

    def __init__(
        self,
        found: Callable[[BlobRef], Sequence[Detection]],
        *,
        labels: tuple[str, ...] | None = None,
        model: str = "fake-detector",
    ) -> None:
        self.model = model
        self.revision = "fake"
        self.labels = labels
        self.asked: list[tuple[BlobRef, tuple[str, ...]]] = []
        self._found = found

    async def detect(self, asked: Sequence[tuple[BlobRef, tuple[str, ...]]]) -> list[tuple[Detection, ...]]:
        """The detections of each picture that carry one of its labels."""
        self.asked += asked
        return [
            tuple(sorted((d for d in self._found(image) if d.label in labels), key=lambda d: -d.score))
            for image, labels in asked
        ]


class ScriptedSegmenter:
    """FAKE segmenter: what a function of (picture, box) says: (mask, iou, stability), where the mask is an array of truth values (height, width)."""

    def __init__(
        self,
        blobs: BlobStore,
        masked: Callable[[BlobRef, tuple[float, float, float, float]], tuple[Any, float, float]],
        *,
        model: str = "fake-segmenter",
    ) -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[tuple[BlobRef, tuple[float, float, float, float]]] = []
        self._blobs, self._masked = blobs, masked

    async def segment(
        self, asked: Sequence[tuple[BlobRef, tuple[tuple[float, float, float, float], ...]]]
    ) -> list[tuple[Segment, ...]]:
        """A mask for each box."""
        self.asked += [(image, box) for image, boxes in asked for box in boxes]
        return [tuple(self._one(image, box) for box in boxes) for image, boxes in asked]

    def _one(self, image: BlobRef, box: tuple[float, float, float, float]) -> Segment:
        from PIL import Image

        mask, iou, stability = self._masked(image, box)
        return Segment(mask=self._blobs.put_image(Image.fromarray(mask)), iou=iou, stability=stability)


class ScriptedRewards:
    """FAKE reward model: a number from the hash of picture and text, around 0."""

    def __init__(self, *, model: str = "fake-rewards") -> None:
        self.model = model
        self.revision = "fake"
        self.asked: list[tuple[BlobRef, str]] = []

    async def rewards(self, asked: Sequence[tuple[BlobRef, str]]) -> list[float]:
        """A reward for each pair."""
        self.asked += asked
        return [_hash(image.sha256 + text, 0)[0] / 64 - 2 for image, text in asked]


def _hash(text: str, number: int) -> bytes:
    return hashlib.sha256(f"{number}:{text}".encode("utf-8", "surrogatepass")).digest()


def _unit(text: str, size: int) -> list[float]:
    raw = b"".join(_hash(text, block) for block in range(size // 32 + 1))[:size]
    values = [byte - 127.5 for byte in raw]
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]
