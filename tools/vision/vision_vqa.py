"""Any vision-language model of transformers as a judge.

A closed question is asked for yes or no, and answered greedily. P(yes) / (P(yes) + P(no)) is taken from the first token, over every form
of the two words in the vocabulary ("yes", "Yes", " yes", ...), as VQAScore does (Lin et al. 2024, arXiv 2404.01291).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.records import Answer, BlobRef, Cost
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import Generated, PromptedImage, VisionLanguageModel, Weights, rows_of
from .questions import closed_answer, is_closed, yes_or_no

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["JUDGES", "VisionVQA"]

JUDGES = (
    "take 'mini', a model that transformers loads (Salesforce/blip-vqa-base, HuggingFaceTB/SmolVLM-Instruct, Qwen/Qwen2.5-VL-3B-Instruct,"
    " llava-hf/llava-1.5-7b-hf, google/paligemma2-3b-mix-224), or the URL of a server."
)
"""What can be taken as a judge, in words."""

_TOKENS = 16


class VisionVQA(VisionLanguageModel[Answer]):
    """A `VisualQA`; see `open_vqa`."""

    others = JUDGES
    _batch_option = True

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        self.rows = rows_of(weights)
        super().__init__(weights, store, settings, max_batch=64, linger=0.02, waits=lambda item: item.batch > 1)
        self._kind = str(weights.config()["model_type"])
        self._yes_no: tuple[list[int], list[int]] = ([], [])

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """One answer a (picture, question), in order. `p_yes` is None for questions that do not ask for yes or no.

        Raises:
            BadInput: an empty question, or one that is longer than the model.
            CallFailed: a question could not be answered; the other answers are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, question in asked:
            if not question.strip():
                raise BadInput(f"the question {question!r} is empty: write what is to be answered.")
        items = self.rows.sized([(image, " ".join(question.split())) for image, question in asked])
        return await settled([self._answer(item) for item in items])

    async def _answer(self, asked: PromptedImage) -> Answer:
        item, closed = asked._replace(prompt=self._prompt(asked.prompt)), is_closed(asked.prompt)
        call = Call(
            kind="vqa",
            model=self.model,
            revision=self.revision,
            params={"batch": item.batch, "max_new_tokens": _TOKENS},
            inputs={"image": item.image.sha256, "prompt": item.prompt},
        )

        async def keep(answer: Answer) -> Any:
            return answer.model_dump()

        value = await self._once(call, item, keep, cost=Cost(calls=1, answers=1))
        answer = Answer.model_validate(value)
        return (
            Answer(text=closed_answer(answer.text), p_yes=answer.p_yes)
            if closed
            else Answer(text=answer.text.rstrip("."))
        )

    def _prompt(self, question: str) -> str:
        if self._kind == "paligemma":  # it was taught tasks by their prefix
            return load("captions/vqa_paligemma").render(question=question)
        return load("captions/vqa_closed" if is_closed(question) else "captions/vqa_open").render(question=question)

    def _load(self, device: str) -> None:
        super()._load(device)
        words = {token: yes_or_no(token) for token in self._processor.tokenizer.get_vocab()}
        ids = self._processor.tokenizer.get_vocab()
        self._yes_no = tuple(
            [ids[token] for token, word in words.items() if word == wanted] for wanted in ("yes", "no")
        )  # type: ignore[assignment]
        if not all(self._yes_no):
            raise PrerequisiteError(
                f"{self.weights.spec!r} has no token for 'yes' or for 'no', so it cannot answer scene graph questions",
                remedy=JUDGES,
            )

    def _arguments(self, room: int | None) -> dict[str, Any]:
        tokens = _TOKENS if room is None else min(_TOKENS, room)
        return {"do_sample": False, "num_beams": 1, "max_new_tokens": tokens, "output_logits": True}

    def _outcome(self, item: PromptedImage, made: Generated) -> Answer | InloopError:
        import torch

        logits = made.first.double()
        yes, no = (torch.logsumexp(logits[ids], dim=0) for ids in self._yes_no)
        p_yes = float(torch.sigmoid(yes - no))
        if not math.isfinite(p_yes):
            return CallFailed(f"{self.model} answered NaN to {item.prompt!r}")
        # rounded: the last bits of a logit may differ between rows of a batch
        return Answer(text=made.text.strip(), p_yes=round(p_yes, 6))
