"""Randomly initialised SAM and SAM 2 of transformers, scaled down, saved as folders of the layout that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["sam", "sam2"]


def sam(folder: Path) -> Path:
    """facebook/sam-vit-base."""
    import torch
    import transformers as t

    torch.manual_seed(4)
    config = t.SamConfig(
        vision_config={
            "hidden_size": 16, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64, "patch_size": 8,
            "window_size": 4, "global_attn_indexes": [1], "mlp_dim": 32, "num_pos_feats": 8, "initializer_range": 0.3,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    _spread(t.SamModel(config)).save_pretrained(folder)
    pictures = t.SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    t.SamProcessor(pictures).save_pretrained(folder)
    return folder


def sam2(folder: Path) -> Path:
    """facebook/sam2.1-hiera-tiny."""
    import torch
    import transformers as t

    torch.manual_seed(6)
    hiera = {
        "hidden_size": 8, "num_attention_heads": 1, "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2], "window_size_per_stage": [8, 4, 4, 2], "global_attention_blocks": [3],
        "image_size": [64, 64], "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    config = t.Sam2Config(
        vision_config={
            "backbone_config": {"model_type": "sam2_hiera_det_model", **hiera}, "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": 32, "num_feature_levels": 3,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    _spread(t.Sam2Model(config)).save_pretrained(folder)
    # as it is published; the class that would write it needs torchvision
    told = {
        "image_processor_type": "Sam2ImageProcessorFast",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def _spread(model: Any) -> Any:
    """As they begin, prompts make hardly any difference."""
    import torch

    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.25)
    return model.eval()
