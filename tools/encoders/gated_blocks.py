"""Gated blocks before the last layers of a CLIP vision tower: new weights that begin by changing nothing.

    x = x + tanh(a) * Attention(LayerNorm(x));  x = x + tanh(b) * MLP(LayerNorm(x))        with a = b = 0 at first

REACT (Liu et al., CVPR 2023, arXiv 2301.07094, section 3.2). All weights of the model stay frozen, so that at first its logits are
those of CLIP, and taking the blocks away gives CLIP back. A block begins as a copy of the layer that it stands before.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.storage import write_whole
from .clip_adapter import CARD, WEIGHTS, AdapterCard, read_card

__all__ = ["GatedBlock", "blocks_of", "insert_blocks", "load_blocks", "save_blocks"]


class GatedBlock(nn.Module):
    """(batch, tokens, width) to the same; with both gates at 0 it gives what it is given."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer_norm1, self.self_attn = copy.deepcopy(layer.layer_norm1), copy.deepcopy(layer.self_attn)
        self.layer_norm2, self.mlp = copy.deepcopy(layer.layer_norm2), copy.deepcopy(layer.mlp)
        self.attention_gate = nn.Parameter(torch.zeros(()))
        self.mlp_gate = nn.Parameter(torch.zeros(()))

    def forward(self, states: Tensor) -> Tensor:
        """Add what attention and MLP make of the states, as far as the gates are open."""
        seen, _ = self.self_attn(hidden_states=self.layer_norm1(states), attention_mask=None)
        states = states + torch.tanh(self.attention_gate) * seen
        changed: Tensor = states + torch.tanh(self.mlp_gate) * self.mlp(self.layer_norm2(states))
        return changed


class _GatedLayer(nn.Module):
    """A block and the layer that it stands before, in the layer's place."""

    def __init__(self, block: GatedBlock, layer: nn.Module) -> None:
        super().__init__()
        self.block, self.layer = block, layer

    def forward(self, states: Tensor, *given: Any, **named: Any) -> Any:
        return self.layer(self.block(states), *given, **named)


def insert_blocks(model: Any, count: int) -> dict[int, GatedBlock]:
    """Freeze a `CLIPModel` and put a block before each of its last `count` vision layers; by layer, the blocks.

    Raises:
        BadInput: `count` is not between 1 and the number of layers, or the model has blocks already.
    """
    layers = model.vision_model.encoder.layers
    if blocks_of(model):
        raise BadInput("the model has gated blocks already: load it anew to give it others.")
    if not 1 <= count <= len(layers):
        raise BadInput(f"blocks={count!r} must lie between 1 and the {len(layers)} layers of the vision tower.")
    model.requires_grad_(False)
    for place in range(len(layers) - count, len(layers)):
        block = GatedBlock(layers[place])
        block.requires_grad_(True)
        layers[place] = _GatedLayer(block, layers[place])
    return blocks_of(model)


def blocks_of(model: Any) -> dict[int, GatedBlock]:
    """By vision layer, the block before it; empty for a plain CLIP."""
    layers = enumerate(model.vision_model.encoder.layers)
    return {place: layer.block for place, layer in layers if isinstance(layer, _GatedLayer)}


def save_blocks(folder: Path, model: Any, card: AdapterCard) -> None:
    """Write the blocks of a model and their card; the card last, so that a folder with one is whole."""
    from safetensors.torch import save

    tensors = {
        f"{place}.{name}": value.detach().float().cpu().contiguous()
        for place, block in blocks_of(model).items()
        for name, value in block.state_dict().items()
    }
    write_whole(folder / WEIGHTS, save(tensors, {"format": "pt"}))
    write_whole(folder / CARD, card.model_dump_json(indent=1).encode())


def load_blocks(folder: Path, model: Any) -> None:
    """Put the blocks of an adapter into the `CLIPModel` that they belong to.

    Raises:
        BadInput: no adapter, or one of another model.
        PrerequisiteError: its weights are damaged.
    """
    from safetensors.torch import load

    card = read_card(folder)
    layers = model.vision_model.encoder.layers
    if not card.layers or card.layers != tuple(range(len(layers) - len(card.layers), len(layers))):
        raise BadInput(
            f"the adapter {str(folder)!r} is for {card.base!r}, which has other vision layers than this model."
        )
    blocks = insert_blocks(model, len(card.layers))
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        for place, block in blocks.items():
            mine = {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{place}.")}
            block.load_state_dict(mine)
    except Exception as error:  # safetensors raises an error of its own that derives from Exception alone
        raise PrerequisiteError(
            f"the weights of the adapter {str(folder)!r} cannot be loaded ({type(error).__name__}: {str(error)[:200]})",
            remedy="train it again, or copy the folder again.",
        ) from error
