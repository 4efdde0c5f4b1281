"""What differs between the text-to-image pipelines of diffusers: how they are guided, what they take, how they pad a prompt.

It is known from `model_index.json` by the name of the class, before diffusers is imported or any weights are loaded. Steps and guidance are the
defaults of each class's own `__call__`; of models that were distilled to a few steps, those of their model cards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..models import Weights

__all__ = ["PIPELINES", "PipelineClass", "is_deaf_to_guidance", "pipeline_class", "takes_few_steps"]


@dataclass(frozen=True, kw_only=True)
class PipelineClass:
    """One class of pipelines.

    Attributes:
        recipe: its defaults, where they differ from those of `Recipe`.
        few_steps: what a model of this class takes that was distilled to a few steps.
        guided_by: the argument of its `__call__` that the recipe's guidance is given as.
        negative_with: what has to be above 1 for a negative prompt to count, by the name of the option; "" where it takes none.
        always_negative: classifier-free guidance needs a negative prompt, be it a blank.
        mixes: prompts are padded to one length whatever they are beside, so that a batch may hold several; else they are padded to the
            longest, and a batch holds one prompt with several seeds.
        latents: latents a side, where no config of the model says it.
        patch: latents a side of what the denoiser takes for one token.
        tokens: the most tokens of a text encoder without positions of its own.
        edits: diffusers has an image-to-image pipeline for it; None where that is for diffusers to say.
        adapts: it takes LoRA adapters; None as for `edits`.
        known: steps and guidance are those of this class, and not merely of `Recipe`.
    """

    recipe: dict[str, Any] = field(default_factory=dict)
    few_steps: dict[str, Any] = field(default_factory=dict)
    guided_by: str = "guidance_scale"
    negative_with: str = "guidance"
    always_negative: bool = False
    mixes: bool = True
    latents: int | None = None
    patch: int = 1
    tokens: int | None = None
    edits: bool | None = True
    adapts: bool | None = True
    known: bool = True


# bfloat16 where the text encoder has billions of weights, which were published in it; larger models in smaller batches
PIPELINES: dict[str, PipelineClass] = {
    "StableDiffusionPipeline": PipelineClass(few_steps={"steps": 1, "guidance": 0.0, "batch": 4}),
    "StableDiffusionXLPipeline": PipelineClass(
        recipe={"steps": 50, "guidance": 5.0, "batch": 4}, few_steps={"steps": 1, "guidance": 0.0}
    ),
    "StableDiffusion3Pipeline": PipelineClass(
        recipe={"steps": 28, "guidance": 7.0, "batch": 4, "dtype": "bfloat16"},
        few_steps={"steps": 4, "guidance": 0.0},
        patch=2,
        tokens=256,
    ),
    "FluxPipeline": PipelineClass(
        recipe={"steps": 28, "guidance": 3.5, "batch": 1, "dtype": "bfloat16"},
        few_steps={"steps": 4, "guidance": 0.0},
        negative_with="true_cfg",
        latents=128,
        patch=2,
        tokens=512,
    ),
    "SanaPipeline": PipelineClass(
        recipe={"steps": 20, "guidance": 4.5, "batch": 4, "dtype": "bfloat16"}, tokens=300, edits=False
    ),
    "PixArtAlphaPipeline": PipelineClass(
        recipe={"steps": 20, "guidance": 4.5, "batch": 4, "dtype": "bfloat16"}, tokens=120, edits=False, adapts=False
    ),
    "PixArtSigmaPipeline": PipelineClass(
        recipe={"steps": 20, "guidance": 4.5, "batch": 4, "dtype": "bfloat16"}, tokens=300, edits=False, adapts=False
    ),
    "QwenImagePipeline": PipelineClass(
        recipe={"steps": 50, "guidance": 4.0, "batch": 1, "dtype": "bfloat16"},
        guided_by="true_cfg_scale",
        always_negative=True,
        mixes=False,
        latents=128,
        patch=2,
        tokens=512,
    ),
}
"""By the name of the class in diffusers; each is tested with random weights."""

_ANY = PipelineClass(mixes=False, edits=None, adapts=None, known=False)
_FEW_STEPS = ("turbo", "schnell")


def pipeline_class(weights: Weights) -> PipelineClass:
    """What is known of the class of a model; of one that is not in `PIPELINES` as little as is safe."""
    return PIPELINES.get(str(weights.config().get("_class_name")), _ANY)


def takes_few_steps(weights: Weights) -> bool:
    """Whether a model was distilled to a few steps without guidance: by its name, and of FLUX by its denoiser."""
    config = weights.config()
    if config.get("_class_name") == "FluxPipeline" and is_deaf_to_guidance(weights):
        return True
    names = (weights.model, str(config.get("_name_or_path") or ""))
    # a name's last part alone: a folder of several models may be called anything
    return any(word in name.rpartition("/")[2].lower() for name in names for word in _FEW_STEPS)


def is_deaf_to_guidance(weights: Weights) -> bool:
    """Whether it is a FLUX that was not taught to be told its guidance (schnell)."""
    is_flux = weights.config().get("_class_name") == "FluxPipeline"
    return is_flux and not weights.json("transformer/config.json").get("guidance_embeds", False)
