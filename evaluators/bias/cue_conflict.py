"""Shape bias: of the answers that name either cue of a picture whose outline and filling disagree, the share that names the outline.

Geirhos et al. 2019 (https://arxiv.org/abs/1811.12231). Rows whose two cues are one class are left out, as in the code that was released
with it. The accuracy beside it is that of Gavrikov et al. 2024 (https://arxiv.org/abs/2403.09193): the share of pictures of which either
cue is named. A bias without it says nothing: who names hardly anything may still have a bias of 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..stats import Estimate, estimate, ratio

__all__ = ["ClassBias", "ShapeBias", "shape_bias"]


class ClassBias(Record):
    """The pictures whose outline is `label`: how many were asked about, and how often the outline and the filling were named."""

    label: str
    pictures: int
    shapes: int
    textures: int

    @property
    def bias(self) -> float | None:
        """Its shape bias; None where neither cue was ever named."""
        named = self.shapes + self.textures
        return self.shapes / named if named else None


class ShapeBias(Record):
    """Shape bias with its accuracy; intervals are 95 % bootstraps over the pictures.

    `bias` is None where neither cue was ever named. `class_mean`: the mean of the classes' biases, as the released code plots it.
    `left_out`: rows whose cues are one class. A picture that got no answer is no hit for the `accuracy`, and is counted in `unanswered`.
    """

    bias: Estimate
    accuracy: Estimate
    classes: tuple[ClassBias, ...]
    left_out: int
    unanswered: int

    @property
    def class_mean(self) -> float | None:
        """The mean of the classes' biases; None where none has one."""
        known = [each.bias for each in self.classes if each.bias is not None]
        return sum(known) / len(known) if known else None


def shape_bias(answers: Sequence[str | None], shapes: Sequence[str], textures: Sequence[str]) -> ShapeBias:
    """The shape bias of answers to cue-conflict pictures.

    Args:
        answers: the class that was named of each picture; None for none.
        shapes: the class of each outline.
        textures: the class of each filling.

    Raises:
        BadInput: the three differ in length.
    """
    if not len(answers) == len(shapes) == len(textures):
        raise BadInput(
            f"{len(answers)} answers, {len(shapes)} shapes, {len(textures)} textures: give one of each a picture."
        )
    rows = [
        (answer, shape, texture)
        for answer, shape, texture in zip(answers, shapes, textures, strict=True)
        if shape != texture
    ]
    hits = [(answer == shape, answer == texture) for answer, shape, texture in rows]
    classes = []
    for label in sorted({shape for _, shape, _ in rows}):
        of_label = [hit for hit, (_, shape, _) in zip(hits, rows, strict=True) if shape == label]
        classes.append(
            ClassBias(
                label=label,
                pictures=len(of_label),
                shapes=sum(hit[0] for hit in of_label),
                textures=sum(hit[1] for hit in of_label),
            )
        )
    return ShapeBias(
        bias=ratio([(float(shape), float(shape or texture)) for shape, texture in hits]),
        accuracy=estimate([float(shape or texture) for shape, texture in hits]),
        classes=tuple(classes),
        left_out=len(answers) - len(rows),
        unanswered=sum(answer is None for answer, _, _ in rows),
    )
