"""A question answering model that can be steered: `mini-vqa` trained on to answer by outline or by surface, as it is asked.

On pictures whose cues disagree, a question that names the outline is answered by it, and one that names the surface by that. The plain
question is never asked of them. The quarter of each batch that are ordinary pictures and questions keeps what the model knew. It is not bundled.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import BlipForQuestionAnswering, BlipProcessor

from ...tools.captioning import mask_padding
from ..world import SURFACES, Scene, article, ask, pixels, scenes
from ..world.data import SETS
from .loop import fit, keep_curves, write_sums
from .patch_pretraining import worn

__all__ = ["WORDINGS", "asked_by_cue", "train_cues"]

IMAGES, CONFLICTS, QUESTIONS = 12, 9, 6
WORDINGS: dict[str, tuple[str, ...]] = {
    "shape": (
        "Is there the shape of {}?", "Is there {} judging by its outline?", "Is it shaped like {}?", "Does its outline look like {}?",
        "Can you see {} going by shape?", "Is there {} by shape?",
    ),
    "texture": (
        "Is there the surface of {}?", "Is there {} judging by its surface?", "Is it filled like {}?", "Does its surface look like {}?",
        "Can you see {} going by texture?", "Is there {} by texture?",
    ),
}  # fmt: skip
"""By the cue that they ask for, each with the place of a thing and its article; all ask for yes or no."""


def asked_by_cue(shape: str, texture: str, rng: np.random.Generator) -> list[tuple[str, str]]:
    """`QUESTIONS` questions with their answers about a picture of these cues: four by its outline, which is harder to see, two by its surface."""
    other = str(rng.choice([name for name in SURFACES if name not in (shape, texture)]))
    asked = [
        ("shape", shape),
        ("shape", shape),
        ("shape", texture),
        ("shape", other),
        ("texture", texture),
        ("texture", shape),
    ]
    truth = {"shape": shape, "texture": texture}
    return [
        (str(rng.choice(WORDINGS[cue])).format(f"{article(name)} {name}"), "yes" if name == truth[cue] else "no")
        for cue, name in asked
    ]


def _conflicts(step: int, count: int) -> list[tuple[Scene, str, str]]:
    planned = [each for each in SETS["cue-conflict"].plan(2 * count, 5_000_000 + step) if each.split == "test"]
    things = [each for each in planned if each.columns["family"] == "thing"]
    return [(each.scene, str(each.columns["shape"]), str(each.columns["texture"])) for each in things[:count]]


def train_cues(
    work: Path, out: Path, *, steps: int, device: str, start: Path, report: Callable[[str], None] = print
) -> None:
    """Train the model of the folder `start` on and write the model folder in fp16."""
    torch.manual_seed(6)
    processor = BlipProcessor.from_pretrained(start)
    tokenizer = processor.tokenizer
    model = BlipForQuestionAnswering.from_pretrained(start, dtype=torch.float32)
    mask_padding(model)
    model = model.to(device)

    def loss_of(step: int) -> Tensor:
        rng = np.random.default_rng([step, 61])
        stream = scenes(6_000_000 + step, flat=0.6)
        ordinary = [next(stream) for _ in range(IMAGES - CONFLICTS)]
        conflicts = _conflicts(step, CONFLICTS)
        rows: list[tuple[str, str]] = []
        for scene in ordinary:
            made = [ask(scene, rng, open_share=0.15) for _ in range(QUESTIONS)]
            rows += [(each.question, each.answer) for each in made]
        for _, shape, texture in conflicts:
            rows += asked_by_cue(shape, texture, rng)
        image = worn(pixels([*ordinary, *(scene for scene, _, _ in conflicts)]), rng).to(device)
        states = model.vision_model(pixel_values=image).last_hidden_state
        words = tokenizer([question for question, _ in rows], padding=True, return_tensors="pt").to(device)
        answers = tokenizer([answer for _, answer in rows], padding=True, return_tensors="pt").to(device)
        read = model.text_encoder(
            input_ids=words.input_ids,
            attention_mask=words.attention_mask,
            encoder_hidden_states=states.repeat_interleave(QUESTIONS, 0),
        )[0]
        logits = model.text_decoder(
            input_ids=answers.input_ids[:, :-1],
            attention_mask=answers.attention_mask[:, :-1],
            encoder_hidden_states=read,
            encoder_attention_mask=words.attention_mask,
        ).logits.float()
        target = answers.input_ids[:, 1:].masked_fill(answers.attention_mask[:, 1:] == 0, -100)
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100)

    fit(
        model,
        loss_of,
        name="cues",
        steps=steps,
        rate=6e-4,
        checkpoint=work / "cues.pt",
        weight_decay=0.02,
        warm_up=20,
        report=report,
    )
    model.to("cpu", torch.float16).save_pretrained(out, safe_serialization=True)
    processor.save_pretrained(out)
    keep_curves(out, work, "cues")
    write_sums(out)
