"""A student that sorts: an encoder with a classification head, fine-tuned as a whole (transformers)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.records import Prediction, Row
from ..models import Weights
from ..tasks import Task
from ..training import Recipe, Say
from .neural import NeuralStudent

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ClassifierRecipe", "ClassifierStudent"]

_RATE = 3e-4


class ClassifierRecipe(Recipe):
    """See `Recipe`; a head that starts from nothing wants more epochs and updates than a language model.

    Its epochs are set, so where rows are few only the batches get smaller.
    """

    epochs: int | None = 10
    updates: int = 160
    length: int = 256


class ClassifierStudent(NeuralStudent):
    """A `Student`; see the module."""

    kind = "classifier"
    recipe: ClassifierRecipe

    def __init__(
        self, task: Task, store: Store, settings: Settings, *, weights: Weights, recipe: ClassifierRecipe, say: Say
    ) -> None:
        if not task.classes:
            raise BadInput(
                f"a classifier sorts texts into labels, and the task {task.kind!r} has none:"
                " give a generating student, such as --student local."
            )
        super().__init__(task, store, settings, weights=weights, recipe=recipe, say=say)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, verbose=False, truncation=False, padding=False).input_ids
        return ids

    def _length(self, row: Row) -> int:
        return len(self._ids(row.text))

    @property
    def _rate(self) -> float:
        return _RATE

    def _example(self, row: Row) -> dict[str, Any]:
        return {"input_ids": self._ids(row.text), "label": self.task.classes.index(row.label)}

    def _checked(self, example: dict[str, Any], row: Row) -> tuple[str, str]:
        return self.tokenizer.decode(example["input_ids"], skip_special_tokens=True), row.label

    def _batch(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        batch = self._padded([example["input_ids"] for example in examples])
        return {**batch, "labels": torch.tensor([example["label"] for example in examples])}

    def _loss(self, model: Any, batch: dict[str, Any]) -> Any:
        import torch

        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        return torch.nn.functional.cross_entropy(logits.float(), batch["labels"])

    def _write(self, model: Any, out: Path) -> None:
        model.save_pretrained(out)
        self.tokenizer.save_pretrained(out)

    def _padded(self, rows: Sequence[list[int]]) -> dict[str, Any]:
        import torch

        longest, pad = max(len(row) for row in rows), self.tokenizer.pad_token_id or 0
        return {
            "input_ids": torch.tensor([row + [pad] * (longest - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        }

    def base_state(self) -> dict[str, Any]:
        """The weights of the base model by name, without the head, which is drawn at random."""
        model, told = self._base_net()
        drawn = {*told["missing_keys"], *(key[0] for key in told["mismatched_keys"])}
        return {name: tensor for name, tensor in model.state_dict().items() if name not in drawn}

    def _base_net(self) -> Any:
        import torch
        from transformers import AutoModelForSequenceClassification

        return self.weights.load_model(
            AutoModelForSequenceClassification,
            dtype=torch.float32,
            num_labels=len(self.task.classes),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )

    def _fresh_net(self) -> Any:
        model, _ = self._base_net()
        model.config.id2label = dict(enumerate(self.task.classes))
        model.config.label2id = {label: place for place, label in enumerate(self.task.classes)}
        model.config.pad_token_id = self.tokenizer.pad_token_id
        return model

    def _load(self, device: str) -> Any:
        import torch
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(self.folder, dtype=torch.float32)
        return model.eval().to(device)

    def _answer(self, texts: Sequence[str], device: str, *, scores: bool) -> list[Prediction]:
        import torch

        rows = [self._ids(text) for text in texts]
        self._fitting(texts, rows)
        batch = {name: value.to(device) for name, value in self._padded(rows).items()}
        shares = torch.softmax(self._net(**batch).logits.double(), 1).tolist()
        classes = self.task.classes
        return [
            Prediction(
                text=classes[max(range(len(classes)), key=row.__getitem__)],
                scores=dict(zip(classes, row, strict=True)),
            )
            for row in shares
        ]
