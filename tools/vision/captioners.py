"""Captions of pictures, for a question where one is given: BLIP and other vision-language models behind the call ledger.

The words are PromptCap's (Hu et al. 2023): "please describe this image according to the given question: ...", and "what
does the image describe?" where there is no question.

Invariants: rows run in batches of one fixed size, rows of one shape together and none padded, so a caption does not depend
on what it is asked with. BLIP encodes each picture once for all its questions; the other classes encode it for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.llm import open_server
from ...runtime.protocols import Captioner
from ...runtime.records import BlobRef, Cost
from ...runtime.roles import Role
from ...runtime.run import chunks, settled
from ...runtime.store import Call
from ..models import BlipModel, LocalModel, Weights, find_weights
from .function import FunctionCaptioner
from .served import ServedCaptioner, is_served

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = [
    "BlipCaptioner",
    "LocalCaptioner",
    "VisionCaptioner",
    "each_caption",
    "open_captioner",
    "promptcap_prompt",
    "vision_inputs",
]

_MINI = "mini-promptcap"
_REMEDY = (
    "take 'mini-promptcap', a captioner that transformers loads (Salesforce/blip-image-captioning-base,"
    " Salesforce/instructblip-flan-t5-xl, florence-community/Florence-2-base, Qwen/Qwen2.5-VL-3B-Instruct), one that"
    " `inloop promptcap train` made, or the URL of a server."
)


def promptcap_prompt(question: str | None) -> str:
    """The published words to a captioner: for a question, or for none."""
    if question is None:
        return load("promptcap_generic").render()
    return load("promptcap_question").render(question=question)


async def each_caption(captioner: Captioner, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str | None]:
    """A caption for each, in order; None where the captioner refuses that one or cannot write it.

    Raises:
        BadInput, CallFailed: the first failure, where every one failed; a failure that may pass by itself always.
        PrerequisiteError: as `Captioner.caption`.
    """
    failures: list[BadInput | CallFailed] = []

    async def one(image: BlobRef, question: str | None) -> str | None:
        try:
            [text] = await captioner.caption([(image, question)])
        except (BadInput, CallFailed) as error:
            if isinstance(error, CallFailed) and error.retryable:
                raise
            failures.append(error)
            return None
        return text

    found = await settled([one(image, question) for image, question in asked])
    if failures and len(failures) == len(found):
        raise failures[0]
    return found


class _Recipe(NamedTuple):
    """How captions are decoded: rows a batch, beams (1: greedy) and the most new tokens."""

    batch: int = 8
    beams: int = 1
    tokens: int = 60

    def generate(self) -> dict[str, Any]:
        """Arguments of `generate`; with beams, no three words come twice, as published."""
        repeats = {"no_repeat_ngram_size": 3} if self.beams > 1 else {}
        return {"do_sample": False, "num_beams": self.beams, "max_new_tokens": self.tokens, **repeats}


CAPTIONER: Role[Captioner] = Role(
    "captioner",
    Captioner,
    own=("mini-promptcap", "mini"),
    plain=FunctionCaptioner,
    form="caption(image: PIL.Image.Image, question: str | None) -> str",
)


@CAPTIONER.opener
def open_captioner(spec: str, store: Store, settings: Settings) -> Captioner:
    """The captioner behind `spec`: "mini-promptcap", a folder or a hub id of a vision-language model, a server's URL, or your own.

    Options behind a `?`: `batch`, `beams` (PromptCap was published with 5; default: greedy), `tokens`.

    Raises:
        BadInput: no such model, or options that mean nothing.
        PrerequisiteError: the model cannot be fetched, a bundled file is missing or altered, or transformers has no such class.
    """
    if is_served(spec):
        return ServedCaptioner(open_server(spec, store, settings))
    name, sign, options = spec.strip().partition("?")
    weights = find_weights(("mini" if name == _MINI else name) + sign + options, "promptcap", settings.cache_dir)
    config = weights.config()
    kind = str(config["model_type"])
    if kind == "ofa" or "OFAModel" in config.get("architectures", ()):
        raise PrerequisiteError(
            f"{spec!r} are OFA weights (as PromptCap's own are), and transformers has no OFA: the class published with them"
            " fails in generate() with every current version",
            remedy=_REMEDY,
        )
    if kind == "blip":
        return BlipCaptioner(weights, store, settings)
    return VisionCaptioner(weights, store, settings)


def _recipe(weights: Weights) -> _Recipe:
    values = {}
    for name, value in weights.options.items():
        if name not in _Recipe._fields or not value.isdecimal() or int(value) < 1:
            raise BadInput(
                f"{weights.spec!r}: a captioner takes whole numbers above 0 for batch, beams and tokens, not {name}={value!r}."
            )
        values[name] = int(value)
    return _Recipe(**values)


class LocalCaptioner(LocalModel[tuple[BlobRef, str], str]):
    """Base of the `Captioner`s that run in this process."""

    _recipe: _Recipe

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """One caption a (picture, question), in order; None for the question gives a generic one.

        Raises:
            BadInput: an empty question, or one that is too long for the model.
            CallFailed: a caption could not be written; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, question in asked:
            if question is not None and not question.strip():
                raise BadInput(f"the question {question!r} is empty: write what is to be answered, or give None.")
        return await settled([self._caption(image, question) for image, question in asked])

    async def _caption(self, image: BlobRef, question: str | None) -> str:
        prompt = self._prompt(None if question is None else " ".join(question.split()))
        call = Call(
            kind="caption",
            model=self.model,
            revision=self.revision,
            params=self._recipe._asdict(),
            inputs={"image": image.sha256, "prompt": prompt},
        )

        async def keep(text: str) -> Any:
            return text

        return str(await self._once(call, (image, prompt), keep, cost=Cost(calls=1, answers=1)))

    def _prompt(self, question: str | None) -> str:
        return promptcap_prompt(question)

    def _said(self, text: str) -> str | InloopError:
        return " ".join(text.split()) or CallFailed(f"{self.model} wrote an empty caption")


