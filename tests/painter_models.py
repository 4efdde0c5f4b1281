"""Randomly initialised text-to-image pipelines of diffusers, scaled down, saved as folders of the layout that is published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ("a", "an", "the", "red", "blue", "green", "disc", "box", "star", "two", "of", "left", "and", "ugly")
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def clip_encoder(words: Path, *, projected: bool = False) -> tuple[Any, Any]:
    """CLIP's text encoder with its tokenizer, whose files lie in `words`."""
    import transformers as t

    tokenizer = t.CLIPTokenizer.from_pretrained(words, model_max_length=77)
    config = t.CLIPTextConfig(
        **SMALL, vocab_size=len(tokenizer), hidden_act="gelu", projection_dim=32, initializer_range=0.2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return (t.CLIPTextModelWithProjection if projected else t.CLIPTextModel)(config), tokenizer


def t5_encoder(width: int = 32) -> tuple[Any, Any]:
    """T5's encoder and a unigram tokenizer of a few words and all letters."""
    import string

    import transformers as t

    pieces = ["<pad>", "</s>", "<unk>", *(f"▁{word}" for word in WORDS), "▁", *string.ascii_lowercase, ",", "."]
    tokenizer = t.T5Tokenizer(vocab=[(piece, -1.0) for piece in pieces], extra_ids=0, model_max_length=512)
    config = t.T5Config(
        vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=64, num_layers=2, num_heads=4, initializer_factor=5.0
    )
    return t.T5EncoderModel(config), tokenizer


def _bytes_vocabulary() -> dict[str, int]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {letter: place for place, letter in enumerate(bytes_to_unicode().values())}


def qwen_encoder() -> tuple[Any, Any]:
    """Qwen2.5-VL as Qwen-Image reads prompts with it."""
    import transformers as t

    tokenizer = t.Qwen2Tokenizer(
        vocab=_bytes_vocabulary(), merges=[], extra_special_tokens=["<|im_start|>", "<|im_end|>"]
    )
    text = {
        **SMALL, "vocab_size": len(tokenizer), "num_key_value_heads": 2, "initializer_range": 0.2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
    }  # fmt: skip
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32}
    config = t.Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    return t.Qwen2_5_VLForConditionalGeneration(config), tokenizer


def gemma_encoder() -> tuple[Any, Any]:
    """Gemma 2 as Sana reads prompts with it."""
    import string

    import transformers as t

    marks = ["<pad>", "<eos>", "<bos>", "<unk>"]
    letters = ["▁", *string.printable.strip()]
    tokenizer = t.GemmaTokenizer(vocab={piece: place for place, piece in enumerate([*marks, *letters])}, merges=[])
    config = t.Gemma2Config(
        **SMALL | {"num_hidden_layers": 1}, vocab_size=len(tokenizer), num_key_value_heads=2, head_dim=8, initializer_range=0.2, query_pre_attn_scalar=8,
        max_position_embeddings=4096, pad_token_id=0, eos_token_id=1, bos_token_id=2,
    )  # fmt: skip
    return t.Gemma2Model(config), tokenizer


