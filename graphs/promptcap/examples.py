"""Worked examples of a run: read from the files of a data set, with their pictures and what the files say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...evaluators.vqa import SetName, VQAItem, majority, read_items, with_captions, with_pictures, without_pictures
from ...runtime.records import BlobRef
from ...tools.data import Shot
from .result import ExampleFiles

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


def shots_of(pool: Sequence[VQAItem], pictures: Mapping[str, BlobRef], *, choices: bool = False) -> list[Shot]:
    """The examples that have an answer; what they lack of captions, tags and text is looked for when they are shown.

    With `choices` the answer is the right choice, where the example has choices. Confidences of its candidates are the shares of
    the people's answers (Prophet's own come from its first stage).
    """
    return [
        Shot(
            id=item.id, question=item.question, answer=(item.asked.correct if choices else "") or majority(item.asked),
            caption=next(iter(item.captions), ""), tags=item.tags, ocr=item.ocr, image_id=item.image_id,
            image=pictures.get(item.picture), choices=item.asked.choices, candidates=item.candidates or _shares(item),
        )
        for item in pool
        if item.asked.humans or item.asked.correct
    ]  # fmt: skip


def _shares(item: VQAItem) -> tuple[tuple[str, float], ...]:
    texts = [human.text for human in item.asked.humans]
    counts = {text: texts.count(text) / len(texts) for text in dict.fromkeys(texts)}
    return tuple(sorted(counts.items(), key=lambda entry: -entry[1]))
