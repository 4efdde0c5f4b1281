"""Which questions are asked of which methods: the data set read and checked, and the ladder of methods."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...evaluators.vqa import (
    VQAItem,
    headline_rule,
    need_choices,
    read_items,
    rules_of,
    with_candidates,
    with_captions,
    with_oracle,
    with_pictures,
    without_pictures,
)
from ...runtime.errors import BadInput
from ...tools.data import Shot
from ..promptcap import Facts, Method, Question, need_index, read_examples
from .ablations import ladder
from .config import VQAEvalConfig

__all__ = ["Plan", "due", "read_data"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked. `method`: the whole one (`ours`), without what nobody gives; `pool`: the items that are examples."""

    config: VQAEvalConfig
    method: Method
    methods: tuple[Method, ...]
    asked: tuple[VQAItem, ...]
    rest: tuple[VQAItem, ...]
    pool: tuple[VQAItem, ...]

    @classmethod
    def of(cls, config: VQAEvalConfig) -> Plan:
        """The plan of a config.

        Raises:
            BadInput: files that cannot be used, a baseline that cannot be had, knowledge or examples that nobody gives.
        """
        asked, rest = read_data(config)
        # tags and text that nobody gives: a rung of the ladder for them would be the one below it
        tags = config.way.tags and bool(config.tagger or any(item.tags for item in asked))
        ocr = config.way.ocr and bool(config.ocr or any(item.ocr for item in asked))
        method = config.way.model_copy(update={"tags": tags, "ocr": ocr})
        oracle = any(item.oracle_caption for item in asked)
        methods = ladder(method, pictures=bool(config.images), oracle=oracle, baselines=config.baselines)
        need_index(config, methods)
        pool: Sequence[VQAItem] = ()
        if any(each.shots for each in methods):
            pool = read_examples(config, config.data) or _left(config, rest)
        return cls(
            config=config, method=method, methods=tuple(methods), asked=tuple(asked), rest=tuple(rest), pool=tuple(pool)
        )

    @property
    def headline(self) -> str:
        """The rule of the data set's own script."""
        return headline_rule(self.config.data, multiple_choice=self.config.multiple_choice)

    @property
    def rules(self) -> Sequence[str]:
        """All rules that answers are scored by."""
        return rules_of(self.config.data, multiple_choice=self.config.multiple_choice)

    def questions(self, methods: Sequence[Method], items: Sequence[VQAItem]) -> Mapping[str, Question]:
        """What the methods can be asked of the items, by task id, a method after the other."""
        questions = [
            Question(
                id=item.id, method=method, text=" ".join(item.question.split()), picture=item.picture,
                choices=item.asked.choices if self.config.multiple_choice else (), facts=_facts(item),
            )
            for method in methods
            for item in due(method, items)
        ]  # fmt: skip
        return {question.thread: question for question in questions}

    def notes(self, shots: Sequence[Shot]) -> list[str]:
        """What a reader must know about how the answers were made."""
        config, notes = self.config, []
        if not config.images:
            notes.append("Text-only mode: no picture was looked at, captions were given.")
        if config.way.shots and not config.examples:
            notes.append(
                f"Worked examples are the other {len(self.rest)} questions of the evaluated file, never one about the same picture."
            )
        if bare := sum(not shot.caption and shot.image is None for shot in shots):
            notes.append(f"{bare} of {len(shots)} worked examples have no caption (--examples-captions).")
        given_tags, given_text = any(item.tags for item in self.asked), any(item.ocr for item in self.asked)
        for tool, given, what in ((config.tagger, given_tags, "Tags"), (config.ocr, given_text, "Text")):
            if tool and given:
                notes.append(f"{what} of the pictures: what {tool} found, not what the files say.")
        if config.preset == "prophet" and config.way.shots:
            notes.append(
                "Confidences of the examples' candidates are the shares of people's answers, not a first stage's."
            )
        return notes


def due(method: Method, items: Sequence[VQAItem]) -> list[VQAItem]:
    """What a method can be asked."""
    return [item for item in items if method.caption != "oracle" or item.oracle_caption]


def read_data(config: VQAEvalConfig) -> tuple[list[VQAItem], list[VQAItem]]:
    """The questions that are asked, and those of the same file that are not.

    With `limit`, that many questions drawn with the run's seed, in the order of the file.

    Raises:
        BadInput: see `evaluators.vqa`; or there are neither pictures nor captions.
    """
    items = read_items(config.data, Path(config.questions), Path(config.annotations) if config.annotations else None)
    chosen = set(range(len(items)))
    if config.limit is not None and config.limit < len(items):
        chosen = set(random.Random(config.seed).sample(range(len(items)), config.limit))
    asked = [item for place, item in enumerate(items) if place in chosen]
    rest = [item for place, item in enumerate(items) if place not in chosen]
    if config.multiple_choice:
        need_choices(asked)
    if config.captions:
        asked = with_captions(asked, Path(config.captions))
    if config.images:
        asked = with_pictures(asked, Path(config.images))
    elif not all(item.captions for item in asked):
        raise BadInput(
            f"there are neither pictures nor captions to the questions of {config.questions!r}: give --images DIR, or"
            " --captions FILE for text-only mode."
        )
    else:
        asked = without_pictures(asked)
    if not config.images and (config.tagger or config.ocr):
        raise BadInput(
            f"{config.tagger or config.ocr!r} looks at pictures: give --images DIR, or --tags given, --ocr given."
        )
    if config.candidates:
        asked = with_candidates(asked, Path(config.candidates))
    if config.oracle:
        asked = with_oracle(asked, Path(config.oracle))
    return asked, rest


def _left(config: VQAEvalConfig, rest: Sequence[VQAItem]) -> list[VQAItem]:
    """The questions that are not asked, as examples."""
    if not rest:
        raise BadInput("every question of the file is asked, so that none is left as an example: give --examples FILE.")
    pool = with_captions(rest, Path(config.captions)) if config.captions else list(rest)
    return with_pictures(pool, Path(config.images)) if config.images else without_pictures(pool)


def _facts(item: VQAItem) -> Facts:
    return Facts(
        image_id=item.image_id, captions=item.captions, tags=item.tags, ocr=item.ocr, oracle_caption=item.oracle_caption,
        oracle_passages=item.oracle_passages, candidates=item.candidates,
    )  # fmt: skip
