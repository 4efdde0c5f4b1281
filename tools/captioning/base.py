"""Fine-tuning of a captioner: BLIP learns to write a row's caption for PromptCap's prompt.

`BlipForQuestionAnswering` reads the prompt with its text encoder and writes with its decoder; `BlipForConditionalGeneration`
goes on from the prompt. The picture encoder stays as it is unless it is asked to learn: its features are then computed once
a picture, and kept where they fit into memory. Larger captioners learn by adapters (`tools.captioning.lora`).

Invariants: what was trained is named by everything it depends on (`key`), a training that was interrupted goes on, a finished
one is not done again; the model's folder is there whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Record
from ...runtime.session import chunks
from ...runtime.storage import write_whole
from ...runtime.store import SUMS, sha256
from ..data import CaptionRow
from ..models import quiet, torch_device
from ..training import Recipe, Say, fine_tune
from ..vision import promptcap_prompt

if TYPE_CHECKING:
    from ...runtime.settings import Settings

__all__ = ["CaptionTraining", "Trained", "mask_padding", "open_picture"]

_RATE = 5e-5  # of the published 2e-5, 3e-5, 5e-5
_KEPT = 2 * 2**30  # bytes of picture features that are held
_RECORD = "inloop.json"
_MEASURED = "measured.json"  # written beside it later


class Trained(Record):
    """A captioner that was trained. `losses`: the mean loss of each epoch; `seconds` None: it was there already."""

    folder: str
    key: str
    start: str
    rows: int
    steps: int
    losses: tuple[float, ...]
    parameters: int
    seconds: float | None


def mask_padding(model: Any) -> None:
    """Hide the padding of questions from the decoder: transformers 5.23 drops the mask on its way to the cross-attention.

    Captions are written without padding later, so a model that had learnt to see it would be out of its depth.
    """

    def masked(module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        kwargs["encoder_attention_mask"] = kwargs.get("attention_mask")
        return args, kwargs

    for layer in model.text_decoder.bert.encoder.layer:
        layer.crossattention.self.register_forward_pre_hook(masked, with_kwargs=True)


class CaptionTraining:
    """One training, of BLIP. A subclass gives other classes, examples, and losses."""

    rate = _RATE

    def __init__(
        self, rows: Sequence[CaptionRow], weights: Any, out: Path, settings: Settings, recipe: Recipe, seed: int,
        train_vision: bool, say: Say, stop: threading.Event, key: str,
    ) -> None:  # fmt: skip
        import torch

        self.rows, self.weights, self.out, self.recipe, self.seed = rows, weights, out, recipe, seed
        self.train_vision, self.say, self.stop, self.key = train_vision, say, stop, key
        self.answers = "BlipForQuestionAnswering" in weights.config().get("architectures", ())
        self.kind, processor = self._classes()
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self.device = torch_device(settings.device)
        try:
            with quiet():
                self.processor = weights.load(processor)
        except Exception as error:
            raise PrerequisiteError(
                f"{weights.spec!r} cannot be loaded ({type(error).__name__}: {error})",
                remedy="see whether its files are complete.",
            ) from error
        self.features: dict[str, Any] = {}

    def run(self) -> Trained:
        examples = self._examples()
        work = self.out / ".work" / self.key[:16]
        model, outcome = fine_tune(
            self._make,
            examples,
            self._collate,
            recipe=self.recipe,
            rate=self.recipe.rate or self.rate,
            seed=self.seed,
            work=work,
            device=self.device,
            loss=self._loss,
            say=self.say,
            stop=self.stop,
        )
        trained = Trained(
            folder=str(self.out), key=self.key, start=self.weights.model, rows=len(self.rows), steps=outcome.steps,
            losses=outcome.losses, parameters=outcome.parameters, seconds=round(outcome.seconds, 1),
        )  # fmt: skip
        self._write(model, trained)
        shutil.rmtree(self.out / ".work", ignore_errors=True)
        return trained

    def _classes(self) -> tuple[Any, Any]:
        """The classes of the model and of its processor."""
        from transformers import BlipForConditionalGeneration, BlipForQuestionAnswering, BlipProcessor

        return BlipForQuestionAnswering if self.answers else BlipForConditionalGeneration, BlipProcessor

    def checked(self) -> Iterator[CaptionRow]:
        """The rows; `BadInput` for one that lacks picture or caption."""
        for row in self.rows:
            if row.image is None or not row.caption:
                lacking = "picture" if row.image is None else "caption"
                raise BadInput(f"row {row.id!r} has no {lacking}, which it needs.")
            yield row

    def _examples(self) -> list[dict[str, Any]]:
        """Token ids of each row: what is read, what is written, and both together for their length."""
        tokens, room = self.processor.tokenizer, int(self.weights.config()["text_config"]["max_position_embeddings"])
        made = []
        for row in self.checked():
            prompt = tokens(promptcap_prompt(row.question), verbose=False).input_ids
            caption = tokens(str(row.caption), verbose=False).input_ids
            long = max(len(prompt), len(caption)) if self.answers else len(prompt) + len(caption) - 2
            if long > room:
                raise BadInput(f"row {row.id!r} makes {long} tokens, the model takes {room}: shorten or drop it.")
            made.append({"input_ids": prompt + caption, "prompt": prompt, "caption": caption, "image": row.image})
        return made

    def _make(self) -> Any:
        import torch

        model = self.weights.load_model(self.kind).float()
        if self.answers:
            mask_padding(model)
        if not self.train_vision:
            model.vision_model.requires_grad_(False)
            self._encode(model.to(self.device), torch)
        return model

    def _encode(self, model: Any, torch: Any) -> None:
        """The features of every picture, as long as they fit."""
        images = list(dict.fromkeys(str(row.image) for row in self.rows))
        model.eval()
        size = 0
        with torch.inference_mode():
            for chunk in chunks(images, 16):
                states = model.vision_model(pixel_values=self._pixels(chunk).to(self.device)).last_hidden_state.cpu()
                size += states.numel() * states.element_size()
                if size > _KEPT:
                    self.features.clear()
                    return
                self.features |= dict(zip(chunk, states, strict=True))

    def _pixels(self, images: Sequence[str]) -> Any:
        pictures = [open_picture(path) for path in images]
        return self.processor.image_processor(pictures, return_tensors="pt").pixel_values

    def _collate(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        images = [example["image"] for example in examples]
        known = [self.features[image] for image in images] if self.features else []
        pictures = {"states": torch.stack(known)} if known else {"pixels": self._pixels(images)}
        bos = int(self.weights.config()["text_config"]["bos_token_id"])  # what generate() begins with
        if self.answers:
            read = [example["prompt"] for example in examples]
            written = [[bos, *example["caption"][1:]] for example in examples]
        else:
            read = [[bos, *example["prompt"][1:-1]] for example in examples]
            written = [[*start, *example["caption"][1:]] for start, example in zip(read, examples, strict=True)]
        labels = [
            ids if self.answers else [-100] * len(start) + ids[len(start) :]
            for start, ids in zip(read, written, strict=True)
        ]
        return {
            **pictures, "read": self._padded(read), "read_mask": self._padded([[1] * len(ids) for ids in read], 0),
            "written": self._padded(written), "written_mask": self._padded([[1] * len(ids) for ids in written], 0),
            "labels": self._padded(labels, -100),
        }  # fmt: skip

    def _padded(self, rows: list[list[int]], value: int | None = None) -> Any:
        import torch

        fill = self.processor.tokenizer.pad_token_id if value is None else value
        width = max(map(len, rows))
        return torch.tensor([row + [fill] * (width - len(row)) for row in rows])

    def _loss(self, model: Any, batch: dict[str, Any]) -> Any:
        """The mean cross entropy of a caption's tokens."""
        import torch
        import torch.nn.functional as F

        if "states" in batch:
            states = batch["states"]
        else:
            with torch.set_grad_enabled(self.train_vision):
                states = model.vision_model(pixel_values=batch["pixels"]).last_hidden_state
        mask = None
        if self.answers:
            states = model.text_encoder(
                input_ids=batch["read"], attention_mask=batch["read_mask"], encoder_hidden_states=states
            )[0]
            mask = batch["read_mask"]
        logits = model.text_decoder(
            input_ids=batch["written"][:, :-1],
            attention_mask=batch["written_mask"][:, :-1],
            encoder_hidden_states=states,
            encoder_attention_mask=mask,
        ).logits.float()
        return F.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=-100)

    def _write(self, model: Any, trained: Trained) -> None:
        """The model's folder, whole or not at all; in half precision where the start was."""
        import torch

        stored = self.weights.config().get("dtype") or self.weights.config().get("torch_dtype")
        half = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(str(stored), torch.float32)
        draft = self.out / ".work" / "finished"
        shutil.rmtree(draft, ignore_errors=True)
        with quiet():
            model.to("cpu", half).save_pretrained(draft)
            self.processor.save_pretrained(draft)
        for path in draft.iterdir():
            path.chmod(0o644)
            path.replace(self.out / path.name)
        # what differs from run to run stays out, so that the same training has the same revision
        content = {"promptcap": True, **trained.model_dump(mode="json", exclude={"folder", "seconds"})}
        write_whole(self.out / _RECORD, (json.dumps(content, indent=1) + "\n").encode())
        names = sorted(
            path.name for path in self.out.iterdir() if path.is_file() and path.name not in (SUMS, _MEASURED)
        )
        sums = "".join(f"{sha256(self.out / name)}  {name}\n" for name in names)
        write_whole(self.out / SUMS, sums.encode())


def open_picture(path: str) -> Any:
    """The RGB picture of a file; `BadInput` where it is none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            return opened.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path!r} is no picture that can be read: {error}.") from None
