"""Randomly initialised models of the classes that write captions, scaled down, saved as folders that Auto classes open."""

from __future__ import annotations

import string
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


def blip(folder: Path, words: tuple[str, ...], *, spread: float = 0.5) -> Path:
    """Salesforce/blip-vqa-base, with 32 px pictures and patches of 8.

    `spread`: the deviation of the text model's weights. At 0.5 random pictures get different answers, and a training is at the
    mercy of rounding; at 0.2 it learns a few captions from any draw of the weights.
    """
    import torch
    import transformers as t

    torch.manual_seed(2)
    letters = string.ascii_lowercase
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*words, *letters])]
    vocabulary += [*("##" + letter for letter in letters), "?", "[DEC]", "[ENC]"]
    tokens = t.BertTokenizer(vocab={token: place for place, token in enumerate(vocabulary)})
    text = t.BlipTextConfig(
        **SMALL,
        vocab_size=len(vocabulary),
        encoder_hidden_size=32,
        bos_token_id=vocabulary.index("[DEC]"),
        pad_token_id=0,
        eos_token_id=2,
        sep_token_id=3,
        max_position_embeddings=64,
        is_decoder=True,
        initializer_range=spread,
    )
    vision = t.BlipVisionConfig(**SMALL, image_size=32, patch_size=8)
    model = t.BlipForQuestionAnswering(t.BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict()))
    for weight in model.vision_model.parameters():  # random pictures must look different to it
        torch.nn.init.normal_(weight, std=0.3)
    for module in model.vision_model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.ones_(module.weight)
    model.save_pretrained(folder)
    t.BlipProcessor(t.BlipImageProcessorPil(size={"height": 32, "width": 32}), tokens).save_pretrained(folder)
    return folder


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
    """llava-hf/llava-1.5-7b-hf: CLIP and Llama, asked in its chat form (as Qwen-VL is)."""
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


def florence2(folder: Path, *, vivid: bool = True) -> Path:
    """florence-community/Florence-2-base: DaViT and BART, an encoder with a decoder; pictures of 32 pixels are 17 tokens.

    `vivid`: what it reads and sees matters to what it writes, which no training brings out of its saturated attention again.
    """
    import torch
    import transformers as t

    torch.manual_seed(8)
    words = tokenizer(named=True)
    vision = t.Florence2VisionConfig(
        depths=(1, 1), patch_size=(7, 3), patch_stride=(4, 2), patch_padding=(3, 1), patch_prenorm=(False, True),
        embed_dim=(16, 32), num_heads=(2, 4), num_groups=(2, 4), window_size=4, projection_dim=32, max_position_embeddings=10,
        max_temporal_embeddings=10, initializer_range=0.5,
    )  # fmt: skip
    text = t.BartConfig(
        vocab_size=len(words), d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=512,
        decoder_start_token_id=words.eos_token_id, forced_eos_token_id=None, **_marks(words),
    )  # fmt: skip
    text.init_std = 0.7 if vivid else 0.1
    config = t.Florence2Config(
        text_config=text.to_dict(), vision_config=vision.to_dict(), image_token_id=words.convert_tokens_to_ids(IMAGE)
    )
    model = t.Florence2ForConditionalGeneration(config)
    for module in model.modules() if vivid else ():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.5)
    if vivid:
        model.generation_config.suppress_tokens = sorted(words.all_special_ids)  # an empty caption is a failure
    model.save_pretrained(folder)
    pictures = t.CLIPImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=False)
    pictures.image_seq_length = 17
    t.Florence2Processor(pictures, words).save_pretrained(folder)
    return folder


def qwen_vl(folder: Path) -> Path:
    """Qwen/Qwen2.5-VL-3B-Instruct; its processor is made of the files as they are published, which need torchvision to be read."""
    import torch
    import transformers as t

    torch.manual_seed(9)
    words = tokenizer(named=True)
    words.chat_template = CHAT
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 4, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2,
        "intermediate_size": 64, "out_hidden_size": 32, "window_size": 16, "fullatt_block_indexes": [1],
    }  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
    text = {
        **SMALL, "vocab_size": len(words), "num_key_value_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.5,
        "rope_parameters": rope, **_marks(words),
    }  # fmt: skip
    config = t.Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, image_token_id=words.convert_tokens_to_ids(IMAGE), video_token_id=1,
        vision_start_token_id=words.bos_token_id, vision_end_token_id=words.eos_token_id,
    )  # fmt: skip
    t.Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    sizes = {"min_pixels": 1024, "max_pixels": 4096}
    t.Qwen2VLImageProcessorPil(patch_size=4, temporal_patch_size=2, merge_size=2, **sizes).save_pretrained(folder)
    return folder
