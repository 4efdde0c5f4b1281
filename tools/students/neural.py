"""Students that are neural networks of their own: loaded on the first answer that the ledger lacks.

Answers are kept in the call ledger under the student's revision, so a test set is read once by each trained student.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...runtime.batcher import Batcher
from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.records import Cost, Prediction, Row, Training
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import Weights, quiet, torch_device
from ..tasks import Task
from ..training import Recipe, Say, fine_tune
from .base import StoredStudent

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["NeuralStudent"]

_BATCH = 32  # texts of one forward pass


class NeuralStudent(StoredStudent):
    """Base of the fine-tuned students. A subclass gives examples, collation and loss, `_load` and `_answer`.

    All of them are called in a worker thread.
    """

    recipe: Recipe

    def __init__(
        self, task: Task, store: Store, settings: Settings, *, weights: Weights, recipe: Recipe, say: Say
    ) -> None:
        super().__init__(
            task, store, settings, base=weights.model, base_revision=weights.revision, recipe=recipe, say=say
        )
        self.weights = weights
        self._net: Any = None
        self._tokens: Any = None
        self._working = threading.Lock()

    @property
    @abstractmethod
    def _rate(self) -> float:
        """The learning rate where the recipe names none."""

    @abstractmethod
    def _fresh_net(self) -> Any:
        """The model to train, from the base model."""

    @abstractmethod
    def _example(self, row: Row) -> dict[str, Any]:
        """A row as it is learned: its token ids in `input_ids`, and its target."""

    @abstractmethod
    def _checked(self, example: dict[str, Any], row: Row) -> tuple[str, str]:
        """What an example's ids say: the text that is read, and the target."""

    @abstractmethod
    def _batch(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The examples as tensors."""

    @abstractmethod
    def _loss(self, model: Any, batch: dict[str, Any]) -> Any:
        """The mean loss of a batch."""

    @abstractmethod
    def _write(self, model: Any, out: Path) -> None:
        """Write the trained weights into the folder `out`."""

    @abstractmethod
    def _load(self, device: str) -> Any:
        """The trained model, on the device, in eval mode."""

    @abstractmethod
    def _answer(self, texts: Sequence[str], device: str, *, scores: bool) -> list[Prediction]:
        """The answers to one batch of texts of like length; `scores`: see `Student.predict`."""

    def _fitting(self, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
        """`BadInput` for the first text whose token ids are more than the student reads."""
        for text, row in zip(texts, ids, strict=True):
            if len(row) > self.recipe.length:
                raise BadInput(
                    f"the text {text[:60]!r}... takes {len(row)} tokens and the student reads {self.recipe.length}:"
                    " shorten it, or train with ?length=N."
                )

    @abstractmethod
    def _length(self, row: Row) -> int:
        """How many tokens a row takes, as it is learned."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the base model."""
        if self._tokens is None:
            try:
                from transformers import AutoTokenizer

                with quiet():
                    self._tokens = self.weights.load(AutoTokenizer)
            except InloopError:
                raise
            except Exception as error:  # what a folder lacks shows as any kind of error
                raise PrerequisiteError(
                    f"the tokenizer of {self.base!r} cannot be loaded ({type(error).__name__}: {error})",
                    remedy="see whether its files are complete.",
                ) from error
        return self._tokens

    def too_long(self, row: Row) -> str:
        """See `StoredStudent`; as the row is learned, with its answer."""
        length = self._length(row)
        return f"{length} tokens, and {self.recipe.length} are read" if length > self.recipe.length else ""

    def _train(
        self, rows: Sequence[Row], seed: int, work: Path, out: Path, prepared: Any, stop: threading.Event
    ) -> Training:
        import torch

        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        examples = [self._example(row) for row in rows]
        checked = self._checked(examples[0], rows[0])
        model, outcome = fine_tune(
            self._fresh_net,
            examples,
            self._batch,
            recipe=self.recipe,
            rate=self.recipe.rate or self._rate,
            seed=seed,
            work=work,
            device=torch_device(self._settings.device),
            loss=self._loss,
            say=lambda text: self._say(f"{self.base}: {text}"),
            stop=stop,
        )
        with quiet():
            self._write(model, out)
        return Training(
            rows=len(rows),
            seed=seed,
            steps=outcome.steps,
            seconds=outcome.seconds,
            losses=outcome.losses,
            parameters=outcome.parameters,
            checked=checked,
        )

    async def _predict(self, texts: Sequence[str], scores: bool) -> list[Prediction]:
        # of this call alone: a batcher's thread would keep the weights of a student that nobody uses any more
        batcher: Batcher[str, tuple[Prediction, float]] = Batcher(
            lambda some: self._run(some, scores), name=self.model, max_batch=8 * _BATCH, linger=0.02
        )
        try:
            return await settled([self._one(text, batcher, scores) for text in texts])
        finally:
            await batcher.aclose()

    async def _one(self, text: str, batcher: Batcher[str, tuple[Prediction, float]], scores: bool) -> Prediction:
        params = {"batch": _BATCH, "scores": scores and bool(self.task.classes)}
        call = Call(kind="student", model=self.model, revision=self.revision, params=params, inputs={"text": text})

        async def compute() -> tuple[Any, Cost]:
            said, seconds = await batcher.submit(text)
            return said.model_dump(mode="json"), Cost(calls=1, seconds=seconds)

        value, _ = await self._store.ledger.once(call, compute)
        return Prediction.model_validate(value)

    def _run(self, texts: list[str], scores: bool) -> list[tuple[Prediction, float]]:
        """The answers to some texts, each with its share of the time in seconds."""
        with self._working:
            return self._served(texts, scores)

    def _served(self, texts: list[str], scores: bool) -> list[tuple[Prediction, float]]:
        import torch

        device = self._ready()
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        answers: dict[int, Prediction] = {}
        started = time.perf_counter()
        try:
            with torch.inference_mode():
                for start in range(0, len(order), _BATCH):
                    places = order[start : start + _BATCH]
                    said = self._answer([texts[place] for place in places], device, scores=scores)
                    answers.update(zip(places, said, strict=True))
        except Exception as error:
            if isinstance(error, InloopError):
                raise
            raise CallFailed(f"{self.model} failed with {type(error).__name__}: {error}") from error
        share = (time.perf_counter() - started) / len(texts)
        return [(answers[place], share) for place in range(len(texts))]

    def _ready(self) -> str:
        """The device, with the trained model loaded on it.

        Raises:
            PrerequisiteError: it cannot be loaded.
        """
        import torch

        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        device = torch_device(self._settings.device)
        if self._net is None:
            try:
                with quiet():
                    self._net = self._load(device)
            except InloopError:
                raise
            except Exception as error:
                raise PrerequisiteError(
                    f"the student in {str(self.folder)!r} cannot be loaded ({type(error).__name__}: {error})",
                    remedy="train it again.",
                ) from error
        return device

    def fresh(self) -> Self:
        """See `StoredStudent`; the tokenizer is shared."""
        other = super().fresh()
        other._tokens = self._tokens
        return other

    def _forget(self) -> None:
        super()._forget()
        self._net = None

    def _again(self) -> dict[str, Any]:
        return {
            "task": self.task, "store": self._store, "settings": self._settings, "weights": self.weights,
            "recipe": self.recipe, "say": self._say,
        }  # fmt: skip
