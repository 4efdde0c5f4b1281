"""`mini-diffusion`, the painter: a Stable Diffusion pipeline in miniature, trained on plain wording alone.

Three trainings: an `AutoencoderTiny` (train_autoencoder.py), a `CLIPTextModel` that learns what stands where (layout.py), then a
`UNet2DConditionModel` together with it on the latents, with v-prediction, a zero-SNR schedule and 10 % of empty prompts for
classifier-free guidance.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ..world import (
    BACKGROUNDS,
    COLORS,
    KINDS,
    SHAPES,
    SIZE,
    SIZES,
    THINGS,
    Group,
    Scene,
    Spec,
    is_held_out,
    pixels,
    place,
    plain,
    plural,
    scenes,
)
from .layout import teach_layout
from .loop import fit, keep_curves, write_sums
from .tokenizers import clip_tokenizer
from .train_autoencoder import LATENT, train_decoder

__all__ = ["train_decoder_of", "train_painter"]

TEXT_LENGTH, BATCH = 32, 64
PIECES = 20_000  # steps of pieces of pictures beyond those that a decoder has seen


class Painter(nn.Module):
    """The two networks that learn together."""

    def __init__(self, text: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text, self.unet = text, unet


def train_painter(
    work: Path,
    out: Path,
    *,
    steps: int,
    layout_steps: int,
    autoencoder: AutoencoderTiny,
    device: str,
    start: Path | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Train the U-Net and its text encoder (from those of the pipeline at `start`), then write the pipeline folder in fp16."""
    torch.manual_seed(1)
    tokenizer = clip_tokenizer(TEXT_LENGTH) if start is None else CLIPTokenizer.from_pretrained(start / "tokenizer")
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, projection_dim=128,
            max_position_embeddings=TEXT_LENGTH, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=12, in_channels=LATENT, out_channels=LATENT, block_out_channels=(80, 160), layers_per_block=1, cross_attention_dim=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4, norm_num_groups=16,
    )  # fmt: skip
    if start is not None:
        text = CLIPTextModel.from_pretrained(start / "text_encoder", dtype=torch.float32)
        unet = UNet2DConditionModel.from_pretrained(start / "unet", torch_dtype=torch.float32)
    else:
        text = teach_layout(work, text, tokenizer, steps=layout_steps, device=device, report=report)
    painter = Painter(text, unet).to(device)
    unet.to(memory_format=torch.channels_last)
    scheduler = DDIMScheduler(
        prediction_type="v_prediction", beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012,
        rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True,
    )  # fmt: skip
    data = _latents(work, autoencoder, tokenizer, device, report)
    scale = float(1 / data[0].float().std())
    chance = _chances(data[1], tokenizer)

    def loss_of(step: int) -> Tensor:
        rng = np.random.default_rng([step, 11])
        rows = torch.from_numpy(rng.choice(len(chance), BATCH, p=chance))
        latent = (data[0][rows].float() * scale).to(device, memory_format=torch.channels_last)
        tokens = data[1][rows].long()
        tokens[torch.from_numpy(rng.random(BATCH) < 0.1)] = data[2]
        noise = torch.from_numpy(rng.standard_normal(tuple(latent.shape), dtype=np.float32)).to(device)
        early = rng.random(BATCH) < 0.3  # what stands where is decided in the first steps, at high noise
        when = torch.from_numpy(rng.integers(np.where(early, 800, 0), 1000)).to(device)
        noisy = scheduler.add_noise(latent, noise, when)
        target = scheduler.get_velocity(latent, noise, when)
        states = text(tokens.to(device)).last_hidden_state
        seen = unet(noisy, when, encoder_hidden_states=states).sample.float()
        weight = 1 + 3 * _drawn(latent).float()
        total: Tensor = (weight * (seen - target).square()).mean() / weight.mean()
        return total

    fit(
        painter,
        loss_of,
        name="painter",
        steps=steps,
        rate=6e-4 if start else 1e-3,
        checkpoint=work / "painter.pt",
        report=report,
    )
    autoencoder.register_to_config(scaling_factor=scale)
    pipeline = StableDiffusionPipeline(
        vae=autoencoder, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.to("cpu", torch.float16).save_pretrained(out, safe_serialization=True)
    usage = {"steps": 6, "guidance": 2.0, "batch": 8, "height": SIZE, "width": SIZE}
    (out / "inloop.json").write_text(json.dumps(usage) + "\n", encoding="utf-8")
    keep_curves(out, work, "autoencoder", "decoder", "layout", "painter")
    write_sums(out)


def train_decoder_of(
    painter: Path, work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print
) -> None:
    """Train the decoder of the pipeline folder `painter` on, and write the pipeline with it into `out`: what is painted stays, its pixels change."""
    if painter.resolve() != out.resolve():
        shutil.copytree(painter, out, dirs_exist_ok=True)
    config = (painter / "vae" / "config.json").read_bytes()
    autoencoder = AutoencoderTiny.from_pretrained(painter / "vae", torch_dtype=torch.float32)
    autoencoder.to(device, memory_format=torch.channels_last)
    train_decoder(work, autoencoder, steps=steps, device=device, seen=PIECES, rate=5e-4, report=report)
    autoencoder.to("cpu", torch.float16).save_pretrained(out / "vae", safe_serialization=True)
    (out / "vae" / "config.json").write_bytes(config)  # the one that was saved says where it lay here
    keep_curves(out, work, "decoder")
    write_sums(out)


def _drawn(latents: Tensor) -> Tensor:
    """(n, 1, 12, 12) where something stands: there the latents differ from those of their own picture's ground (the median)."""
    ground = latents.flatten(2).median(-1).values[..., None, None]
    return (latents - ground).abs().amax(1, keepdim=True) > 0.6


def _chances(tokens: Tensor, tokenizer: CLIPTokenizer) -> NDArray[np.float64]:
    """How often each row of token ids is drawn: a recognisable thing takes longer to learn than a shape, so it is shown more."""
    names = [word for plain in THINGS for word in (plain, plural(plain))]
    things = torch.tensor([tokenizer(name).input_ids[1] for name in names])
    weight = 1.0 + torch.isin(tokens.long(), things).sum(1).clamp(max=2).double().numpy()
    chances: NDArray[np.float64] = weight / weight.sum()
    return chances


def _scenes() -> Iterator[Scene]:
    """Scenes as the judges see them, and as many of things by themselves, whose size and ground are said half of the time.

    Every thing must be learnt in both sizes and on every ground, and among the judges' scenes these are one in a thousand each. Things
    stand in the middle of their places: where is the painter's to choose, and anywhere it would have to learn each of them 64 times, for
    a latent is eight pixels wide.
    """
    rng, stream, number = np.random.default_rng(14), scenes(1, spread=0), 0
    while True:
        yield next(stream)
        kind = str(rng.choice(list(KINDS)))
        group = Group(
            kind=kind,
            color=str(rng.choice(list(COLORS))) if kind in SHAPES else None,
            size=str(rng.choice(list(SIZES))) if rng.random() < 0.5 else None,
        )
        spec = Spec(groups=(group,), background=str(rng.choice(list(BACKGROUNDS))) if rng.random() < 0.5 else None)
        number += 1
        if not is_held_out(spec):
            yield place(spec, 14_000_000_000 + number, spread=0)


def _latents(
    work: Path, autoencoder: AutoencoderTiny, tokenizer: CLIPTokenizer, device: str, report: Callable[[str], None]
) -> tuple[Tensor, Tensor, Tensor]:
    """(n, 12, 12, 12) fp16 latents, (n, 32) token ids and the ids of the empty prompt.

    The latents and their captions are made once and kept in `work`; not so the ids, which belong to the tokenizer of today.
    """
    path, count = work / "latents.pt", 60_000
    if not path.exists():
        stream = _scenes()
        latents, captions = [], []
        with torch.no_grad():
            for start in range(0, count, 250):
                batch = [next(stream) for _ in range(250)]
                image = torch.from_numpy(pixels(batch)).to(device, memory_format=torch.channels_last)
                latents.append(autoencoder.encode(image).latents.half().cpu().contiguous())
                captions += [plain(scene.spec).text for scene in batch]
                if start % 10_000 == 0:
                    report(f"latents: {start}/{count}")
        torch.save((torch.cat(latents), captions), path)
    held: tuple[Tensor, list[str]] = torch.load(path, weights_only=True)
    tokens = tokenizer([*held[1], ""], padding="max_length", max_length=TEXT_LENGTH, return_tensors="pt").input_ids
    return held[0], tokens[:-1].to(torch.int16), tokens[-1]
