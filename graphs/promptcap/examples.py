"""Worked examples of a run: read from the files of a data set, with their pictures and what the files say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...evaluators.vqa import SetName, VQAItem, majority, read_items, with_captions, with_pictures, without_pictures
from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from ...runtime.store import BlobStore
from ...tools.data import Shot, read_picture
from .config import PromptCapConfig

__all__ = ["read_examples", "shots_of", "store_pictures"]


def read_examples(config: PromptCapConfig, name: SetName) -> list[VQAItem]:
    """The examples whose files `config` names; none where it names none.

    Raises:
        BadInput: a file cannot be used (see `evaluators.vqa`).
    """
    if not config.examples:
        return []
    annotations = Path(config.examples_annotations) if config.examples_annotations else None
    pool = read_items(name, Path(config.examples), annotations)
    if config.examples_captions:
        pool = with_captions(pool, Path(config.examples_captions))
    return with_pictures(pool, Path(config.examples_images)) if config.examples_images else without_pictures(pool)


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


def store_pictures(files: Sequence[str], blobs: BlobStore) -> dict[str, BlobRef]:
    """Every file once, in the blob store.

    Raises:
        BadInput: some are missing or no pictures: how many, and why the first of them cannot be read.
    """
    pictures, problems = {}, []
    for name in dict.fromkeys(filter(None, files)):
        try:
            pictures[name] = read_picture(Path(name), blobs).blob
        except BadInput as error:
            problems.append(str(error))
    if problems:
        many = f"{len(problems)} of {len(pictures) + len(problems)} pictures cannot be used: "
        raise BadInput((many if len(problems) > 1 else "") + problems[0])
    return pictures
