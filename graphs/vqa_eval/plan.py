"""Which questions are asked of which methods: the data set read and checked, and the ladder of methods."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...evaluators.vqa import (
    VQAItem,
    find_rule,
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

__all__ = ["ANY_HUMAN", "Plan", "due", "read_data"]

ANY_HUMAN = "any_human_answer"


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
        # without answers there is nothing to compare by
        baselines = config.baselines if any(_scored(config, item) for item in asked) else "none"
        methods = ladder(method, pictures=bool(config.images), oracle=oracle, baselines=baselines)
        need_index(config, methods)
        pool: Sequence[VQAItem] = ()
        if any(each.shots for each in methods):
            pool = read_examples(config, config.data) or _left(config, rest)
        return cls(
            config=config, method=method, methods=tuple(methods), asked=tuple(asked), rest=tuple(rest), pool=tuple(pool)
        )

    @property
    def own_rule(self) -> str:
        """The rule of the data set's own script."""
        return headline_rule(self.config.data, multiple_choice=self.config.multiple_choice)

    @property
    def headline(self) -> str:
        """The rule that methods are compared by: the data set's own, unless most questions have too few human answers for it."""
        return ANY_HUMAN if 2 * len(self.sparse) > len(self.asked) else self.own_rule

    @property
    def rules(self) -> Sequence[str]:
        """All rules that answers are scored by; one for few human answers where some questions have few."""
        own = rules_of(self.config.data, multiple_choice=self.config.multiple_choice)
        return (*own, ANY_HUMAN) if self.sparse else own

    @property
    def sparse(self) -> Sequence[VQAItem]:
        """The questions with too few human answers for the data set's own rule."""
        return [item for item in self.asked if find_rule(self.own_rule).lacks_people(item.asked)]

    def questions(
        self, methods: Sequence[Method], items: Sequence[VQAItem], *, choosing: bool | None = None
    ) -> Mapping[str, Question]:
        """What the methods can be asked of the items, by task id, a method after the other; `choosing` among choices or not."""
        choosing = self.config.multiple_choice if choosing is None else choosing
        questions = [
            Question(
                id=item.id, method=method, text=" ".join(item.question.split()), picture=item.picture,
                choices=item.asked.choices if choosing else (), facts=_facts(item),
            )
            for method in methods
            for item in due(method, items)
        ]  # fmt: skip
        return {question.thread: question for question in questions}

    def notes(self, shots: Sequence[Shot]) -> list[str]:
        """What a reader must know about how the answers were made."""
        config, notes = self.config, []
        rule = find_rule(self.own_rule)
        if sparse := self.sparse:
            fewest = min(len(item.asked.humans) for item in sparse)
            never = ", and with one answer 0 whatever is answered" * (rule.count == "leave one out" and fewest == 1)
            notes.append(
                f"{len(sparse)} of {len(self.asked)} questions have fewer than {rule.people} human answers, of which {rule.name} can"
                f" make no full score{never}: see {ANY_HUMAN}, which is 1 where anybody said so"
                + (", and by which methods are compared here." if self.headline == ANY_HUMAN else ".")
            )
        if bare := sum(not _scored(config, item) for item in self.asked):
            rest = (
                "there is nothing to score, and ours alone is asked"
                if bare == len(self.asked)
                else "these are not scored"
            )
            notes.append(f"{bare} of {len(self.asked)} questions have no answers: {rest}.")
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


def _scored(config: VQAEvalConfig, item: VQAItem) -> bool:
    return find_rule(headline_rule(config.data, multiple_choice=config.multiple_choice)).can_score(item.asked)


def due(method: Method, items: Sequence[VQAItem]) -> list[VQAItem]:
    """What a method can be asked."""
    return [item for item in items if method.caption != "oracle" or item.oracle_caption]


def read_data(config: VQAEvalConfig) -> tuple[list[VQAItem], list[VQAItem]]:
    """The questions that are asked, and those of the same file that are not.

    With `limit`, that many questions drawn with the run's seed, in the order of the file.

    Raises:
        BadInput: see `evaluators.vqa`; or there are neither pictures nor captions.
    """
    annotations = Path(config.annotations) if config.annotations else None
    items = read_items(config.data, Path(config.questions), annotations, unanswered=bool(config.predictions))
    chosen = set(range(len(items)))
    if config.limit is not None and config.limit < len(items):
        chosen = set(random.Random(config.seed).sample(range(len(items)), config.limit))
    asked = [item for place, item in enumerate(items) if place in chosen]
    rest = [item for place, item in enumerate(items) if place not in chosen]
    if config.multiple_choice:
        need_choices(asked, unanswered=bool(config.predictions))
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
