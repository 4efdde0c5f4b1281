"""Worked examples of a run: read from the files of a data set, with their pictures and captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ..evaluators.vqa_sets import SetName, VQAItem, majority, read_items, with_pictures, without_pictures
from ..evaluators.vqa_texts import with_captions
from ..runtime.protocols import Captioner
from ..runtime.records import BlobRef
from ..tools.captions import each_caption
from ..tools.shots import Shot
from .promptcap_outcome import ExampleFiles

__all__ = ["read_examples", "shots_of"]


def read_examples(files: ExampleFiles, name: SetName) -> list[VQAItem]:
    """The examples that `files` name; none where it names none.

    Raises:
        BadInput: a file cannot be used (see `evaluators.vqa_sets`).
    """
    if not files.examples:
        return []
    annotations = Path(files.examples_annotations) if files.examples_annotations else None
    pool = read_items(name, Path(files.examples), annotations)
    if files.examples_captions:
        pool = with_captions(pool, Path(files.examples_captions))
    return with_pictures(pool, Path(files.examples_images)) if files.examples_images else without_pictures(pool)


async def shots_of(
    pool: Sequence[VQAItem],
    pictures: Mapping[str, BlobRef],
    captioner: Captioner | None,
    *,
    kind: Literal["aware", "generic"],
    choices: bool = False,
) -> list[Shot]:
    """The examples as they are shown; one that has no caption of its own gets it from the captioner.

    One that the captioner fails on is left out; where it fails on all, the first failure is raised. With `choices` the answer
    is the right choice, where the example has choices. Confidences of its candidates are the shares of the people's answers
    (Prophet's own come from its first stage).
    """
    lacking = [item for item in pool if not item.captions and item.picture in pictures]
    made: dict[str, str | None] = {}
    if lacking and captioner is not None:
        asked = [(pictures[item.picture], item.question if kind == "aware" else None) for item in lacking]
        made = dict(zip((item.id for item in lacking), await each_caption(captioner, asked), strict=True))
    return [
        Shot(
            id=item.id, question=item.question, answer=(item.asked.correct if choices else "") or majority(item.asked),
            caption=made.get(item.id) or next(iter(item.captions), ""), tags=item.tags, image_id=item.image_id,
            image=pictures.get(item.picture), choices=item.asked.choices, candidates=item.candidates or _shares(item),
        )
        for item in pool
        if (item.asked.humans or item.asked.correct) and made.get(item.id, "") is not None
    ]  # fmt: skip


def _shares(item: VQAItem) -> tuple[tuple[str, float], ...]:
    texts = [human.text for human in item.asked.humans]
    counts = {text: texts.count(text) / len(texts) for text in dict.fromkeys(texts)}
    return tuple(sorted(counts.items(), key=lambda entry: -entry[1]))
