"""`mini-clip`: `CLIPModel` in miniature, contrasting pictures with captions in plain and in loose wording, in every domain.

Half of each batch are near misses of the other half (one word of the caption changed), so that the score sees who wears which colour.
Beside them stand pictures of which a thing was made unreadable: no caption of the batch is theirs, and each caption must prefer its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from ..world import (
    COLORS,
    COUNTS,
    KINDS,
    NEAR,
    OPPOSITE,
    SHAPES,
    SIZE,
    Scene,
    Spec,
    is_held_out,
    pixels,
    place,
    specs,
    spoil,
    word,
)
from .loop import fit, keep_curves, write_sums
from .patch_pretraining import PATCH, PatchHead, image_processor_settings, worn
from .tokenizers import clip_tokenizer

__all__ = ["near_miss", "train_clip"]

PAIRS, SMUDGED, WIDTH, TEXT_LENGTH = 48, 16, 128, 40


class Learner(nn.Module):
    """The model with the head that is thrown away."""

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model, self.patches = model, PatchHead(WIDTH)


def near_miss(spec: Spec, rng: np.random.Generator) -> Spec:
    """`spec` with one thing changed: colours exchanged, a relation turned round, another count, kind or colour."""
    groups = list(spec.groups)
    i = int(rng.integers(len(groups)))
    choices = ["kind"]
    if groups[i].color:
        choices += ["color", "color"]
    if len(groups) == 2 and groups[0].color and groups[1].color and groups[0].color != groups[1].color:
        choices += ["swap"] * 2
    if spec.relation:
        choices += ["relation"] * 2
    if len(groups) == 1:
        choices += ["count"] * 2
    match rng.choice(choices):
        case "kind":
            pool = list(SHAPES) if groups[i].color else [k for k in KINDS if k not in SHAPES]
            alike = [kind for row in NEAR if groups[i].kind in row for kind in row if kind in pool]
            pool = alike if alike and rng.random() < 0.5 else pool
            groups[i] = replace(groups[i], kind=str(rng.choice(pool)))
        case "color":
            groups[i] = replace(groups[i], color=str(rng.choice(list(COLORS))))
        case "swap":
            groups = [replace(groups[0], color=groups[1].color), replace(groups[1], color=groups[0].color)]
        case "relation":
            return replace(spec, relation=OPPOSITE[str(spec.relation)])
        case "count":
            groups[i] = replace(groups[i], count=int(rng.choice([1, *COUNTS])))
    return replace(spec, groups=tuple(groups))


def train_clip(work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print) -> None:
    """Train and write the model folder in fp16."""
    torch.manual_seed(3)
    tokenizer = clip_tokenizer(TEXT_LENGTH)
    shared = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4, "projection_dim": 128}
    text = {
        **shared, "vocab_size": len(tokenizer), "num_hidden_layers": 3, "max_position_embeddings": TEXT_LENGTH,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = {**shared, "num_hidden_layers": 4, "image_size": SIZE, "patch_size": PATCH}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))
    learner = Learner(model).to(device)

    def loss_of(step: int) -> Tensor:
        rng = np.random.default_rng([step, 31])
        batch = _scenes(step, rng)
        smudged = [spoil(scene, rng).pixels / 127.5 - 1 for scene in batch[:SMUDGED]]
        shown = np.concatenate([pixels(batch), np.stack(smudged).transpose(0, 3, 1, 2)])
        image = worn(shown, rng).to(device)
        captions = [word(scene.spec, rng, looseness=float(rng.random())).text for scene in batch]
        words = tokenizer(captions, padding=True, truncation=True, max_length=TEXT_LENGTH, return_tensors="pt").to(
            device
        )
        seen = model.vision_model(pixel_values=image)
        read = model.text_model(input_ids=words.input_ids, attention_mask=words.attention_mask)
        a = F.normalize(model.visual_projection(seen.pooler_output).float(), dim=-1)
        b = F.normalize(model.text_projection(read.pooler_output).float(), dim=-1)
        logits = model.logit_scale.exp().clamp(max=60.0) * a @ b.T  # (pictures and smudged ones, captions)
        same = torch.tensor([[x.spec == y.spec for y in batch] for x in batch], device=device).float()
        same = same / same.sum(1, keepdim=True)
        to_picture = F.pad(same, (0, len(smudged)))
        contrast = (F.cross_entropy(logits[: len(batch)], same) + F.cross_entropy(logits.T, to_picture)) / 2
        total: Tensor = contrast + (0.3 if step < steps // 2 else 0.1) * learner.patches(
            seen.last_hidden_state[: len(batch)], batch
        )
        return total

    fit(
        learner,
        loss_of,
        name="clip",
        steps=steps,
        rate=1e-3,
        checkpoint=work / "clip.pt",
        weight_decay=0.05,
        report=report,
    )
    model.to("cpu", torch.float16).save_pretrained(out, safe_serialization=True)
    CLIPProcessor(CLIPImageProcessor(**image_processor_settings()), tokenizer).save_pretrained(out)
    keep_curves(out, work, "clip")
    write_sums(out)


def _scenes(step: int, rng: np.random.Generator) -> list[Scene]:
    stream = specs(3_000_000 + step)
    wanted = [next(stream) for _ in range(PAIRS)]
    missed = [near_miss(spec, rng) for spec in wanted]
    chosen = [*wanted, *(spec for spec in missed if not is_held_out(spec))]
    domains = rng.choice(["flat", "flat", "flat", "sketch", "noisy"], size=len(chosen))
    return [place(spec, 3_000_000_000 + step * 1000 + i, domain=domains[i]) for i, spec in enumerate(chosen)]
