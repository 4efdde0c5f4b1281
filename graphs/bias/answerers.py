"""How a model is brought to name one of the classes: by a probe, by the classes' names, by its own labels, by a question, by a description.

Each gives, of each picture, a class or None; an answer that means no class, or cannot be told, is None and never the nearest one.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...agents.captions import ClassNamer, meant_choice
from ...evaluators.features import linear_probe
from ...runtime.errors import BadInput
from ...runtime.protocols import Captioner, Embedder, ImageClassifier, ImageEncoder, TextEmbedder, VisualQA
from ...runtime.records import BlobRef
from ...tools.encoders import class_vectors
from ...tools.vision import each_caption
from .pictures import Labelled

__all__ = ["Answerer", "Chosen", "Classified", "Described", "EachAsked", "Named", "Probed", "spoken"]

Told = Callable[[int, int], None]
"""Hears how many of how many pictures are done."""
_CHUNK = 64
CHOICE = "Which one of these does the picture show: {}?"
EACH = "Is there a {}?"
DESCRIPTION = "Describe the image. Keep your response short."


class Answerer(Protocol):
    """`manner` in words; `classes`: those that it can name."""

    manner: str
    classes: tuple[str, ...]

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]: ...


def spoken(name: str) -> str:
    """A class name as one would say it."""
    return re.sub(r"[_\s]+", " ", name).strip()


async def _in_chunks(
    images: Sequence[BlobRef],
    told: Told,
    ask: Callable[[Sequence[BlobRef]], Awaitable[Sequence[Any]]],
    size: int = _CHUNK,
) -> list[Any]:
    given: list[Any] = []
    for start in range(0, len(images), size):
        given += await ask(images[start : start + size])
        told(len(given), len(images))
    return given


class Probed:
    """A linear probe on the features of an encoder, fitted to pictures of the classes."""

    manner = "linear probe"

    def __init__(self, encoder: ImageEncoder, learn: Sequence[Labelled], seed: int) -> None:
        self.encoder, self.learn, self.seed = encoder, learn, seed
        self.classes = tuple(sorted({each.label for each in learn}))

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The probe's class of each."""
        known = [each.image for each in self.learn]
        rows = await _in_chunks([*known, *images], told, self.encoder.images)
        train, test = np.array(rows[: len(known)], dtype=np.float64), np.array(rows[len(known) :], dtype=np.float64)
        labels = np.array([each.label for each in self.learn])
        # the truth of the tested ones is looked at elsewhere: only what the probe answers is wanted here
        any_truth = np.full(len(test), labels[0])
        probe = await asyncio.to_thread(linear_probe, train, labels, test, any_truth, seed=self.seed)
        return [*probe.answers]


class Named:
    """Zero-shot: the class whose name is nearest to the picture."""

    def __init__(self, encoder: Embedder, classes: Sequence[str], template: str) -> None:
        self.encoder, self.classes, self.template = encoder, tuple(classes), template
        self.manner = f"zero-shot, {template!r}"

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The nearest class of each."""
        names = await class_vectors(self.encoder, [spoken(each) for each in self.classes], [self.template])
        rows = np.array(await _in_chunks(images, told, self.encoder.images), dtype=np.float64)
        return [self.classes[int(place)] for place in (rows @ names.T).argmax(axis=1)]


class Classified:
    """A classifier's own labels, of which each class may have several; the class of the largest sum of probabilities.

    A label belongs to the class that it names, alone or as the last word of one of its synonyms ("tabby, tabby cat" is a cat), or to which
    `labels` assigns it.
    """

    manner = "its own labels"

    def __init__(
        self, classifier: ImageClassifier, classes: Sequence[str], labels: Mapping[str, str], spec: str
    ) -> None:
        self.classifier, self._of, self._asked = classifier, dict(labels), tuple(classes)
        known = getattr(classifier, "labels", None)
        self.classes = (
            self._asked if known is None else tuple(c for c in classes if any(self._class(k) == c for k in known))
        )
        if len(self.classes) < 2:
            raise BadInput(
                f"{spec!r} knows {len(self.classes)} of the classes {', '.join(classes[:8])}: its labels are such as"
                f" {', '.join(map(str, (known or ())[:3]))}. Say by --labels FILE which label belongs to which class, or ask it by a"
                f" linear probe (probe:{spec})."
            )

    def _class(self, label: str) -> str | None:
        if label in self._of:
            return self._of[label] if self._of[label] in self._asked else None
        names = {spoken(each).lower(): each for each in self._asked}
        ways = [spoken(way).lower() for way in label.split(",")]
        whole = [names[way] for way in ways if way in names]
        last = [names[way.split()[-1]] for way in ways if way and way.split()[-1] in names]
        meant = dict.fromkeys(whole or last)
        return next(iter(meant)) if len(meant) == 1 else None

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The class of each; None where the answer belongs to none."""
        given = await _in_chunks(images, told, self.classifier.classify)
        return [self._read(each.text, each.scores) for each in given]

    def _read(self, text: str, scores: Mapping[str, float] | None) -> str | None:
        if scores is None:
            return self._class(text)
        sums: dict[str, float] = {}
        for label, value in scores.items():
            if (name := self._class(label)) is not None:
                sums[name] = sums.get(name, 0.0) + value
        return max(sums, key=lambda name: sums[name]) if sums else None


