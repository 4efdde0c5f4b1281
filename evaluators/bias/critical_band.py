"""The critical band: which spatial frequencies of noise disturb recognition, as a channel with a centre, a bandwidth and a sensitivity.

Subramanian et al. 2023 (https://arxiv.org/abs/2309.13190), after the critical-band masking of psychophysics: pictures in grey at a
contrast of 0.2 around a mean of 0.449, with noise of one octave at several strengths. The noise is a Laplacian pyramid (Burt and Adelson
1983) of which one level is made of white noise and the others are empty. Intensities are from 0 to 1, frequencies in cycles a picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...runtime.errors import BadInput
from ...runtime.records import Record

__all__ = ["BANDS", "NOISE_LEVELS", "CriticalBand", "critical_band", "low_contrast", "noisy", "octave_noise"]

BANDS = 7
"""Octaves that are looked at, where the picture is large enough to have them."""
NOISE_LEVELS = (0.0, 0.02, 0.04, 0.08, 0.16)
"""Standard deviations of the noise."""
_CONTRAST, _MEAN = 0.2, 0.449
_KERNEL = np.array([1, 4, 6, 4, 1]) / 16
_NARROWEST = 0.25  # octaves: of a narrower channel noise of an octave tells no width
_LEAST_OVER_CHANCE = 0.1  # of accuracy without noise: below it there is nothing that noise could take away

Plane = NDArray[np.float64]


class CriticalBand(Record):
    """The channel: `centre` in cycles a picture, `bandwidth` in octaves (full width at half maximum), `sensitivity` at the centre.

    Sensitivity is 1 over the standard deviation of noise that takes away half of the accuracy that is above chance. All three are None,
    and `why` says so, where the noise took away too little, or where there was hardly anything to take.
    `error`: root mean square between the accuracies and those of the channel.
    """

    centre: float | None = None
    bandwidth: float | None = None
    sensitivity: float | None = None
    error: float | None = None
    why: str = ""


def low_contrast(image: Image.Image, contrast: float = _CONTRAST) -> Plane:
    """(height, width) in grey around a mean of 0.449, its differences scaled by `contrast`."""
    if not 0 < contrast <= 1:
        raise BadInput(f"contrast={contrast!r}: give a number above 0 and up to 1.")
    plane = np.asarray(image.convert("L"), dtype=np.float64) / 255
    return np.asarray((plane - plane.mean()) * contrast + _MEAN)


def noisy(image: Image.Image, band: int, level: float, *, seed: int, contrast: float = _CONTRAST) -> Image.Image:
    """The RGB picture in grey at low contrast, with noise of an octave at a standard deviation of `level`."""
    plane = low_contrast(image, contrast)
    if level:
        plane = plane + level * octave_noise(plane.shape, band, seed=seed)[0]
    grey = (plane.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(np.dstack([grey] * 3))


def octave_noise(shape: tuple[int, ...], band: int, *, seed: int) -> tuple[Plane, float]:
    """Noise of one octave with mean 0 and standard deviation 1, and its middle frequency in cycles a picture.

    Args:
        shape: (height, width).
        band: 0 is the finest octave, each next one half as fine.
        seed: the same one gives the same noise.

    Raises:
        BadInput: the picture has no such octave.
    """
    height, width = shape
    if band < 0 or min(height, width) >> (band + 1) < 2:
        raise BadInput(f"band {band} of a picture of {width} x {height}: it has no octave as coarse as that.")
    sizes = [(height, width)]
    for _ in range(band):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    white = np.random.default_rng([seed, band]).standard_normal(sizes.pop())
    level: Plane = white - _expanded(_reduced(white), white.shape)
    for size in reversed(sizes):
        level = _expanded(level, size)
    level -= level.mean()
    level /= level.std()
    return level, _middle(level)


def critical_band(
    accuracies: Mapping[tuple[float, float], float], *, chance: float, clean: float | None = None
) -> CriticalBand:
    """The channel that explains accuracies under noise.

    Accuracy falls from `clean` to `chance` as 1 / (1 + (level * sensitivity)^slope), and the sensitivity is a Gaussian over the octaves.
    All accuracies are fitted at once (least squares), so that a band in which no level reached the half still counts for what it shows.

    Args:
        accuracies: by middle frequency of the noise (cycles a picture) and its standard deviation.
        chance: accuracy of guessing.
        clean: accuracy without noise; None: the mean of `accuracies` at a level of 0.

    Raises:
        BadInput: fewer than three bands, or none without noise to compare with.
    """
    levels = {key: value for key, value in accuracies.items() if key[1] > 0}
    if clean is None:
        without = [value for (_, level), value in accuracies.items() if level == 0]
        if not without:
            raise BadInput("no accuracy without noise: give `clean`, or accuracies at a level of 0.")
        clean = sum(without) / len(without)
    if len({frequency for frequency, _ in levels}) < 3:
        raise BadInput("a critical band is fitted to three bands or more.")
    if clean - chance < _LEAST_OVER_CHANCE:
        return CriticalBand(
            why=f"without noise {clean:.1%} are right, and {chance:.1%} by chance: nothing that noise could take away"
        )
    octaves = np.array([math.log2(frequency) for frequency, _ in levels])
    strengths = np.array([level for _, level in levels])
    found = np.array([*levels.values()])
    left = (found - chance) / (clean - chance)
    if left.min() > 0.5:
        return CriticalBand(why="the strongest noise took away less than half of what is above chance, in every band")
    centre, width, peak, slope = _fitted(octaves, strengths, left)
    if not octaves.min() - 0.5 <= centre <= octaves.max() + 0.5:
        return CriticalBand(why="sensitivity is greatest outside of the bands that were looked at")
    fit = _left(octaves, strengths, centre, width, peak, slope)
    return CriticalBand(
        centre=float(2**centre),
        bandwidth=float(2 * math.sqrt(2 * math.log(2)) * width),
        sensitivity=float(peak),
        error=float(np.sqrt(((fit - left) ** 2).mean()) * (clean - chance)),
    )


def _left(octaves: Plane, levels: Plane, centre: float, width: float, peak: float, slope: float) -> Plane:
    """The share of the accuracy above chance that is left under noise."""
    sensitivity = peak * np.exp(-((octaves - centre) ** 2) / (2 * width**2))
    return np.asarray(1 / (1 + (levels * sensitivity) ** slope))


def _fitted(octaves: Plane, levels: Plane, left: Plane) -> tuple[float, float, float, float]:
    """Centre and width in octaves, peak and slope: the best of a grid, which then is drawn together around it."""
    axes = [
        np.linspace(octaves.min() - 1, octaves.max() + 1, 25),
        np.linspace(0.3, 3.0, 10),
        np.linspace(math.log(0.25 / levels.max()), math.log(8 / levels.min()), 14),
        np.linspace(math.log(0.75), math.log(6), 5),
    ]
    steps = [axis[1] - axis[0] for axis in axes]
    best = np.zeros(4)
    for _ in range(12):
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 4, 1)
        sensitivity = np.exp(grid[:, 2] - (octaves - grid[:, 0]) ** 2 / (2 * grid[:, 1] ** 2))
        errors = ((1 / (1 + (levels * sensitivity) ** np.exp(grid[:, 3])) - left) ** 2).sum(axis=1)
        best = grid[int(errors.argmin()), :, 0]
        axes = [np.linspace(at - step, at + step, 7) for at, step in zip(best, steps, strict=True)]
        axes[1] = axes[1].clip(_NARROWEST)
        steps = [step / 1.8 for step in steps]
    return float(best[0]), float(best[1]), math.exp(best[2]), math.exp(best[3])


def _blurred(plane: Plane) -> Plane:
    for axis in (0, 1):
        padded = np.pad(plane, [(2, 2) if each == axis else (0, 0) for each in (0, 1)], mode="reflect")
        size = plane.shape[axis]
        plane = sum(
            weight * np.take(padded, range(shift, shift + size), axis=axis) for shift, weight in enumerate(_KERNEL)
        )
    return plane


def _reduced(plane: Plane) -> Plane:
    return _blurred(plane)[::2, ::2]


def _expanded(plane: Plane, shape: tuple[int, ...]) -> Plane:
    wide = np.zeros(shape)
    wide[::2, ::2] = plane
    return 4 * _blurred(wide)


def _middle(noise: Plane) -> float:
    """The middle of a noise's power over the octaves, in cycles a picture (of its shorter side)."""
    height, width = noise.shape
    power = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]) * min(height, width)
    power[0, 0], frequency[0, 0] = 0.0, 1.0
    return float(2 ** ((power * np.log2(frequency)).sum() / power.sum()))
