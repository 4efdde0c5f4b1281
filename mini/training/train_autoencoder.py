"""The painter's autoencoder: an `AutoencoderTiny` from 96x96x3 to 12x12x12, trained on pieces of drawn scenes.

Two trainings: encoder and decoder together, then the decoder alone. What the painter learns to paint are the encoder's latents, so
the decoder can be made better at any time. Together the two spend their care on what is drawn, and leave ripples on the bare ground;
and a painter's latents are never quite those of a picture, so the decoder alone learns from latents that are off, as the painter's are by .15 to .25.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from numpy.typing import NDArray
from torch import Tensor

from ..world import SIZE, Scene, many_things, pixels, scenes
from .loop import fit

__all__ = ["LATENT", "new_autoencoder", "train_autoencoder", "train_decoder"]

LATENT, BATCH = 12, 96
AROUND = 21  # pixels: about the side of a small thing
VIVID = 4.0  # mean square of what a vivid thing differs by from its ground, over its surroundings


def new_autoencoder() -> AutoencoderTiny:
    """An untrained `AutoencoderTiny` from 96x96x3 to 12x12x12."""
    width = (48, 48, 48, 48)
    return AutoencoderTiny(
        encoder_block_out_channels=width,
        decoder_block_out_channels=width,
        num_encoder_blocks=(0, 0, 1, 1),
        num_decoder_blocks=(3, 2, 0, 0),
        upsampling_scaling_factor=2,
        latent_channels=LATENT,
    )


def train_autoencoder(
    work: Path,
    *,
    steps: int,
    decoder_steps: int,
    device: str,
    start: Path | None = None,
    report: Callable[[str], None] = print,
) -> AutoencoderTiny:
    """Train to reproduce pieces of flat scenes; a little noise on the latents keeps the decoder smooth. With `start`, take that pipeline's."""
    if start is not None:
        return AutoencoderTiny.from_pretrained(start / "vae", torch_dtype=torch.float32).to(device)
    torch.manual_seed(0)
    model = new_autoencoder().to(device, memory_format=torch.channels_last)

    def together(step: int) -> Tensor:
        image = torch.from_numpy(_pieces(step)).to(device, memory_format=torch.channels_last)
        latent = model.encode(image).latents
        seen = model.decode(latent + 0.05 * _noise(latent, step)).sample.float()
        total: Tensor = _error(seen, image) + 0.01 * (latent.float().square().mean() - 1).square()
        return total

    checkpoint = work / "autoencoder.pt"
    fit(
        model, together, name="autoencoder", steps=steps, rate=2e-3, checkpoint=checkpoint, weight_decay=0.0, report=report
    )  # fmt: skip
    train_decoder(work, model, steps=decoder_steps, device=device, seen=steps, report=report)
    return model


def train_decoder(
    work: Path,
    model: AutoencoderTiny,
    *,
    steps: int,
    device: str,
    seen: int = 0,
    rate: float = 1e-3,
    report: Callable[[str], None] = print,
) -> None:
    """Train the decoder of `model` alone, for the latents that its encoder makes. `seen`: steps of pieces that it has had."""

    def loss_of(step: int) -> Tensor:
        image = torch.from_numpy(_pieces(step + seen)).to(device, memory_format=torch.channels_last)
        with torch.no_grad():
            latent = model.encode(image).latents
        off = 0.2 * torch.rand((len(latent), 1, 1, 1), generator=torch.Generator().manual_seed(step)).to(device)
        made = model.decode(latent + off * _noise(latent, step)).sample.float()
        ground = ~_drawn(image)
        ripples = sum(
            ((made.diff(dim=axis) - image.diff(dim=axis)).abs() * ground.narrow(axis, 1, SIZE // 2 - 1)).mean()
            for axis in (2, 3)
        )
        total: Tensor = _error(made, image) + 2 * ripples
        return total

    model.encoder.requires_grad_(False)
    fit(
        model, loss_of, name="decoder", steps=steps, rate=rate, checkpoint=work / "decoder.pt", weight_decay=0.0, report=report
    )  # fmt: skip


def _ground(image: Tensor) -> Tensor:
    """(n, 3, 1, 1): the median of each piece."""
    return image.flatten(2).median(-1).values[..., None, None]


def _drawn(image: Tensor) -> Tensor:
    """(n, 1, height, width) where something stands: what differs from the ground."""
    return (image - _ground(image)).abs().amax(1, keepdim=True) > 0.06


def _care(image: Tensor) -> Tensor:
    """(n, 1, height, width) weights: 1 on bare ground, 5 around what is drawn, and up to 6 times that where it hardly stands out.

    What a pale thing looks like is all in its outlines, which are a small part of what a vivid one differs by from its ground.
    """
    energy = (image - _ground(image)).square().sum(1, keepdim=True)
    around = F.avg_pool2d(energy, AROUND, stride=1, padding=AROUND // 2, count_include_pad=False)
    faint = (VIVID / around.clamp_min(1e-3)).clamp(1, 6)
    near = F.max_pool2d(_drawn(image).float(), 5, stride=1, padding=2)
    return 1 + (5 * faint - 1) * near


def _error(seen: Tensor, image: Tensor) -> Tensor:
    """Absolute and squared error, with more weight where something is drawn."""
    weight = _care(image)
    mean: Tensor = (weight * ((seen - image).abs() + 2 * (seen - image).square())).mean()
    return mean


def _noise(latent: Tensor, step: int) -> Tensor:
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(step))
    return noise.to(latent.device)


def _pieces(step: int, count: int = BATCH) -> NDArray[np.float32]:
    """(count, 3, 48, 48) in [-1, 1]: pieces of scenes around one of their objects, for most of a scene is bare ground."""
    rng, side = np.random.default_rng([step, 12]), SIZE // 2
    stream: Iterator[Scene] = scenes(10_000 + step)
    batch = [many_things(rng, split="train") if rng.random() < 0.7 else next(stream) for _ in range(count)]
    whole, pieces = pixels(batch), np.empty((count, 3, side, side), dtype=np.float32)
    for row, scene in enumerate(batch):
        thing = scene.objects[int(rng.integers(len(scene.objects)))]
        x, y = (
            int(np.clip(corner + thing.side / 2 - side / 2 + rng.integers(-14, 15), 0, SIZE - side))
            for corner in (thing.x, thing.y)
        )
        pieces[row] = whole[row, :, y : y + side, x : x + side]
    return pieces
