"""Randomly initialised models of the classes that write captions, scaled down, saved as folders that Auto classes open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
IMAGE = "<image>"
CHAT = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}\n{% endfor %}assistant:"
)


def tokenizer(*, named: bool = False) -> Any:
    """Every byte a token, with the marks of BART and a picture's place; `named`: the tokenizer knows the place by name."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    pieces = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    pieces.pre_tokenizer, pieces.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    pieces.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", IMAGE])
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        **({"extra_special_tokens": {"image_token": IMAGE}} if named else {}),
    )


def _marks(words: Any) -> dict[str, int]:
    return {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}


def blip2(folder: Path, *, instruct: bool = False) -> Path:
    """Salesforce/blip2-opt-2.7b, or Salesforce/instructblip-flan-t5-xl with OPT."""
    import torch
    import transformers as t

    torch.manual_seed(6)
    words = tokenizer()
    text = t.OPTConfig(
        vocab_size=len(words), hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, word_embed_proj_dim=32, init_std=0.5, **_marks(words),
    )  # fmt: skip
    name = "InstructBlip" if instruct else "Blip2"
    vision = getattr(t, f"{name}VisionConfig")(**SMALL, image_size=32, patch_size=8, initializer_range=0.3)
    former = getattr(t, f"{name}QFormerConfig")(
        **SMALL, vocab_size=len(words), encoder_hidden_size=32, max_position_embeddings=256
    )
    config = getattr(t, f"{name}Config")(
        vision_config=vision.to_dict(), qformer_config=former.to_dict(), text_config=text.to_dict(), num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids(IMAGE),
    )  # fmt: skip
    getattr(t, f"{name}ForConditionalGeneration")(config).save_pretrained(folder)
    pictures = t.BlipImageProcessorPil(size={"height": 32, "width": 32})
    both = (words, words) if instruct else (words,)
    getattr(t, f"{name}Processor")(pictures, *both, num_query_tokens=4).save_pretrained(folder)
    return folder


def instructblip(folder: Path) -> Path:
    """See `blip2`."""
    return blip2(folder, instruct=True)


def llava(folder: Path) -> Path:
    """llava-hf/llava-1.5-7b-hf: CLIP and Llama, asked in its chat form (as Qwen-VL is, whose processor needs torchvision)."""
    import torch
    import transformers as t

    torch.manual_seed(7)
    words = tokenizer(named=True)
    vision = t.CLIPVisionConfig(**SMALL, image_size=32, patch_size=8, initializer_range=0.3)
    text = t.LlamaConfig(
        **SMALL,
        vocab_size=len(words),
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.5,
        **_marks(words),
    )
    config = t.LlavaConfig(
        vision_config=vision.to_dict(), text_config=text.to_dict(), image_token_index=words.convert_tokens_to_ids(IMAGE)
    )
    t.LlavaForConditionalGeneration(config).save_pretrained(folder)
    pictures = t.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    t.LlavaProcessor(
        pictures,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder
