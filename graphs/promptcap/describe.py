"""What is told of a picture, side by side: captions, tags of the things in it, and what is written in it.

A tool that was named looks at the picture itself; without one, and where there is no picture, what was given stands. Examples
are described when they are shown and not before, so that a pool of thousands costs what is used of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from ...runtime.errors import BadInput, CallFailed
from ...runtime.records import BlobRef
from ...runtime.session import settled
from ...tools.data import Shot
from .context import VQAContext, VQAState, have, image_of
from .result import Caption, CaptionKind, Facts

__all__ = ["Described", "captioned", "described", "read", "tagged"]

_MOST_CAPTIONS = 5

Described = tuple[str, str]
"""A text, and who it is from; both empty where nothing was asked for or given."""


async def captioned(context: VQAContext, state: VQAState, facts: Facts) -> tuple[list[Caption], str]:
    """The captions of a question's picture, and who they are from.

    Raises:
        BadInput: there is no picture or no captioner; or the captioner refuses the question.
        CallFailed, PrerequisiteError: as `Captioner.caption`.
    """
    method = context.method
    if method.caption == "none":
        return [], "nobody"
    if method.caption == "given":
        return [Caption(kind="given", text=text) for text in facts.captions[:_MOST_CAPTIONS]], "given"
    if method.caption == "oracle":
        return [Caption(kind="oracle", text=facts.oracle_caption)], "oracle"
    image, captioner = image_of(state), have(context.captioner, "a captioner")
    kinds: list[CaptionKind] = ["aware", "generic"] if method.caption == "both" else [method.caption]
    texts = await captioner.caption([(image, state["question"] if kind == "aware" else None) for kind in kinds])
    return [Caption(kind=kind, text=text) for kind, text in zip(kinds, texts, strict=True)], captioner.model


async def tagged(context: VQAContext, image: BlobRef | None, given: str) -> Described:
    """The names of the things in a picture; nothing where the method has no tags. Raises as `Tagger.tags`."""
    if not context.method.tags or context.method.caption == "none":
        return "", ""
    if context.tagger is None or image is None:
        return given, "given" if given else ""
    [tags] = await context.tagger.tags([image])
    return tags, context.tagger.model


async def read(context: VQAContext, image: BlobRef | None, given: str) -> Described:
    """What is written in a picture; nothing where the method does not tell it. Raises as `TextReader.read`."""
    if not context.method.ocr or context.method.caption == "none":
        return "", ""
    if context.ocr is None or image is None:
        return given, "given" if given else ""
    [text] = await context.ocr.read([image])
    return text, context.ocr.model


async def described(context: VQAContext, shots: Sequence[Shot]) -> tuple[list[Shot], str]:
    """The examples with a caption, tags and text as the question has them, and why some are left out.

    One that a model refuses or fails on is left out.

    Raises:
        BadInput, CallFailed: the first failure, where all failed; a failure that may pass by itself always.
        PrerequisiteError: a model cannot be loaded.
    """
    if context.method.caption == "none":  # the words of the question and the answer are all that is shown
        return list(shots), ""
    outcomes = await asyncio.gather(*(_described(context, shot) for shot in shots), return_exceptions=True)
    for each in outcomes:
        refused = isinstance(each, BadInput) or (isinstance(each, CallFailed) and not each.retryable)
        if isinstance(each, BaseException) and not refused:
            raise each
    failures = [each for each in outcomes if isinstance(each, BaseException)]
    if failures and len(failures) == len(outcomes):
        raise failures[0]
    why = f"{len(failures)} left out, for a model failed on it: {failures[0]}" if failures else ""
    return [each for each in outcomes if isinstance(each, Shot)], why


async def _described(context: VQAContext, shot: Shot) -> Shot:
    caption, (tags, _), (text, _) = await settled(
        [_caption_of(context, shot), tagged(context, shot.image, shot.tags), read(context, shot.image, shot.ocr)]
    )
    return shot.model_copy(update={"caption": caption, "tags": tags, "ocr": text})


async def _caption_of(context: VQAContext, shot: Shot) -> str:
    if shot.caption or shot.image is None or context.captioner is None:
        return shot.caption
    kind: Literal["aware", "generic"] = "generic" if context.method.caption == "generic" else context.examples_are
    [text] = await context.captioner.caption([(shot.image, shot.question if kind == "aware" else None)])
    return text
