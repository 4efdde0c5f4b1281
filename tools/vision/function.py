"""Plain functions that look at a picture: `answer(image, question)` as a VQA model, `caption(image, question)` as a captioner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...runtime.errors import CallFailed
from ...runtime.records import Answer, BlobRef, Cost
from ...runtime.session import settled
from ..models import FunctionModel

__all__ = ["FunctionCaptioner", "FunctionVQA"]


class FunctionVQA(FunctionModel):
    """A `VisualQA` of `answer(image: PIL.Image.Image, question: str) -> str | float`.

    A number is the probability of yes. See `tools.models.function` for when an answer is kept.
    """

    kind = "vqa"

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """One answer a (picture, question), in order.

        Raises:
            CallFailed: the function raised, or gave neither a text nor a number from 0 to 1; the others are kept.
            PrerequisiteError: a picture is not in the store.
        """
        return await settled([self._answer(image, question) for image, question in asked])

    async def _answer(self, image: BlobRef, question: str) -> Answer:
        def arguments() -> tuple[Any, ...]:
            return self.store.blobs.get_image(image).convert("RGB"), question

        inputs = {"image": image.sha256, "question": question}
        value = await self.once(arguments, inputs, self._keep, cost=Cost(calls=1, answers=1))
        return Answer.model_validate(value)

    def _keep(self, given: Any) -> dict[str, Any]:
        if isinstance(given, str):
            sure = {"yes": 1.0, "no": 0.0}.get(given.strip().lower())
            return Answer(text=given.strip(), p_yes=sure).model_dump()
        p_yes = float(given)
        if not 0 <= p_yes <= 1:
            raise CallFailed(f"{self.name} gave {p_yes}: the probability of yes is from 0 to 1.")
        return Answer(text="yes" if p_yes > 0.5 else "no", p_yes=p_yes).model_dump()


class FunctionCaptioner(FunctionModel):
    """A `Captioner` of `caption(image: PIL.Image.Image, question: str | None) -> str`.

    See `tools.models.function` for when a caption is kept.
    """

    kind = "caption"

    async def caption(self, asked: Sequence[tuple[BlobRef, str | None]]) -> list[str]:
        """One caption a (picture, question or None), in order.

        Raises:
            CallFailed: the function raised, or gave no text; the others are kept.
            PrerequisiteError: a picture is not in the store.
        """
        return await settled([self._caption(image, question) for image, question in asked])

    async def _caption(self, image: BlobRef, question: str | None) -> str:
        def arguments() -> tuple[Any, ...]:
            return self.store.blobs.get_image(image).convert("RGB"), question

        inputs = {"image": image.sha256, "question": question}
        return str(await self.once(arguments, inputs, self._keep, cost=Cost(calls=1, answers=1)))

    def _keep(self, given: Any) -> str:
        if not isinstance(given, str) or not given.strip():
            raise CallFailed(f"{self.name} gave {given!r:.60} and no text.")
        return given.strip()