class Chosen:
    """A VLM that is asked once, with all classes to choose from."""

    def __init__(self, vqa: VisualQA, classes: Sequence[str], question: str) -> None:
        self.vqa, self.classes = vqa, tuple(classes)
        self.question = question or CHOICE
        self.manner = f"multiple choice, {self.question!r}"

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The choice that each answer means."""
        choices = {f"{chr(ord('A') + place)}. {spoken(name)}": name for place, name in enumerate(self.classes)}
        if len(choices) > 26:
            choices = {spoken(name): name for name in self.classes}
        words = {spoken(name): name for name in self.classes}
        text = self.question.replace("{}", ", ".join(choices))

        async def ask(part: Sequence[BlobRef]) -> Sequence[Any]:
            return await self.vqa.answer([(image, text) for image in part])

        given = await _in_chunks(images, told, ask)
        return [words.get(meant_choice(each.text, [*words])) for each in given]


class EachAsked:
    """A VLM that is asked of each class whether it is there; the surest yes is its answer, and where it says no to all there is none."""

    def __init__(self, vqa: VisualQA, classes: Sequence[str], question: str) -> None:
        self.vqa, self.classes = vqa, tuple(classes)
        self.question = question or EACH
        self.manner = f"yes or no for each class, {self.question!r}"

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The class of the surest yes."""

        async def ask(part: Sequence[BlobRef]) -> Sequence[Any]:
            asked = [(image, self.question.replace("{}", spoken(name))) for image in part for name in self.classes]
            given = iter(await self.vqa.answer(asked))
            return [[next(given).p_yes for _ in self.classes] for _ in part]

        rows = await _in_chunks(images, told, ask, size=16)
        return [self._surest(row) for row in rows]

    def _surest(self, row: Sequence[float | None]) -> str | None:
        sure = [-1.0 if value is None else value for value in row]
        best = max(range(len(sure)), key=sure.__getitem__)
        return self.classes[best] if sure[best] > 0.5 else None


class Described:
    """A model that describes pictures; a description is mapped to the one class that it names, else by `namer` or `embedder`, else to none."""

    def __init__(
        self,
        captioner: Captioner,
        classes: Sequence[str],
        *,
        namer: ClassNamer | None = None,
        embedder: TextEmbedder | None = None,
        likeness: float = 0.5,
        question: str = "",
    ) -> None:
        self.captioner, self.classes, self.likeness = captioner, tuple(classes), likeness
        self.namer, self.embedder = namer, embedder
        by = "words"
        if namer is not None or embedder is not None:
            by += f", then {'a language model' if namer is not None else 'a text embedder'}"
        # the bundled one was taught no instructions: without a question it describes
        usual = None if captioner.model.startswith("mini-") else DESCRIPTION
        self.question = question.replace("{}", ", ".join(map(spoken, classes))) or usual
        self.manner = f"description, mapped by {by}"

    async def answers(self, images: Sequence[BlobRef], told: Told) -> list[str | None]:
        """The class that each description is about."""

        async def ask(part: Sequence[BlobRef]) -> Sequence[Any]:
            return await each_caption(self.captioner, [(image, self.question) for image in part])

        texts: list[str | None] = await _in_chunks(images, told, ask)
        words = {spoken(name): name for name in self.classes}
        known = {text: words.get(meant_choice(text, [*words])) for text in {*texts} - {None, ""} if text}
        open_ones = sorted(text for text, name in known.items() if name is None)
        if open_ones and self.namer is not None:
            known |= zip(open_ones, await self.namer.named(open_ones), strict=True)
        elif open_ones and self.embedder is not None:
            known |= zip(open_ones, await self._nearest(self.embedder, open_ones), strict=True)
        return [known.get(text) if text else None for text in texts]

    async def _nearest(self, embedder: TextEmbedder, texts: Sequence[str]) -> list[str | None]:
        names = np.array(await embedder.texts([spoken(each) for each in self.classes]), dtype=np.float64)
        rows = np.array(await embedder.texts(list(texts)), dtype=np.float64)
        likeness = rows @ names.T
        return [self.classes[int(row.argmax())] if row.max() >= self.likeness else None for row in likeness]


def read_labels(path: str) -> dict[str, str]:
    """A file of a classifier's labels and their classes: {"label": "class"} or {"class": ["label", ...]}.

    Raises:
        BadInput: it cannot be read, or has another form.
    """
    if not path:
        return {}
    try:
        given = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"--labels {path!r} cannot be read ({type(error).__name__}): give a JSON file.") from None
    if isinstance(given, dict) and all(isinstance(each, str) for each in given.values()):
        return given
    if isinstance(given, dict) and all(isinstance(each, list) for each in given.values()):
        return {str(label): name for name, each in given.items() for label in each}
    raise BadInput(f'--labels {path!r}: give {{"label": "class", ...}} or {{"class": ["label", ...], ...}}.')