class BlipCaptioner(BlipModel[str], LocalCaptioner):
    """BLIP as a captioner: `BlipForQuestionAnswering` reads the prompt, `BlipForConditionalGeneration` goes on from it.

    `mini-promptcap` is of the former class. The latter, as published, knows no questions: its generic caption has no prompt.
    """

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=256)
        self._recipe = _recipe(weights)
        self._answers = "BlipForQuestionAnswering" in weights.config().get("architectures", ())
        self._trained = bool(weights.json("inloop.json").get("promptcap"))

    def _prompt(self, question: str | None) -> str:
        if question is None and not self._answers and not self._trained:
            return ""
        return promptcap_prompt(question)

    def _load(self, device: str) -> None:
        from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering, BlipProcessor

        kind = BlipForQuestionAnswering if self._answers else BlipForConditionalGeneration
        self._processor = self.weights.load(BlipProcessor)
        self._model = self.weights.load(kind).float().eval().to(device)

    def _serve(self, items: list[tuple[BlobRef, str]]) -> list[str | InloopError]:
        import torch

        outcomes: dict[int, str | InloopError] = {}
        room = int(self._model.config.text_config.max_position_embeddings)
        with torch.inference_mode():
            pictures = self._encode([image for image, _ in items])
            lengths: dict[int, list[tuple[int, list[int]]]] = {}
            for place, (image, prompt) in enumerate(items):
                ids = self._processor.tokenizer(prompt, verbose=False).input_ids
                found = pictures[image.sha256]
                if isinstance(found, InloopError):
                    outcomes[place] = found
                elif len(ids) + (0 if self._answers else 1) > room:
                    outcomes[place] = _too_long(prompt, len(ids), room)
                else:
                    lengths.setdefault(len(ids), []).append((place, ids))
            for _, rows in sorted(lengths.items()):
                for chunk in chunks(rows, self._recipe.batch):
                    seen = [pictures[items[place][0].sha256] for place, _ in chunk]
                    said = self._decode(seen, [ids for _, ids in chunk], room)
                    outcomes |= {place: self._said(text) for (place, _), text in zip(chunk, said, strict=False)}
        return [outcomes[place] for place in range(len(items))]

    def _decode(self, pictures: list[Any], ids: list[list[int]], room: int) -> list[str]:
        """The texts of up to a batch of rows of one length; the first row fills up the batch."""
        import torch

        config, batch = self._model.config.text_config, self._recipe.batch
        missing = batch - len(ids)
        tokens = torch.tensor(ids + [ids[0]] * missing, device=self._device)
        states = torch.stack(pictures + [pictures[0]] * missing)
        if self._answers:
            seen = torch.ones(states.shape[:-1], dtype=torch.long, device=self._device)
            states = self._model.text_encoder(
                input_ids=tokens,
                attention_mask=torch.ones_like(tokens),
                encoder_hidden_states=states,
                encoder_attention_mask=seen,
            ).last_hidden_state
            start = torch.full((batch, 1), self._model.decoder_start_token_id, device=self._device)
        else:
            start = tokens[:, :-1].clone()  # without the mark that would end it
            start[:, 0] = config.bos_token_id
        arguments = self._recipe.generate()
        arguments["max_new_tokens"] = min(self._recipe.tokens, room - start.shape[1])
        made = self._model.text_decoder.generate(
            input_ids=start,
            eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id,
            encoder_hidden_states=states,
            encoder_attention_mask=torch.ones(states.shape[:-1], dtype=torch.long, device=self._device),
            **arguments,
        )
        texts = self._processor.tokenizer.batch_decode(made[: len(ids), start.shape[1] :], skip_special_tokens=True)
        return [str(text) for text in texts]


class VisionCaptioner(LocalCaptioner):
    """Any class of transformers that makes text of a picture and a text: BLIP-2, InstructBLIP, Florence-2, Qwen-VL, LLaVA, ...

    A model with a chat template is asked in its chat form. Florence-2's `<CAPTION>` stands for the same words as PromptCap's
    generic prompt; it is given as the task's token.
    """

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=64, linger=0.02)
        self._recipe = _recipe(weights)
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
                remedy=_REMEDY,
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
                    outcomes[place] = _too_long(prompt, length, room)
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


def _too_long(prompt: str, tokens: int, room: int) -> BadInput:
    return BadInput(f"the question in {prompt[:80]!r}... makes {tokens} tokens, the model takes {room}: shorten it.")
