"""`inloop bias` on models whose bias is planted, and on the bundled ones: shape bias, the high-pass curve of blurred pictures, critical bands."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from inloop.evaluators.bias import (
    BANDS,
    CUTOFFS,
    NOISE_LEVELS,
    critical_band,
    high_pass,
    noisy,
    octave_noise,
    shape_bias,
)
from inloop.graphs.bias import bias
from inloop.runtime.settings import Settings

from .figures import Figure, Options

__all__ = ["measure"]

_BUNDLED = ("mini", "probe:mini", "vqa:mini", "describe:mini")
_CHANNELS = ((6.0, 0.2), (11.0, 0.2), (21.0, 0.05))  # cycles a picture, and the contrast that the finest one needs


def measure(options: Options) -> list[Figure]:
    """Figures of planted models beside their targets, then shape bias and its accuracy of the bundled ones on drawn pictures."""
    return [*_planted(), *_of_bundled()]


def _planted() -> list[Figure]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from biased import Channel, Linear, Nearest, blurred, colors, conflicts, outline, pictures

    rows = [*conflicts()]
    shapes, textures, images = zip(*rows, strict=True)
    agreeing = [(shape, image) for shape, texture, image in rows if shape == texture]
    figures = []
    for name, model, goal in (
        ("texture alone", Nearest(colors, agreeing), "goal: 0.05 or less"),
        ("outline alone", Nearest(outline, [*pictures()]), "goal: 0.95 or more"),
    ):
        found = shape_bias([model(image) for image in images], shapes, textures)
        figures.append(Figure.of(f"shape bias, {name}", [found.bias.value or 0.0], "", goal))
    many, shown = [*pictures(copies=6)], [*pictures(copies=9)]
    model = Linear(blurred(many, 0.1))
    curve = [
        sum(model(high_pass(image, cutoff)) == name for name, image in shown) / len(shown)
        for cutoff in CUTOFFS
        if 0.2 <= cutoff < 0.9
    ]
    figures.append(Figure.of("high-pass, trained on blurred: span", [max(curve) - min(curve)], "", "goal: flat"))
    known = [*pictures()]
    some = 3 * known
    for centre, contrast in _CHANNELS:
        channel, accuracies = Channel(centre, known), {}
        for band in range(BANDS):
            if 96 >> (band + 1) < 2:
                break
            frequency = octave_noise((96, 96), band, seed=0)[1]
            for level in NOISE_LEVELS:
                hits = [
                    channel(noisy(image, band, level, seed=place, contrast=contrast)) == name
                    for place, (name, image) in enumerate(some)
                ]
                accuracies[frequency, level] = sum(hits) / len(hits)
        band_found = critical_band(accuracies, chance=1 / 16)
        told = band_found.centre or float("nan")
        figures.append(
            Figure.of(f"critical band of {centre:g} cycles", [told], "cycles", "goal: within half an octave")
        )
    return figures


def _of_bundled() -> list[Figure]:
    with tempfile.TemporaryDirectory() as root:
        settings = Settings(runs_dir=Path(root) / "runs", cache_dir=Path(root) / "cache", device="cpu", threads=1)
        result = bias(*_BUNDLED, pictures=32, measures=("conflict", "changes", "shifted"), settings=settings)
    figures = []
    for task in result.tasks:
        if task.conflict is not None:
            ends = task.conflict.bias.ci or (float("nan"), float("nan"))
            accuracy = task.conflict.accuracy.value or 0.0
            note = f"{ends[0]:.3f} to {ends[1]:.3f}; either cue named of {accuracy:.1%}{'; at chance' * bool(task.at_chance)}"
            figures.append(Figure.of(f"shape bias, {task.model}", [task.conflict.bias.value or float("nan")], "", note))
    return figures
