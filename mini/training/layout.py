"""What the painter's text encoder learns before it paints: what stands where.

Noise to picture is a poor teacher of word order: "a cat above a car" and "a car above a cat" cost a denoiser nearly the same
until it knows which is which, so nothing pulls it there (8,300 steps of painting alone left the order to chance). Asked for
the kind and the colour in each of 8 x 8 cells, the same encoder learns it in minutes. The head is thrown away. Large painters
begin with a text encoder that was taught elsewhere, too (CLIP).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ..world import COLORS, SHAPES, SIZE, THINGS, Scene, plain, scenes
from .loop import fit

__all__ = ["cells", "teach_layout"]

SIDE, BATCH = 8, 64
_KINDS = {kind: i for i, kind in enumerate([*SHAPES, *THINGS], start=1)}
_COLORS = {color: i for i, color in enumerate(COLORS, start=1)}


class LayoutReader(nn.Module):
    """A text encoder and one attention, from each cell of the picture to the words: they must say by themselves where they go."""

    def __init__(self, text: CLIPTextModel) -> None:
        super().__init__()
        width = text.config.hidden_size
        self.text = text
        self.places = nn.Parameter(torch.randn(SIDE * SIDE, width) * 0.5)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.kind = nn.Linear(width, len(_KINDS) + 1)
        self.color = nn.Linear(width, len(_COLORS) + 1)

    def forward(self, tokens: Tensor, truth: Tensor) -> Tensor:
        """Mean cross-entropy of (batch, words) token ids against (batch, 2, cells) kinds and colours; 0 is the ground."""
        states = self.text(tokens).last_hidden_state
        seen, _ = self.look(self.places.expand(len(tokens), -1, -1), states, states, need_weights=False)
        kind, color = self.kind(seen).float(), self.color(seen).float()
        loss: Tensor = F.cross_entropy(kind.transpose(1, 2), truth[:, 0]) + F.cross_entropy(
            color.transpose(1, 2), truth[:, 1]
        )
        return loss


def cells(scene: Scene) -> NDArray[np.int64]:
    """(2, 64): the kind and the colour of what stands at the middle of each of 8 x 8 cells, row by row; 0 for nothing."""
    out = np.zeros((2, SIDE, SIDE), dtype=np.int64)
    middles = (np.arange(SIDE) + 0.5) * SIZE / SIDE
    for thing in scene.objects:
        rows = (thing.y <= middles) & (middles < thing.y + thing.side)
        columns = (thing.x <= middles) & (middles < thing.x + thing.side)
        out[:, rows[:, None] & columns[None]] = [[_KINDS[thing.kind]], [_COLORS.get(thing.color or "", 0)]]
    return out.reshape(2, -1)


def teach_layout(
    work: Path,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    *,
    steps: int,
    device: str,
    report: Callable[[str], None] = print,
) -> CLIPTextModel:
    """Train a text encoder on plain captions and what stands where; resumable in `work`."""
    reader = LayoutReader(text).to(device)

    def loss_of(step: int) -> Tensor:
        stream = scenes(3_000_000 + step)
        batch = [next(stream) for _ in range(BATCH)]
        tokens = tokenizer(
            [plain(scene.spec).text for scene in batch],
            padding="max_length",
            max_length=text.config.max_position_embeddings,
            return_tensors="pt",
        ).input_ids
        truth = torch.from_numpy(np.stack([cells(scene) for scene in batch]))
        loss: Tensor = reader(tokens.to(device), truth.to(device))
        return loss

    fit(reader, loss_of, name="layout", steps=steps, rate=1.5e-3, checkpoint=work / "layout.pt", report=report)
    return text
