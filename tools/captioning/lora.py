"""LoRA for larger captioners (BLIP-2, InstructBLIP, LLaVA, Florence-2, ...): small matrices learn, the weights stay (Hu et al. 2021).

Every linear layer but those of the picture encoder and the one that gives the words' scores has an adapter; at the end they are
merged, so that the folder is a whole model, which is used as any other. A row is read as `tools.vision.captioners` reads it when it
writes, and rows of one shape run together, none padded: what is trained is what is asked later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ..models import Weights, vision_inputs
from ..vision import promptcap_prompt
from .base import CaptionTraining, Trained, open_picture

__all__ = ["LoraTraining", "is_trainable"]

_RANK, _ALPHA = 16, 32
_EYES = ("vision", "visual")
_HEADS = ("lm_head",)


def is_trainable(weights: Weights) -> bool:
    """Whether transformers has a class for the model that makes text of a picture and a text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    return str(weights.config()["model_type"]) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES


class LoraTraining(CaptionTraining):
    """A `CaptionTraining` of adapters; see the module."""

    rate = 2e-4

    def _classes(self) -> tuple[Any, Any]:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        return AutoModelForImageTextToText, AutoProcessor

    def _examples(self) -> list[dict[str, Any]]:
        """Token ids of each row, for their length alone; the picture's own tokens come to them later."""
        tokens, made = self.processor.tokenizer, []
        for row in self.checked():
            prompt = promptcap_prompt(row.question)
            if row.question is None and self.weights.config()["model_type"] == "florence2":
                prompt = "<CAPTION>"
            ids = tokens(f"{prompt} {row.caption}", verbose=False).input_ids
            made.append(
                {"input_ids": ids, "prompt": prompt, "caption": str(row.caption), "image": str(row.image), "id": row.id}
            )
        return made

    def _make(self) -> Any:
        try:
            import peft
        except ImportError as error:
            raise PrerequisiteError(
                "a captioner of this class is trained with LoRA, and the package peft is not installed",
                remedy="pip install 'inloop[students]'",
            ) from error
        import torch

        model = self.weights.load_model(self.kind, dtype="float32" if self.device == "cpu" else "auto")
        text = model.config.get_text_config()
        self.encodes = bool(model.config.is_encoder_decoder or text.is_encoder_decoder)
        self.room = getattr(text, "max_position_embeddings", None)
        ends = text.eos_token_id  # what generate() stops at
        self.end = int(ends[0] if isinstance(ends, Sequence) else ends)
        left_out = _HEADS if self.train_vision else (*_EYES, *_HEADS)
        names = [
            name
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and not any(part in name for part in left_out)
        ]
        return peft.get_peft_model(model, peft.LoraConfig(r=_RANK, lora_alpha=_ALPHA, target_modules=names))

    def _collate(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """The tensors of the rows, those of one shape joined: "0 input_ids", "0 labels", "1 input_ids", ..."""
        import torch

        shapes: dict[str, list[dict[str, Any]]] = {}
        for example in examples:
            row = self._row(example)
            shapes.setdefault(str([(name, list(value.shape)) for name, value in sorted(row.items())]), []).append(row)
        return {
            f"{place} {name}": torch.cat([row[name] for row in rows])
            for place, rows in enumerate(shapes.values())
            for name in rows[0]
        }

    def _row(self, example: dict[str, Any]) -> dict[str, Any]:
        import torch

        inputs = vision_inputs(self.processor, open_picture(example["image"]), example["prompt"])
        blank = "" if self.encodes or getattr(self.processor, "chat_template", None) else " "
        ids = self.processor.tokenizer(blank + example["caption"], add_special_tokens=False, verbose=False).input_ids
        said = torch.tensor([[*ids, self.end]])
        length = inputs["input_ids"].shape[1] + (0 if self.encodes else said.shape[1])
        if self.room is not None and max(length, said.shape[1]) > self.room:
            raise BadInput(
                f"row {example['id']!r} makes {length} tokens, the model takes {self.room}: shorten or drop it."
            )
        if self.encodes:
            return {**inputs, "labels": said}
        read = inputs["input_ids"]
        for name, value in inputs.items():  # masks and kinds of tokens go along with the tokens
            if value.shape == read.shape and not name.startswith("qformer"):
                more = said if name == "input_ids" else torch.full_like(said, int(name == "attention_mask"))
                inputs[name] = torch.cat([value, more.to(value.dtype)], dim=1)
        return {**inputs, "labels": torch.cat([torch.full_like(read, -100), said], dim=1)}

    def _loss(self, model: Any, batch: dict[str, Any]) -> Any:
        """The mean cross entropy of the captions' tokens, over all shapes."""
        import torch.nn.functional as F

        total: Any = 0.0
        count = 0
        for place in dict.fromkeys(name.partition(" ")[0] for name in batch):
            inputs = {name.partition(" ")[2]: value for name, value in batch.items() if name.startswith(f"{place} ")}
            labels = inputs["labels"]
            logits = model(**inputs).logits[:, -labels.shape[1] :].float()
            if not self.encodes:  # an encoder's decoder is moved on by one already
                logits, labels = logits[:, :-1], labels[:, 1:]
            total = total + F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
            count += int((labels != -100).sum())
        return total / count

    def _write(self, model: Any, trained: Trained) -> None:
        super()._write(model.merge_and_unload(), trained)
