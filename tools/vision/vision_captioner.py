"""Any vision-language model of transformers as a captioner; a picture is encoded for each of its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...runtime.errors import InloopError, PrerequisiteError
from ...runtime.records import BlobRef
from ...runtime.run import chunks
from ..models import Weights
from .local_captioner import LocalCaptioner, promptcap_prompt, recipe_of, too_long

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["CAPTIONERS", "VisionCaptioner", "vision_inputs"]

CAPTIONERS = (
    "take 'mini-promptcap', a captioner that transformers loads (Salesforce/blip-image-captioning-base,"
    " Salesforce/instructblip-flan-t5-xl, florence-community/Florence-2-base, Qwen/Qwen2.5-VL-3B-Instruct), one that"
    " `inloop promptcap train` made, or the URL of a server."
)
"""What can be taken as a captioner, in words."""


class VisionCaptioner(LocalCaptioner):
    """Any class of transformers that makes text of a picture and a text: BLIP-2, InstructBLIP, Florence-2, Qwen-VL, LLaVA, ...

    A model with a chat template is asked in its chat form. Florence-2's `<CAPTION>` stands for the same words as PromptCap's
    generic prompt; it is given as the task's token.
    """

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=64, linger=0.02)
        self._recipe = recipe_of(weights)
        self._kind = str(weights.config()["model_type"])
        self._model: Any = None
        self._processor: Any = None

    def _prompt(self, question: str | None) -> str:
        return "<CAPTION>" if question is None and self._kind == "florence2" else promptcap_prompt(question)

    def _load(self, device: str) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

        if self._kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
            raise PrerequisiteError(
                f"{self.weights.spec!r} is a model of type {self._kind!r}, of which transformers has no class that describes"
                " a picture",
                remedy=CAPTIONERS,
            )
        try:
            self._processor = self.weights.load(AutoProcessor)
        except ImportError as error:
            if "torchvision" not in str(error).lower():
                raise
            raise PrerequisiteError(
                f"the processor of {self.weights.spec!r} needs torchvision, which is not installed",
                remedy="pip install the torchvision that belongs to your torch (pytorch.org/get-started), or serve the model and"
                " give its URL.",
            ) from error
        dtype = "float32" if device == "cpu" else "auto"
        self._model = self.weights.load(AutoModelForImageTextToText, dtype=dtype).eval().to(device)

    def _serve(self, items: list[tuple[BlobRef, str]]) -> list[str | InloopError]:
        import torch

        outcomes: dict[int, str | InloopError] = {}
        shapes: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        room = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        with torch.inference_mode():
            for place, (image, prompt) in enumerate(items):
                try:
                    inputs = self._read(image, prompt)
                except InloopError as error:
                    outcomes[place] = error
                    continue
                length = inputs["input_ids"].shape[1]
                if room is not None and length + 1 > room:
                    outcomes[place] = too_long(prompt, length, room)
                    continue
                # rows that are to run together must agree in every shape, and in how their picture is cut up
                shape = {n: (list(v.shape), v.tolist() if v.numel() <= 8 else 0) for n, v in sorted(inputs.items())}
                shapes.setdefault(str(shape), []).append((place, inputs))
            for rows in shapes.values():
                for chunk in chunks(rows, self._recipe.batch):
                    said = self._decode([inputs for _, inputs in chunk], room)
                    outcomes |= {place: self._said(text) for (place, _), text in zip(chunk, said, strict=False)}
        return [outcomes[place] for place in range(len(items))]

    def _read(self, image: BlobRef, prompt: str) -> dict[str, Any]:
        """The tensors of one row, each with a first axis that rows are joined along."""
        inputs = vision_inputs(self._processor, self._store.blobs.get_image(image).convert("RGB"), prompt)
        return {
            name: value.to(self._device, self._model.dtype) if value.is_floating_point() else value.to(self._device)
            for name, value in inputs.items()
        }

    def _decode(self, rows: list[dict[str, Any]], room: int | None) -> list[str]:
        """The texts of up to a batch of rows of one shape; the first row fills up the batch."""
        import torch

        filled = rows + [rows[0]] * (self._recipe.batch - len(rows))
        inputs = {name: torch.cat([row[name] for row in filled]) for name in rows[0]}
        prompt = inputs["input_ids"]
        arguments = self._recipe.generate()
        if room is not None:
            arguments["max_new_tokens"] = min(self._recipe.tokens, room - prompt.shape[1])
        made = self._model.generate(**inputs, **arguments)
        if made.shape[1] >= prompt.shape[1] and bool((made[:, : prompt.shape[1]] == prompt).all()):
            made = made[:, prompt.shape[1] :]  # decoders without an encoder give the prompt back
        texts = self._processor.tokenizer.batch_decode(made[: len(rows)], skip_special_tokens=True)
        return [str(text) for text in texts]


def vision_inputs(processor: Any, picture: Any, prompt: str) -> dict[str, Any]:
    """The tensors that a processor of transformers makes of an RGB picture and words; in chat form where it has one."""
    text = prompt
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
    return dict(processor(images=[picture], text=[text], return_tensors="pt"))
