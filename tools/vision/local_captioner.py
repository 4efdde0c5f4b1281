"""What the captioners that run in this process share: the words they are asked in, how they decode, and the call ledger.

The words are PromptCap's (Hu et al. 2023): "please describe this image according to the given question: ...", and "what
does the image describe?" where there is no question.

Invariants: rows run in batches of one fixed size, rows of one shape together and none padded, so a caption does not depend
on what it is asked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import BlobRef, Cost
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import LocalModel, PromptedImage, Weights

__all__ = ["CaptionRecipe", "LocalCaptioner", "promptcap_prompt", "recipe_of"]


def promptcap_prompt(question: str | None) -> str:
    """The published words to a captioner: for a question, or for none."""
    if question is None:
        return load("captions/promptcap_generic").render()
    return load("captions/promptcap_question").render(question=question)


class CaptionRecipe(NamedTuple):
    """How captions are decoded: rows a batch, beams (1: greedy) and the most new tokens."""

    batch: int = 8
    beams: int = 1
    tokens: int = 60

    def generate(self) -> dict[str, Any]:
        """Arguments of `generate`; with beams, no three words come twice, as published."""
        repeats = {"no_repeat_ngram_size": 3} if self.beams > 1 else {}
        return {"do_sample": False, "num_beams": self.beams, "max_new_tokens": self.tokens, **repeats}


def recipe_of(weights: Weights) -> CaptionRecipe:
    """How captions are decoded, by the options of a spec; `BadInput` for an unknown one."""
    values = {}
    for name, value in weights.options.items():
        if name not in CaptionRecipe._fields or not value.isdecimal() or int(value) < 1:
            raise BadInput(
                f"{weights.spec!r}: a captioner takes whole numbers above 0 for batch, beams and tokens, not {name}={value!r}."
            )
        values[name] = int(value)
    return CaptionRecipe(**values)


class LocalCaptioner(LocalModel[PromptedImage, str]):
    """Base of the `Captioner`s that run in this process."""

    _recipe: CaptionRecipe

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """One caption a (picture, question), in order; None for the question gives a generic one.

        Raises:
            BadInput: an empty question, or one that is too long for the model.
            CallFailed: a caption could not be written; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, question in asked:
            if question is not None and not question.strip():
                raise BadInput(f"the question {question!r} is empty: write what is to be answered, or give None.")
        return await settled([self._caption(image, question) for image, question in asked])

    async def _caption(self, image: BlobRef, question: str | None) -> str:
        prompt = self._prompt(None if question is None else " ".join(question.split()))
        call = Call(
            kind="caption",
            model=self.model,
            revision=self.revision,
            params=self._recipe._asdict(),
            inputs={"image": image.sha256, "prompt": prompt},
        )

        async def keep(text: str) -> Any:
            return text

        item = PromptedImage(image, prompt, self._recipe.batch)
        return str(await self._once(call, item, keep, cost=Cost(calls=1, answers=1)))

    def _prompt(self, question: str | None) -> str:
        return promptcap_prompt(question)

    def _said(self, text: str) -> str | InloopError:
        return " ".join(text.split()) or CallFailed(f"{self.model} wrote an empty caption")
