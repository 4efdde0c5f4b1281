"""Vision-language models of transformers in this process: what answers and captions have in common.

Any class behind `AutoModelForImageTextToText`: Qwen-VL, LLaVA, InternVL, Idefics, PaliGemma, BLIP-2, Florence-2, ... A model with a chat template
is asked in its chat form, with the picture before the words.

Invariants: a row runs in a batch of the size that its key names, rows of one shape together and none padded, so that what is said does
not depend on what it is asked with. A picture is encoded for each of its questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ...runtime.errors import BadInput, InloopError, PrerequisiteError
from ...runtime.records import BlobRef
from ...runtime.session import chunks
from .local import LocalModel
from .shapes import PromptedImage

if TYPE_CHECKING:
    from .weights import Weights

__all__ = ["Generated", "VisionLanguageModel", "too_long", "vision_inputs"]

O = TypeVar("O")  # noqa: E741


class Generated(NamedTuple):
    """What a model wrote to one row: the text, and the logits of its first token (vocabulary,), where they were asked for."""

    text: str
    first: Any = None


class VisionLanguageModel(LocalModel[PromptedImage, O]):
    """Base: (picture, prompt) in, text out. A subclass gives `_arguments` of `generate`, and `_outcome`."""

    others = ""
    """What can be taken in the place of a model that cannot be used, in words."""
    _model: Any = None
    _processor: Any = None

    def _arguments(self, room: int | None) -> dict[str, Any]:
        """The arguments of `generate`; `room`: the most tokens that can be written, None where that is not limited."""
        raise NotImplementedError

    def _outcome(self, item: PromptedImage, made: Generated) -> O | InloopError:
        """What a row came to."""
        raise NotImplementedError

    def _load(self, device: str) -> None:
        from transformers import AutoModelForImageTextToText
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

        kind = str(self.weights.config()["model_type"])
        if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
            raise PrerequisiteError(
                f"{self.weights.spec!r} is a model of type {kind!r}, of which transformers has no class that describes a picture",
                remedy=self.others,
            )
        self._processor = _processor(self.weights, kind)
        dtype = "float32" if device == "cpu" else "auto"
        self._model = self.weights.load_model(AutoModelForImageTextToText, dtype=dtype).eval().to(device)

    def _serve(self, items: list[PromptedImage]) -> list[O | InloopError]:
        import torch

        outcomes: dict[int, O | InloopError] = {}
        alike: dict[tuple[int, str], list[tuple[int, dict[str, Any]]]] = {}
        room = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        with torch.inference_mode():
            for place, (image, prompt, batch) in enumerate(items):
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
                alike.setdefault((batch, str(shape)), []).append((place, inputs))
            for (batch, _), rows in alike.items():
                for chunk in chunks(rows, batch):
                    made = self._decode([inputs for _, inputs in chunk], batch, room)
                    outcomes |= {
                        place: self._outcome(items[place], each) for (place, _), each in zip(chunk, made, strict=False)
                    }
        return [outcomes[place] for place in range(len(items))]

    def _read(self, image: BlobRef, prompt: str) -> dict[str, Any]:
        """The tensors of one row, each with a first axis that rows are joined along."""
        inputs = vision_inputs(self._processor, self._store.blobs.get_image(image).convert("RGB"), prompt)
        return {
            name: value.to(self._device, self._model.dtype) if value.is_floating_point() else value.to(self._device)
            for name, value in inputs.items()
        }

    def _decode(self, rows: list[dict[str, Any]], batch: int, room: int | None) -> list[Generated]:
        """What is written to up to `batch` rows of one shape; the first row fills up the batch."""
        import torch

        filled = rows + [rows[0]] * (batch - len(rows))
        inputs = {name: torch.cat([row[name] for row in filled]) for name in rows[0]}
        prompt = inputs["input_ids"]
        arguments = self._arguments(None if room is None else room - prompt.shape[1])
        made = self._model.generate(**inputs, **arguments, return_dict_in_generate=True)
        tokens = made.sequences
        if tokens.shape[1] >= prompt.shape[1] and bool((tokens[:, : prompt.shape[1]] == prompt).all()):
            tokens = tokens[:, prompt.shape[1] :]  # decoders without an encoder give the prompt back
        texts = self._processor.tokenizer.batch_decode(tokens[: len(rows)], skip_special_tokens=True)
        first = made.logits[0] if arguments.get("output_logits") else [None] * len(texts)
        return [Generated(str(text), logits) for text, logits in zip(texts, first, strict=False)]


def too_long(prompt: str, tokens: int, room: int) -> BadInput:
    """What is said of a prompt that the model cannot read whole."""
    return BadInput(f"the question in {prompt[:80]!r}... makes {tokens} tokens, the model takes {room}: shorten it.")


def vision_inputs(processor: Any, picture: Any, prompt: str) -> dict[str, Any]:
    """The tensors that a processor of transformers makes of an RGB picture and words; in chat form where it has one."""
    text = prompt
    if getattr(processor, "chat_template", None):
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
    inputs = dict(processor(images=[picture], text=[text], return_tensors="pt"))
    inputs.pop("labels", None)  # that of PaliGemma makes them, for training
    return inputs


def _processor(weights: Weights, kind: str) -> Any:
    """The processor of a model; without torchvision, one that takes pictures and no videos."""
    from transformers import AutoProcessor

    try:
        return weights.load(AutoProcessor)
    except (ImportError, ValueError) as error:  # it depends on the files of the model which one it is
        if "torchvision" not in str(error).lower():
            raise
        try:
            return weights.load(_without_video(kind))
        except Exception as also:
            raise PrerequisiteError(
                f"the processor of {weights.spec!r} needs torchvision, which is not installed; without its part for videos:"
                f" {' '.join(str(also).split())[:200]}",
                remedy="pip install the torchvision that belongs to your torch (pytorch.org/get-started), or serve the model and"
                " give its URL.",
            ) from error


def _without_video(kind: str) -> Any:
    """The class of a processor but for its part for videos, which alone needs torchvision where the one for pictures has a form in Pillow."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES

    whole: Any = getattr(transformers, PROCESSOR_MAPPING_NAMES[kind])
    video = "video_processor"
    if video not in whole.get_attributes():
        raise ImportError(f"{whole.__name__} needs torchvision for something else than videos")

    class PicturesOnly(whole):  # type: ignore[misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != video]

        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **options: Any) -> list[Any]:
            found: list[Any] = list(super()._get_arguments_from_pretrained(*args, **options))
            found.insert(whole.get_attributes().index(video), None)
            return found

    PicturesOnly.__name__ = whole.__name__
    return PicturesOnly
