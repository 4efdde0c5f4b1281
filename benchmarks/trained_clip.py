"""What a CLIP learns from captions of which 30 % are wrong, from what a cleaning leaves of them, and from the right ones alone.

Small CLIPs of `transformers`, from scratch, with the symmetric contrastive loss, on the pictures and captions of 1,600 drawn pictures of eight classes:
the same steps, batches of the same size and seeds. They are judged zero-shot by the names of the classes, on pictures that none was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["zero_shot"]

_BATCH, _WIDTH, _LENGTH = 64, 96, 24


def zero_shot(
    pixels: Any, captions: Sequence[str], test_pixels: Any, test_labels: Sequence[str], *, seed: int, steps: int = 400
) -> list[float]:
    """Train on `pixels` (pictures, 3, side, side) and their captions; of each test picture whether its class is the one that is taken (1 or 0)."""
    import torch
    import torch.nn.functional as F
    from transformers import CLIPConfig, CLIPModel

    from inloop.mini.training.tokenizers import clip_tokenizer

    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 61])
    tokenizer = clip_tokenizer(_LENGTH)
    shared = {"hidden_size": _WIDTH, "intermediate_size": 4 * _WIDTH, "num_attention_heads": 4, "num_hidden_layers": 3}
    text = {
        **shared, "vocab_size": len(tokenizer), "max_position_embeddings": _LENGTH, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    vision = {**shared, "image_size": pixels.shape[-1], "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=64))

    def words(texts: Sequence[str]) -> Any:
        return tokenizer(list(texts), padding=True, truncation=True, max_length=_LENGTH, return_tensors="pt")

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    images = torch.as_tensor(pixels)
    for _ in range(steps):
        chosen = rng.choice(len(captions), size=_BATCH, replace=False)
        read = words([captions[place] for place in chosen])
        loss = model(
            pixel_values=images[chosen], input_ids=read.input_ids, attention_mask=read.attention_mask, return_loss=True
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    model.eval()
    names = sorted(set(test_labels))
    with torch.inference_mode():
        read = words([f"a {name}" for name in names])
        known = F.normalize(model.get_text_features(**read).pooler_output, dim=-1)
        seen = [
            F.normalize(model.get_image_features(pixel_values=part).pooler_output, dim=-1)
            for part in torch.as_tensor(test_pixels).split(200)
        ]
        taken = (torch.cat(seen) @ known.T).argmax(dim=1).tolist()
    return [float(names[place] == label) for place, label in zip(taken, test_labels, strict=True)]