def autoencoder(latents: int = 4) -> Any:
    """`AutoencoderKL` with 8 pixels a latent."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1, latent_channels=latents, norm_num_groups=4, sample_size=64, shift_factor=0.05,
    )  # fmt: skip


def sd(words: Path) -> Any:
    """stable-diffusion-v1-5/stable-diffusion-v1-5."""
    import diffusers as d

    encoder, tokenizer = clip_encoder(words)
    unet = d.UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, attention_head_dim=4, cross_attention_dim=32,
        norm_num_groups=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    return d.StableDiffusionPipeline(
        vae=autoencoder(), text_encoder=encoder, tokenizer=tokenizer, unet=unet, scheduler=d.PNDMScheduler(skip_prk_steps=True),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl(words: Path) -> Any:
    """stabilityai/stable-diffusion-xl-base-1.0."""
    import diffusers as d

    one, other = clip_encoder(words), clip_encoder(words, projected=True)
    unet = d.UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, attention_head_dim=(2, 4), cross_attention_dim=64,
        norm_num_groups=8, use_linear_projection=True, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time", addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1), projection_class_embeddings_input_dim=32 + 6 * 8,
    )  # fmt: skip
    return d.StableDiffusionXLPipeline(
        vae=autoencoder(), text_encoder=one[0], tokenizer=one[1], text_encoder_2=other[0], tokenizer_2=other[1], unet=unet,
        scheduler=d.EulerDiscreteScheduler(), add_watermarker=False,
    )  # fmt: skip


def sdxl_turbo(words: Path) -> Any:
    """stabilityai/sdxl-turbo: SDXL under the ancestral scheduler, which draws noise in every step."""
    import diffusers as d

    pipe = sdxl(words)
    pipe.scheduler = d.EulerAncestralDiscreteScheduler(timestep_spacing="trailing")
    return pipe


def sd3(words: Path) -> Any:
    """stabilityai/stable-diffusion-3.5-medium."""
    import diffusers as d

    one, two, three = clip_encoder(words, projected=True), clip_encoder(words, projected=True), t5_encoder(64)
    transformer = d.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        caption_projection_dim=32, joint_attention_dim=64, pooled_projection_dim=64, pos_embed_max_size=16,
    )  # fmt: skip
    return d.StableDiffusion3Pipeline(
        transformer=transformer, scheduler=d.FlowMatchEulerDiscreteScheduler(), vae=autoencoder(), text_encoder=one[0],
        tokenizer=one[1], text_encoder_2=two[0], tokenizer_2=two[1], text_encoder_3=three[0], tokenizer_3=three[1],
    )  # fmt: skip


def flux(words: Path, *, guidance_embeds: bool = True) -> Any:
    """black-forest-labs/FLUX.1-dev."""
    import diffusers as d

    one, two = clip_encoder(words), t5_encoder()
    transformer = d.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=guidance_embeds,
    )  # fmt: skip
    return d.FluxPipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(), vae=autoencoder(), text_encoder=one[0], tokenizer=one[1],
        text_encoder_2=two[0], tokenizer_2=two[1], transformer=transformer,
    )  # fmt: skip


def schnell(words: Path) -> Any:
    """black-forest-labs/FLUX.1-schnell: not distilled with guidance."""
    return flux(words, guidance_embeds=False)


def sana(words: Path) -> Any:
    """Efficient-Large-Model/Sana_600M_512px_diffusers."""
    import diffusers as d

    encoder, tokenizer = gemma_encoder()
    transformer = d.SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2, attention_head_dim=4,
        num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, caption_channels=32, sample_size=8,
    )  # fmt: skip
    blocks = ("ResBlock", "ResBlock", "EfficientViTBlock")
    vae = d.AutoencoderDC(
        latent_channels=4, attention_head_dim=4, encoder_block_types=blocks, decoder_block_types=blocks,
        encoder_block_out_channels=(8, 8, 8), decoder_block_out_channels=(8, 8, 8), encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1), encoder_qkv_multiscales=((), (), (5,)), decoder_qkv_multiscales=((), (), (5,)),
    )  # fmt: skip
    return d.SanaPipeline(
        tokenizer=tokenizer, text_encoder=encoder, vae=vae, transformer=transformer,
        scheduler=d.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


def pixart(words: Path) -> Any:
    """PixArt-alpha/PixArt-Sigma-XL-2-512-MS."""
    import diffusers as d

    encoder, tokenizer = t5_encoder()
    transformer = d.PixArtTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=4, caption_channels=32,
        in_channels=4, out_channels=8, cross_attention_dim=32,
    )  # fmt: skip
    return d.PixArtSigmaPipeline(
        tokenizer=tokenizer, text_encoder=encoder, vae=autoencoder(), transformer=transformer,
        scheduler=d.DPMSolverMultistepScheduler(),
    )  # fmt: skip


def pixart_alpha(words: Path) -> Any:
    """PixArt-alpha/PixArt-XL-2-512x512."""
    import diffusers as d

    parts = pixart(words).components
    return d.PixArtAlphaPipeline(**parts)


def qwen_image(words: Path) -> Any:
    """Qwen/Qwen-Image."""
    import diffusers as d

    encoder, tokenizer = qwen_encoder()
    transformer = d.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 6, 6),
    )  # fmt: skip
    vae = d.AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[1.0] * 4
    )
    return d.QwenImagePipeline(
        scheduler=d.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )


PAINTERS: dict[str, Callable[[Path], Any]] = {
    "sd": sd,
    "sdxl": sdxl,
    "sdxl-turbo": sdxl_turbo,
    "sd3": sd3,
    "flux-dev": flux,
    "flux-schnell": schnell,
    "sana": sana,
    "pixart-alpha": pixart_alpha,
    "pixart-sigma": pixart,
    "qwen-image": qwen_image,
}
"""By the name of its folder, what makes a pipeline of CLIP's tokenizer files."""


def save(name: str, root: Path, words: Path) -> Path:
    """The folder of the pipeline of that name; the same weights at every call, so large that prompts and seeds make a difference."""
    import torch

    torch.manual_seed(3)
    pipe = PAINTERS[name](words)
    for part in (getattr(pipe, "unet", None), getattr(pipe, "transformer", None)):
        for weight in part.parameters() if part is not None else ():
            if weight.dim() > 1 and not weight.any():  # a layer that begins at zero would hide what is before it
                torch.nn.init.normal_(weight, std=0.1)
    pipe.save_pretrained(root / name)
    return root / name
