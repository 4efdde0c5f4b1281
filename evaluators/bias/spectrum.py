"""Low- and high-pass filtering: which spatial frequencies a model needs.

Square filters in the Fourier domain, as of Gavrikov and Keuper 2024 (https://arxiv.org/abs/2404.01509): a cutoff is a share of the largest
frequency, and each channel is filtered by itself. A high-pass picture has the mean of mid grey. What would leave 0 to 255 is brought back by
lowering the contrast: cutting it off would bring back frequencies that were taken out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...runtime.errors import BadInput

__all__ = ["CUTOFFS", "high_pass", "low_pass"]

CUTOFFS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
"""Shares of the largest frequency."""
_MID_GREY = 127.5


def low_pass(image: Image.Image, cutoff: float) -> Image.Image:
    """The RGB picture without what is finer than `cutoff`, a share of the largest frequency from 0 to 1."""
    return _filtered(image, cutoff, low=True)


def high_pass(image: Image.Image, cutoff: float) -> Image.Image:
    """The RGB picture without what is coarser than `cutoff`, around mid grey."""
    return _filtered(image, cutoff, low=False)


def _filtered(image: Image.Image, cutoff: float, *, low: bool) -> Image.Image:
    if not 0 <= cutoff <= 1:
        raise BadInput(f"the cutoff {cutoff!r}: give a share of the largest frequency, from 0 to 1.")
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    mean = pixels.mean(axis=(0, 1))
    kept = _square(pixels.shape[0], pixels.shape[1], cutoff)
    spectrum = np.fft.fft2(pixels - mean, axes=(0, 1)) * (kept if low else ~kept)[..., None]
    change = np.fft.ifft2(spectrum, axes=(0, 1)).real
    centre = mean if low else np.full(3, _MID_GREY)
    room = np.where(change > 0, 255 - centre, centre)
    used = float((np.abs(change) / np.maximum(room, 1e-9)).max())
    return Image.fromarray((centre + change / max(1.0, used)).round().clip(0, 255).astype(np.uint8))


def _square(height: int, width: int, cutoff: float) -> NDArray[np.bool_]:
    """(height, width): the frequencies up to the cutoff along both axes, in the order of `numpy.fft`."""
    down, across = (np.abs(np.fft.fftfreq(side)) * 2 <= cutoff for side in (height, width))
    return np.asarray(down[:, None] & across[None, :])
