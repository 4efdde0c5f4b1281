"""How many questions can be answered from their captions: by a rule, or by a reader that never changes.

By rule a caption counts where one of the answers stands in it; that is for questions whose answer is to be seen. A reader
is a language model with a fixed prompt, scored by the soft accuracy of `caption_filter`; it answers other questions too.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.captions import CaptionReader
from ...runtime.errors import BadInput
from ...tools.data import CaptionRow
from .caption_filter import holds, soft_accuracy

__all__ = ["answer_recall"]


async def answer_recall(
    rows: Sequence[CaptionRow], captions: Sequence[str | None], reader: CaptionReader | None = None
) -> list[float | None]:
    """For each row 0 to 1, None where there is no caption or the reader failed; without a reader the rule decides.

    Raises:
        BadInput: the two differ in length.
        PrerequisiteError: the reader's server is down.
    """
    if len(rows) != len(captions):
        raise BadInput(f"{len(rows)} rows and {len(captions)} captions: give one caption a row.")
    if reader is None:
        return [
            None if caption is None else float(holds(caption, row.answers))
            for row, caption in zip(rows, captions, strict=True)
        ]
    asked = [(row, caption) for row, caption in zip(rows, captions, strict=True) if caption is not None]
    said = iter(await reader.answer([(caption, row.question or "") for row, caption in asked]))
    answers = [None if caption is None else next(said) for caption in captions]
    return [
        None if answer is None else max(0.0, soft_accuracy(answer, row.answers))
        for row, answer in zip(rows, answers, strict=True)
    ]
