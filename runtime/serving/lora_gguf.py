"""A LoRA adapter as a GGUF file, which llama.cpp loads beside the base model of the Llama architecture.

What llama.cpp computes is W x + scale * (alpha / rank) * B (A x), as peft does (without rsLoRA and DoRA, which have
other formulas and are refused here). One trap: llama.cpp stores the rows of the query and key projections of Llama
models in another order than Hugging Face (each head's two rotary halves interleaved), so the rows of B of `q_proj`
and `k_proj` must be put in that order too. Without it the adapter loads and is silently wrong.

The layout of the file follows `convert_lora_to_gguf.py` of llama.cpp (MIT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from ..storage import draft_of

if TYPE_CHECKING:
    import torch

__all__ = ["export_lora"]

_PEFT_NAME = re.compile(
    r"^(?:base_model\.model\.)?(?P<module>model\.layers\.(?P<block>\d+)\..+)\.lora_(?P<side>[AB])(?:\.[^.]+)?\.weight$"
)


def export_lora(
    state: Mapping[str, torch.Tensor],
    *,
    alpha: float,
    rank: int,
    out: Path,
    head_dim: int = 64,
    half: bool = True,
    name: str = "adapter",
) -> Path:
    """Write the adapter `state` to the GGUF file `out` and return its path.

    Args:
        state: peft's names to tensors (`peft.get_peft_model_state_dict(model)`): per linear module
            `...lora_A.weight` of shape (rank, inputs) and `...lora_B.weight` of shape (outputs, rank).
        alpha: peft's `lora_alpha`.
        rank: peft's `r`; checked against every tensor.
        out: the file to write; it appears when it is whole.
        head_dim: rows of one attention head (64 for SmolLM2-135M); gives the number of heads of q and k.
        half: store float16 instead of float32.
        name: stored as `general.name`.

    Raises:
        BadInput: a tensor that is no part of a LoRA on a layer's linear module, one without its pair, a wrong shape.
    """
    import gguf

    pairs: dict[str, dict[str, Any]] = {}
    blocks = 0
    for key, tensor in state.items():
        match = _PEFT_NAME.match(key)
        if match is None:
            raise BadInput(
                f"{key!r} is not LoRA A or B of a layer's linear module;"
                " train with target_modules inside model.layers only"
            )
        pairs.setdefault(match["module"], {})[match["side"]] = tensor.detach().float().cpu().contiguous().numpy()
        blocks = max(blocks, int(match["block"]) + 1)
    if not pairs:
        raise BadInput("the adapter has no tensors; give peft.get_peft_model_state_dict(model)")

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, blocks)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = draft_of(out)
    writer = gguf.GGUFWriter(part, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.LLAMA])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(alpha))
    for module, sides in sorted(pairs.items()):
        target = names.get_name(module)
        if target is None:
            raise BadInput(
                f"{module!r} has no counterpart in llama.cpp's Llama architecture; leave it out of target_modules"
            )
        if set(sides) != {"A", "B"}:
            raise BadInput(f"{module!r} has only lora_{''.join(sides)}; give both lora_A and lora_B")
        a, b = sides["A"], sides["B"]
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != rank or b.shape[1] != rank:
            raise BadInput(f"{module!r}: lora_A {a.shape} and lora_B {b.shape} do not have the rank {rank!r}")
        if module.endswith((".q_proj", ".k_proj")):
            if b.shape[0] % head_dim:
                raise BadInput(f"{module!r}: {b.shape[0]} rows are not a multiple of head_dim={head_dim!r}")
            b = b.reshape(-1, 2, head_dim // 2, rank).swapaxes(1, 2).reshape(b.shape)
        for side, array in (("a", a), ("b", b)):
            writer.add_tensor(f"{target}.weight.lora_{side}", array.astype("float16" if half else "float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    Path(part).replace(out)
    return out
