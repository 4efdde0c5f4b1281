"""Randomly initialised vision-language models that answer yes or no, scaled down, saved as folders that Auto classes open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import caption_models
from caption_models import CHAT, IMAGE, SMALL

YES_NO = ("yes", "Yes", "no", "No", " Yes", " no")
"""Pieces of the vocabulary that stand for the two words."""
QWEN_CHAT = CHAT.replace(IMAGE, "<|vision_start|><|image_pad|><|vision_end|>")


def words(*, chat: str | None = None, forms: Sequence[str] = YES_NO, **named: str) -> Any:
    """A tokenizer of bytes with these forms of the words yes and no, and with special tokens by the names that a processor asks for."""
    from transformers import PreTrainedTokenizerFast

    plain = caption_models.tokenizer().backend_tokenizer
    plain.add_tokens(list(forms))
    marks = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, extra_special_tokens=named, **marks)
    tokenizer.chat_template = chat
    return tokenizer


def text_of(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """The text part of a config."""
    marks = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return {
        **SMALL, "vocab_size": len(tokenizer), "num_key_value_heads": 2, "max_position_embeddings": 1024,
        "initializer_range": 0.5, **marks, **more,
    }  # fmt: skip


def qwen(folder: Path, *, version: str = "2_5", width: int = 32, forms: Sequence[str] = YES_NO) -> Path:
    """Qwen/Qwen2.5-VL-3B-Instruct, or Qwen/Qwen2-VL-2B-Instruct; the processor's files as they are published.

    vLLM computes attention for heads of 32 numbers and more: a `width` of 128.
    """
    import torch
    import transformers as t

    torch.manual_seed(9)
    marks = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    tokenizer = words(
        chat=QWEN_CHAT, forms=forms, **marks, vision_bos_token="<|vision_start|>", vision_eos_token="<|vision_end|>"
    )
    vision = {
        "depth": 2,
        "num_heads": 4,
        "patch_size": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "initializer_range": 0.2,
    }
    if version == "2_5":
        vision |= {
            "hidden_size": width, "intermediate_size": 64, "out_hidden_size": width, "window_size": 16, "fullatt_block_indexes": [1],
        }  # fmt: skip
    else:
        vision |= {"embed_dim": 32, "hidden_size": 32, "mlp_ratio": 2}
    rope = {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "mrope_section": [width // 32, 3 * width // 64, 3 * width // 64] if width > 32 else [1, 1, 2],
    }
    config = getattr(t, f"Qwen{version}_VLConfig" if version == "2_5" else "Qwen2VLConfig")(
        text_config=text_of(tokenizer, rope_parameters=rope, hidden_size=width), vision_config=vision,
        **{f"{kind}_token_id": tokenizer.convert_tokens_to_ids(f"<|{kind}_pad|>") for kind in ("image", "video")},
        **{f"vision_{end}_token_id": tokenizer.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")},
    )  # fmt: skip
    name = "Qwen2_5_VL" if version == "2_5" else "Qwen2VL"
    getattr(t, f"{name}ForConditionalGeneration")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    t.Qwen2VLImageProcessorPil(
        patch_size=4, temporal_patch_size=2, merge_size=2, min_pixels=1024, max_pixels=4096
    ).save_pretrained(folder)
    return folder


def qwen2(folder: Path) -> Path:
    """See `qwen`."""
    return qwen(folder, version="2")


def llava(folder: Path) -> Path:
    """llava-hf/llava-1.5-7b-hf: CLIP and Llama."""
    import torch
    import transformers as t

    torch.manual_seed(7)
    tokenizer = words(image_token=IMAGE)
    vision = t.CLIPVisionConfig(**SMALL, image_size=32, patch_size=8, initializer_range=0.3)
    config = t.LlavaConfig(
        text_config=t.LlamaConfig(**text_of(tokenizer)).to_dict(), vision_config=vision.to_dict(),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
    )  # fmt: skip
    t.LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = t.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    t.LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def internvl(folder: Path) -> Path:
    """OpenGVLab/InternVL3-1B-hf: InternViT and Qwen 2; the processor's files as they are published."""
    import json

    import torch
    import transformers as t

    torch.manual_seed(5)
    tokenizer = words(
        chat=CHAT.replace(IMAGE, "<IMG_CONTEXT>"), start_image_token="<img>", end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>", video_token="<video>",
    )  # fmt: skip
    vision = {
        **SMALL,
        "image_size": [32, 32],
        "patch_size": [8, 8],
        "initializer_range": 0.3,
        "layer_scale_init_value": 1.0,
    }
    config = t.InternVLConfig(
        vision_config=vision, text_config={"model_type": "qwen2", **text_of(tokenizer)}, image_seq_length=4,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
    )  # fmt: skip
    t.InternVLForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    t.GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, max_patches=1).save_pretrained(folder)
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    (folder / "processor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder


def idefics3(folder: Path) -> Path:
    """HuggingFaceTB/SmolVLM-Instruct, which is an Idefics 3: SigLIP and Llama."""
    import torch
    import transformers as t

    torch.manual_seed(4)
    tokenizer = words(
        image_token=IMAGE, fake="<fake_token_around_image>", whole="<global-img>", end="<end_of_utterance>"
    )
    config = t.Idefics3Config(
        text_config={"model_type": "llama", **text_of(tokenizer)},
        vision_config={**SMALL, "image_size": 32, "patch_size": 8, "initializer_range": 0.3}, scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE), pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    t.Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    pictures = t.Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    t.Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=CHAT).save_pretrained(folder)
    return folder


def paligemma(folder: Path) -> Path:
    """google/paligemma-3b-mix-224: SigLIP and Gemma, asked by the prefix of a task."""
    import torch
    import transformers as t

    torch.manual_seed(3)
    pictures = t.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    pictures.image_seq_length = 16
    tokenizer = words(image_token=IMAGE)
    processor = t.PaliGemmaProcessor(pictures, tokenizer)
    text = text_of(tokenizer, head_dim=8)
    config = t.PaliGemmaConfig(
        text_config={"model_type": "gemma", **text}, projection_dim=32, image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_config={
            "model_type": "siglip_vision_model", **SMALL, "image_size": 32, "patch_size": 8, "vision_use_head": False,
            "num_image_tokens": 16, "projection_dim": 32,
        },
    )  # fmt: skip
    model = t.PaliGemmaForConditionalGeneration(config)
    for weight in model.parameters():  # as they begin, pictures make no difference
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


JUDGES: dict[str, Callable[[Path], Path]] = {
    "qwen2-vl": qwen2,
    "qwen2.5-vl": qwen,
    "llava": llava,
    "internvl": internvl,
    "idefics3": idefics3,
    "paligemma": paligemma,
}
"""By the name of its folder, what saves a model there."""
