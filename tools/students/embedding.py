"""The fast student: sentence embeddings and a linear classifier (multinomial logistic regression) on them.

A text is embedded once in its life (the call ledger keeps it), so that training costs milliseconds and experiments with many
arms and seeds take minutes on a laptop. It learns what is linear in the embedding, and tasks with labels only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.protocols import TextEmbedder
from ...runtime.records import Prediction, Record, Row, Training
from ..tasks import Task
from ..training import Say
from .base import StoredStudent

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["EmbeddingStudent", "LinearRecipe"]

_WEIGHTS = "linear.npz"


class LinearRecipe(Record):
    """`c`: the inverse strength of the L2 penalty, as in scikit-learn; a small one draws all classes together."""

    c: float = Field(default=10.0, gt=0)


class EmbeddingStudent(StoredStudent):
    """A `Student`; see the module."""

    kind = "embedding"

    def __init__(
        self, task: Task, store: Store, settings: Settings, *, embedder: TextEmbedder, recipe: LinearRecipe, say: Say
    ) -> None:
        if not task.classes:
            raise BadInput(
                f"the embedding student sorts texts into labels, and the task {task.kind!r} has none:"
                " give a generating student, such as --student local."
            )
        super().__init__(
            task, store, settings, base=embedder.model, base_revision=embedder.revision, recipe=recipe, say=say
        )
        self._embedder = embedder
        self._strength = recipe.c
        self._loaded: tuple[Any, Any, list[str]] | None = None  # weights (classes, size), offsets (classes), classes

    @property
    def embedder(self) -> TextEmbedder:
        """What it reads texts with; for others to compare texts with, without loading it twice."""
        return self._embedder

    async def _prepare(self, rows: Sequence[Row]) -> Any:
        return np.array(await self._embedder.texts([row.text for row in rows]), dtype=np.float64)

    def _train(
        self, rows: Sequence[Row], seed: int, work: Path, out: Path, prepared: Any, stop: threading.Event
    ) -> Training:
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError as error:
            raise PrerequisiteError(
                "the embedding student needs scikit-learn, which is not installed",
                remedy="pip install 'inloop[students]'",
            ) from error
        started = time.perf_counter()
        fitted = LogisticRegression(C=self._strength, max_iter=2000, random_state=seed)
        fitted.fit(prepared, [row.label for row in rows])
        weights, offsets = np.asarray(fitted.coef_), np.asarray(fitted.intercept_)
        if len(fitted.classes_) == 2:  # scikit-learn keeps the second of two classes alone
            weights, offsets = np.vstack([0 * weights, weights]), np.concatenate([0 * offsets, offsets])
        classes = [str(label) for label in fitted.classes_]
        self.write(out, {"weights": weights, "offsets": offsets}, classes)
        loss = -float(
            np.mean(
                [
                    np.log(row[list(fitted.classes_).index(label.label)])
                    for row, label in zip(fitted.predict_proba(prepared), rows, strict=True)
                ]
            )
        )
        return Training(
            rows=len(rows),
            seed=seed,
            steps=int(np.max(fitted.n_iter_)),
            seconds=time.perf_counter() - started,
            losses=(loss,),
            parameters=weights.size + offsets.size,
        )

    async def _predict(self, texts: Sequence[str], scores: bool) -> list[Prediction]:
        weights, offsets, classes = self._weights()
        if not texts:
            return []
        vectors = np.array(await self._embedder.texts(texts), dtype=np.float64)
        values = vectors @ weights.T + offsets
        values = np.exp(values - values.max(axis=1, keepdims=True))
        shares = values / values.sum(axis=1, keepdims=True)
        predictions = []
        for row in shares:
            shown = dict.fromkeys(self.task.classes, 0.0) | {
                label: float(share) for label, share in zip(classes, row, strict=True)
            }
            predictions.append(Prediction(text=classes[int(row.argmax())], scores=shown))
        return predictions

    def write(self, folder: Path, arrays: dict[str, Any], classes: Any = None) -> None:
        """Write weights (classes, size) and offsets (classes) for `classes`; default: this student's."""
        names = self._weights()[2] if classes is None else classes
        with (folder / _WEIGHTS).open("wb") as file:
            np.savez(file, classes=np.array(names), **arrays)

    @property
    def labels(self) -> list[str]:
        """The labels that were among the training rows, in the order of the weights."""
        return self._weights()[2]

    def read(self) -> dict[str, Any]:
        """The trained weights (classes, size) and offsets (classes)."""
        weights, offsets, _ = self._weights()
        return {"weights": weights, "offsets": offsets}

    def _weights(self) -> tuple[Any, Any, list[str]]:
        if self._loaded is None:
            with np.load(self.folder / _WEIGHTS, allow_pickle=False) as held:
                self._loaded = held["weights"], held["offsets"], [str(label) for label in held["classes"]]
        return self._loaded

    def _forget(self) -> None:
        super()._forget()
        self._loaded = None

    def _again(self) -> dict[str, Any]:
        return {
            "task": self.task, "store": self._store, "settings": self._settings, "embedder": self._embedder,
            "recipe": self.recipe, "say": self._say,
        }  # fmt: skip

    async def aclose(self) -> None:
        """Let the weights go, and close the embedder."""
        await super().aclose()
        await self._embedder.aclose()
