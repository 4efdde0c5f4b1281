"""`mini-vqa`: `BlipForQuestionAnswering` in miniature, trained on questions in plain and in loose wording, in every domain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertTokenizer, BlipConfig, BlipForQuestionAnswering, BlipImageProcessor, BlipProcessor

from ...tools.captioning import mask_padding
from ..world import SIZE, Placed, Scene, ask, pixels, scenes, spoil
from .loop import fit, keep_curves, write_sums
from .patch_pretraining import PATCH, PatchHead, RelationHead, WordHead, image_processor_settings, place_code, worn
from .tokenizers import blip_tokenizer

__all__ = ["train_vqa"]

IMAGES, QUESTIONS, WIDTH = 24, 6, 128


class Learner(nn.Module):
    """The model with the heads that are thrown away."""

    def __init__(self, model: BlipForQuestionAnswering, tokenizer: BertTokenizer) -> None:
        super().__init__()
        vocabulary = tokenizer.get_vocab()
        self.model, self.patches = model, PatchHead(WIDTH)
        self.words = WordHead(WIDTH, vocabulary.get, len(tokenizer))
        self.relations = RelationHead(WIDTH)


def _with_smudges(
    batch: list[Scene], rng: np.random.Generator
) -> tuple[list[Scene], list[Placed | None], NDArray[np.float32]]:
    """A batch of which one picture in four has lost a thing: its scenes, what each of them lost, and (batch, 3, 96, 96) pixels."""
    seen = pixels(batch)
    shown: list[Scene] = list(batch)
    lost: list[Placed | None] = [None] * len(batch)
    for row in range(0, len(batch), 4):
        spoilt = spoil(batch[row], rng)
        shown[row], lost[row] = spoilt.scene, spoilt.lost
        seen[row] = (spoilt.pixels / 127.5 - 1).transpose(2, 0, 1)
    return shown, lost, seen


def train_vqa(
    work: Path, out: Path, *, steps: int, device: str, start: Path | None = None, report: Callable[[str], None] = print
) -> None:
    """Train (from the weights of the folder `start`) and write the model folder in fp16."""
    torch.manual_seed(2)
    # a word's number follows from how often the questions use it, and they may have changed since
    tokenizer = blip_tokenizer() if start is None else BertTokenizer.from_pretrained(start)
    first, end, pad = (tokenizer.convert_tokens_to_ids(t) for t in ("[CLS]", "[SEP]", "[PAD]"))
    text = {
        "vocab_size": len(tokenizer), "hidden_size": WIDTH, "encoder_hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 3,
        "num_attention_heads": 4, "max_position_embeddings": 64, "bos_token_id": first, "eos_token_id": end, "sep_token_id": end, "pad_token_id": pad,
        "projection_dim": WIDTH, "initializer_range": WIDTH**-0.5,
    }  # fmt: skip
    vision = {
        "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": SIZE,
        "patch_size": PATCH, "initializer_range": 0.06, "projection_dim": WIDTH,
    }  # fmt: skip
    model = BlipForQuestionAnswering(
        BlipConfig(text_config=text, vision_config=vision, projection_dim=WIDTH, image_text_hidden_size=WIDTH)
    )
    with torch.no_grad():
        model.vision_model.embeddings.position_embedding += place_code(WIDTH)
    if start is not None:
        model = BlipForQuestionAnswering.from_pretrained(start, dtype=torch.float32)
    mask_padding(model)
    learner = Learner(model, tokenizer).to(device)

    def loss_of(step: int) -> Tensor:
        rng = np.random.default_rng([step, 21])
        stream = scenes(2_000_000 + step, flat=0.6)
        batch = [next(stream) for _ in range(IMAGES)]
        easing = (
            0.15 if start else max(0.15, 0.5 - step / steps)
        )  # open answers tell more than a yes: many of them at first
        batch, lost, seen = _with_smudges(batch, rng)
        asked = [
            ask(scene, rng, open_share=easing, lost=gone)
            for scene, gone in zip(batch, lost, strict=True)
            for _ in range(QUESTIONS)
        ]
        image = worn(seen, rng).to(device)
        states = model.vision_model(pixel_values=image).last_hidden_state
        words = tokenizer([qa.question for qa in asked], padding=True, return_tensors="pt").to(device)
        answers = tokenizer([qa.answer for qa in asked], padding=True, return_tensors="pt").to(device)
        read = model.text_encoder(
            input_ids=words.input_ids,
            attention_mask=words.attention_mask,
            encoder_hidden_states=states.repeat_interleave(QUESTIONS, 0),
        )[0]
        said = model.text_decoder(
            input_ids=answers.input_ids[:, :-1],
            attention_mask=answers.attention_mask[:, :-1],
            encoder_hidden_states=read,
            encoder_attention_mask=words.attention_mask,
        ).logits.float()
        target = answers.input_ids[:, 1:].masked_fill(answers.attention_mask[:, 1:] == 0, -100)
        answered = F.cross_entropy(said.flatten(0, 1), target.flatten(), ignore_index=-100)
        dense = learner.patches(states, batch) * (0.5 if step < steps // 2 else 0.2)
        met = learner.words(read, words.input_ids, batch) * (1.0 if step < steps // 2 else 0.3)
        stands = learner.relations(read, [qa.relation for qa in asked]) * 0.5
        total: Tensor = answered + dense + met + stands
        return total

    fit(
        learner,
        loss_of,
        name="vqa",
        steps=steps,
        rate=8e-4,
        checkpoint=work / "vqa.pt",
        weight_decay=0.02,
        report=report,
    )
    model.to("cpu", torch.float16).save_pretrained(out, safe_serialization=True)
    BlipProcessor(BlipImageProcessor(**image_processor_settings()), tokenizer).save_pretrained(out)
    keep_curves(out, work, "vqa")
    write_sums(out)
