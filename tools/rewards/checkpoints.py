"""Released reward checkpoints as models of transformers: HPSv2's open_clip layout, ImageReward's BLIP with a head.

The sizes are read off the tensors, so that nothing but the checkpoint is needed; what a checkpoint lacks is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput

__all__ = ["blip_reward", "clip_of_open_clip", "read_checkpoint"]

State = Mapping[str, Any]
_HEAD = re.compile(r"mlp\.layers\.(\d+)\.weight")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors of a `.pt` file; code inside it is not run. `BadInput` where it holds something else."""
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise BadInput(f"{str(path)!r} is no checkpoint of tensors ({str(error).splitlines()[0]}).") from None
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    state = {str(name).removeprefix("module."): value for name, value in content.items() if torch.is_tensor(value)}
    if not state:
        raise BadInput(f"{str(path)!r} holds no tensors by name.")
    return state


def clip_of_open_clip(state: State, heads: tuple[int, int] = (16, 16)) -> Any:
    """A `CLIPModel` of an open_clip ViT checkpoint; `heads` of text and vision are not in the tensors (ViT-H/14: 16, 16)."""
    from transformers import CLIPConfig, CLIPModel

    _needs(state, ("visual.conv1.weight", "visual.proj", "text_projection", "token_embedding.weight", "logit_scale"))
    width, patch = state["visual.conv1.weight"].shape[0], state["visual.conv1.weight"].shape[-1]
    vocabulary, text_width = state["token_embedding.weight"].shape
    config = CLIPConfig(
        projection_dim=state["text_projection"].shape[1],
        text_config={
            "hidden_size": text_width,
            "intermediate_size": state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            "num_hidden_layers": _count(state, r"transformer\.resblocks\.(\d+)\."),
            "num_attention_heads": heads[0],
            "max_position_embeddings": state["positional_embedding"].shape[0],
            "vocab_size": vocabulary,
            "hidden_act": "gelu",
            "bos_token_id": vocabulary - 2,
            "eos_token_id": vocabulary - 1,
            "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": width,
            "intermediate_size": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
            "num_hidden_layers": _count(state, r"visual\.transformer\.resblocks\.(\d+)\."),
            "num_attention_heads": heads[1],
            "patch_size": patch,
            "image_size": patch * round((state["visual.positional_embedding"].shape[0] - 1) ** 0.5),
            "hidden_act": "gelu",
        },
    )
    renamed: dict[str, Any] = {
        "logit_scale": state["logit_scale"],
        "text_projection.weight": state["text_projection"].T,
        "visual_projection.weight": state["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
    }
    norms = {"ln_final": "text_model.final_layer_norm", "visual.ln_pre": "vision_model.pre_layrnorm"}
    for old, new in (norms | {"visual.ln_post": "vision_model.post_layernorm"}).items():
        renamed |= {f"{new}.{end}": state[f"{old}.{end}"] for end in ("weight", "bias")}
    inside = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    inside["attn.out_proj"] = "self_attn.out_proj"
    for name, value in state.items():
        found = re.fullmatch(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)[._](weight|bias)", name)
        if found is None:
            continue
        layer = f"{'vision' if found[1] else 'text'}_model.encoder.layers.{found[2]}"
        if found[3] == "attn.in_proj":
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{layer}.self_attn.{part}_proj.{found[4]}"] = piece
        elif found[3] in inside:
            renamed[f"{layer}.{inside[found[3]]}.{found[4]}"] = value
    return _filled(CLIPModel(config), renamed)


def blip_reward(state: State, text_config: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Vision encoder, text encoder and head of an ImageReward checkpoint; `text_config` is its `med_config.json`."""
    import torch
    from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

    see = {name.removeprefix("blip.visual_encoder."): v for name, v in state.items() if name.startswith("blip.visual_encoder.")}  # fmt: skip
    read = {name.removeprefix("blip.text_encoder."): v for name, v in state.items() if name.startswith("blip.text_encoder.")}  # fmt: skip
    _needs(see, ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "norm.weight"))
    _needs(read, ("embeddings.word_embeddings.weight", "encoder.layer.0.crossattention.self.key.weight"))
    width, patch = see["cls_token"].shape[-1], see["patch_embed.proj.weight"].shape[-1]
    vision = BlipVisionModel(
        BlipVisionConfig(
            hidden_size=width,
            intermediate_size=see["blocks.0.mlp.fc1.weight"].shape[0],
            num_hidden_layers=_count(see, r"blocks\.(\d+)\."),
            num_attention_heads=max(1, width // 64),
            image_size=patch * round((see["pos_embed"].shape[1] - 1) ** 0.5),
            patch_size=patch,
            layer_norm_eps=1e-6,
        )
    )
    names = (
        ("cls_token", "embeddings.class_embedding"), ("pos_embed", "embeddings.position_embedding"),
        ("patch_embed.proj", "embeddings.patch_embedding"), ("blocks", "encoder.layers"), ("norm1", "layer_norm1"),
        ("norm2", "layer_norm2"), ("attn.qkv", "self_attn.qkv"), ("attn.proj", "self_attn.projection"),
    )  # fmt: skip
    renamed = {}
    for name, value in see.items():
        for old, new in names:
            name = name.replace(old, new)
        renamed[re.sub(r"^norm\.", "post_layernorm.", name)] = value
    kept = {
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "intermediate_size",
        "layer_norm_eps",
        "hidden_act",
    }
    text = BlipTextModel(
        BlipTextConfig(
            **{name: value for name, value in text_config.items() if name in kept},
            vocab_size=read["embeddings.word_embeddings.weight"].shape[0],
            max_position_embeddings=read["embeddings.position_embeddings.weight"].shape[0],
            encoder_hidden_size=width,
            # has the layers with cross-attention; whether it looks ahead is said in the call
            is_decoder=True,
        ),
        add_pooling_layer=False,
    )
    places = sorted(int(found[1]) for name in state if (found := _HEAD.fullmatch(name)))
    if not places:
        raise BadInput("the checkpoint has no 'mlp.layers.*': it is no ImageReward.")
    # no activation between the layers: the released one has none either
    head = torch.nn.Sequential(*(torch.nn.Linear(*state[f"mlp.layers.{p}.weight"].T.shape) for p in places))
    for layer, place in zip(head, places, strict=True):
        layer.load_state_dict({end: state[f"mlp.layers.{place}.{end}"] for end in ("weight", "bias")})
    return _filled(vision, renamed), _filled(text, read), head


def _filled(model: Any, state: State) -> Any:
    """`model` with the tensors of `state`; buffers that it makes itself may be missing or left over."""
    own = {name for name, _ in model.named_buffers()}
    missing, extra = model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    missing = [name for name in missing if name not in own]
    extra = [name for name in extra if not name.endswith("position_ids")]
    if missing or extra:
        raise BadInput(
            f"the checkpoint does not fit {type(model).__name__}: missing {', '.join(missing[:3]) or 'nothing'},"
            f" left over {', '.join(extra[:3]) or 'nothing'}."
        )
    return model


def _needs(state: State, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in state]
    if missing:
        raise BadInput(f"the checkpoint has no {missing[0]!r}: it is of another kind.")


def _count(state: State, pattern: str) -> int:
    return 1 + max(int(found[1]) for name in state if (found := re.match(pattern, name)))
