"""Any vision-language model of transformers as a captioner; a picture is encoded for each of its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...runtime.errors import InloopError
from ..models import Generated, PromptedImage, VisionLanguageModel, Weights
from .local_captioner import LocalCaptioner, promptcap_prompt, recipe_of

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["CAPTIONERS", "VisionCaptioner"]

CAPTIONERS = (
    "take 'mini-promptcap', a captioner that transformers loads (Salesforce/blip-image-captioning-base,"
    " Salesforce/instructblip-flan-t5-xl, florence-community/Florence-2-base, Qwen/Qwen2.5-VL-3B-Instruct), one that"
    " `inloop promptcap train` made, or the URL of a server."
)
"""What can be taken as a captioner, in words."""


class VisionCaptioner(VisionLanguageModel[str], LocalCaptioner):
    """Any class of transformers that makes text of a picture and a text: BLIP-2, InstructBLIP, Florence-2, Qwen-VL, LLaVA, ...

    Florence-2's `<CAPTION>` stands for the same words as PromptCap's generic prompt; it is given as the task's token.
    """

    others = CAPTIONERS

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=64, linger=0.02)
        self._recipe = recipe_of(weights)
        self._kind = str(weights.config()["model_type"])

    def _prompt(self, question: str | None) -> str:
        return "<CAPTION>" if question is None and self._kind == "florence2" else promptcap_prompt(question)

    def _arguments(self, room: int | None) -> dict[str, Any]:
        arguments = self._recipe.generate()
        if room is not None:
            arguments["max_new_tokens"] = min(self._recipe.tokens, room)
        return arguments

    def _outcome(self, item: PromptedImage, made: Generated) -> str | InloopError:
        return self._said(made.text)
