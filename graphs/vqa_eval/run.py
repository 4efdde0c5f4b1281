"""An evaluation of the loop over pictures on a VQA data set: the ladder on the same items, every rule, and causes of errors.

Every figure has a bootstrap interval over questions; ways are compared in pairs on the same questions. A question that could not be
answered (the model failed, the budget ended) is unscored and counted, never a 0. Errors are explained by asking again with what an
oracle knows, where the data set has one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import Field

from ...evaluators.vqa import (
    RIGHT,
    Cause,
    SetName,
    VQAItem,
    cause_of,
    counted,
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
from ...runtime.protocols import Index
from ...runtime.run import RunFolder, calls_of, charged_budget, worked
from ...runtime.settings import Settings
from ...runtime.store import Store, write_whole
from ...tools.data import Shot
from ..promptcap import (
    Facts,
    Job,
    PromptCapBench,
    Roles,
    VQATask,
    Way,
    answer_all,
    keep_pictures,
    read_examples,
    shots_of,
)
from .ablations import OURS, counterfactuals, ladder
from .result import Scores, VQAReport, pairs_of, rows_of, score_tasks, way_report, worst_of

__all__ = ["VQAEvalConfig", "read_data", "run_vqa_eval"]

Event = dict[str, Any]


class VQAEvalConfig(Roles):
    """What is evaluated, on what. Paths of files; empty where there is none.

    `images` or captions are needed; without `images` the set is in text-only mode. Without `examples`, worked examples are the
    questions of the same file that are not asked. `way.tags` and `way.ocr`: with a tool (`tagger`, `ocr`) they are made by it,
    else they are those of the files.
    """

    data: SetName
    questions: str
    annotations: str = ""
    images: str = ""
    captions: str = ""
    oracle: str = ""
    candidates: str = ""
    multiple_choice: bool = False
    limit: int | None = Field(default=None, ge=1)
    way: Way = Way()
    baselines: str = "all"
    causes: bool = True


def read_data(config: VQAEvalConfig) -> tuple[list[VQAItem], list[VQAItem]]:
    """The questions that are asked, and those of the same file that are not.

    With `limit`, that many questions drawn with the run's seed, in the order of the file.

    Raises:
        BadInput: see `evaluators.vqa_sets`; or there are neither pictures nor captions.
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


async def run_vqa_eval(
    config: VQAEvalConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> VQAReport:
    """Evaluate; the report is also in the folder's `result.json`, every item in `items.jsonl`.

    Raises:
        BadInput: files that cannot be used; before anything is paid.
        PrerequisiteError: a model, a package or a server that cannot be had.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    begun = time.monotonic()
    asked, rest = read_data(config)
    config = config.model_copy(update={"way": _possible(config, asked)})
    headline = headline_rule(config.data, multiple_choice=config.multiple_choice)
    rules = rules_of(config.data, multiple_choice=config.multiple_choice)
    oracles = any(item.oracle_caption for item in asked)
    ways = ladder(config.way, pictures=bool(config.images), oracle=oracles, baselines=config.baselines)
    pool = (read_examples(config, config.data) or _left(config, rest)) if any(way.shots for way in ways) else []

    def tell(event: Event) -> None:
        folder.event(event)
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        with_images = bool(config.tagger or config.ocr)
        with_images |= any(way.selection == "image+question" and way.shots for way in ways)
        lacking = [item.picture for item in pool if item.picture and (with_images or not item.captions)]
        pictures = keep_pictures([item.picture for item in asked if item.picture] + lacking, store.blobs)
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        async with AsyncExitStack() as stack:
            bench = PromptCapBench(config, store, settings)
            bench.examples_are = "generic" if config.way.caption == "generic" else "aware"
            await bench.open_models(ways, stack)
            size = {"questions": len(asked), "ways": len(ways)}
            tell({"event": "run_started", "run_id": folder.id, **size, "resumed": resume})
            await bench.open_knowledge(ways, budget, stack)
            if not budget.exhausted():
                await _check_oracle(config, asked, bench.index)
            shots = shots_of(pool, pictures, choices=config.multiple_choice)
            await bench.open_shots(ways, shots, budget, stack)
            tell({"event": "models", "models": bench.models()})

            async def answered(way: Way, items: Sequence[VQAItem]) -> dict[str, VQATask]:
                tell({"event": "way_started", "way": way.name, "questions": len(items)})
                jobs = [
                    Job(
                        way=way, id=item.id, question=" ".join(item.question.split()), image=pictures.get(item.picture),
                        choices=item.asked.choices if config.multiple_choice else (), facts=_facts(item),
                    )
                    for item in _due(way, items)
                ]  # fmt: skip
                done = await answer_all(jobs, bench, budget=budget, tell=tell, in_flight=config.in_flight)
                return {task.id: task for task in done if task is not None}

            tasks = {way.name: await answered(way, asked) for way in ways}
            scores = {name: score_tasks(rules, asked, found) for name, found in tasks.items()}
            causes, why, explained = await _causes(config, asked, tasks, scores, headline, answered)
            rows = rows_of(asked, tasks, scores, causes, headline)
            found = tuple(way_report(way, asked, tasks[way.name], scores[way.name], headline) for way in ways)
            told = [note for each in found for note in each.notes]
            report = VQAReport(
                run_id=folder.id, created=folder.created, seconds=round(before + time.monotonic() - begun, 3),
                config=config.model_dump(mode="json"), models=bench.models(), headline=headline, questions=len(asked),
                ways=found,
                pairs=pairs_of(ways, scores, headline), causes=counted(list(causes.values())), unexplained=why,
                worst=worst_of(rows), cost=store.ledger.spent(),
                notes=tuple(dict.fromkeys([*_notes(config, asked, rest, shots), *told, *bench.notes(), *budget.notes])), calls=calls_of(store),
                stopped=budget.exhausted()
                if not explained or any(len(tasks[way.name]) < len(_due(way, asked)) for way in ways) else None,
            )  # fmt: skip
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    write_whole(folder.path / "items.jsonl", "".join(lines).encode("utf-8"))
    folder.write_result(report)
    tell({"event": "run_done", "seconds": report.seconds})
    return report


async def _causes(
    config: VQAEvalConfig,
    asked: Sequence[VQAItem],
    tasks: Mapping[str, Mapping[str, VQATask]],
    scores: Mapping[str, Scores],
    headline: str,
    answered: Callable[[Way, Sequence[VQAItem]], Any],
) -> tuple[dict[str, Cause], str, bool]:
    """The cause of each answered question of ours, why some could not be told, and whether all that can be was asked."""
    mine = scores[OURS][headline]
    wrong = [item for item in asked if (value := mine[item.id]) is not None and value < RIGHT]
    by_way: dict[str, Scores] = {}
    why, explained = "", True
    has_caption = any(item.oracle_caption for item in asked)
    has_passage = any(item.oracle_passages for item in asked) and config.way.knowledge != "none"
    if not config.causes:
        why = "causes were not asked for"
    elif not (has_caption or has_passage):
        why = "there is no oracle (--oracle): causes other than the form of the answer could not be told"
    else:
        for way in counterfactuals(config.way):
            if (way.caption == "oracle" and not has_caption) or (way.knowledge == "oracle" and not has_passage):
                continue
            items = [item for item in wrong if way.knowledge != "oracle" or item.oracle_passages]
            found = tasks.get(way.name) or await answered(way, items)
            explained = explained and all(item.id in found for item in _due(way, items))
            by_way[way.name] = score_tasks(list(scores[OURS]), wrong, found)
        if not explained:
            why = "the budget ended before every error was explained: some are unknown for that"
    causes = {}
    for item in asked:
        value = mine[item.id]
        if value is None:
            continue
        other = {name: found[headline].get(item.id) for name, found in by_way.items()}
        causes[item.id] = cause_of(
            tasks[OURS][item.id].answer, item.asked, value, with_caption=other.get("oracle caption"),
            with_passage=other.get("oracle passage"), with_both=other.get("oracle caption and passage"),
        )  # fmt: skip
    return causes, why, explained


async def _check_oracle(config: VQAEvalConfig, asked: Sequence[VQAItem], index: Index | None) -> None:
    """Raise `BadInput` where the index lacks the oracle's passages: a cause told without them would be none."""
    ids = list(dict.fromkeys(key for item in asked for key in item.oracle_passages))
    if index is None or not ids or not config.causes:
        return
    lacking = [key for key, passage in zip(ids, await index.get(ids), strict=True) if passage is None]
    if lacking:
        raise BadInput(
            f"{len(lacking)} of the {len(ids)} passages of {config.oracle!r} are not in the index {config.index!r}"
            f" ({', '.join(lacking[:3])}): give the index that it was written for, or --no-causes."
        )


def _possible(config: VQAEvalConfig, asked: Sequence[VQAItem]) -> Way:
    """The way without the tags and the text that nobody gives: a rung of the ladder for them would be the one below it."""
    tags = config.way.tags and bool(config.tagger or any(item.tags for item in asked))
    ocr = config.way.ocr and bool(config.ocr or any(item.ocr for item in asked))
    return config.way.model_copy(update={"tags": tags, "ocr": ocr})


def _left(config: VQAEvalConfig, rest: Sequence[VQAItem]) -> list[VQAItem]:
    """The questions that are not asked, as examples."""
    if not rest:
        raise BadInput("every question of the file is asked, so that none is left as an example: give --examples FILE.")
    pool = with_captions(rest, Path(config.captions)) if config.captions else list(rest)
    return with_pictures(pool, Path(config.images)) if config.images else without_pictures(pool)


def _notes(
    config: VQAEvalConfig, asked: Sequence[VQAItem], rest: Sequence[VQAItem], shots: Sequence[Shot]
) -> list[str]:
    found = []
    if not config.images:
        found.append("Text-only mode: no picture was looked at, captions were given.")
    if config.way.shots and not config.examples:
        found.append(
            f"Worked examples are the other {len(rest)} questions of the evaluated file, never one about the same picture."
        )
    if bare := sum(not shot.caption and shot.image is None for shot in shots):
        found.append(f"{bare} of {len(shots)} worked examples have no caption (--examples-captions).")
    for tool, given, what in (
        (config.tagger, any(item.tags for item in asked), "Tags"), (config.ocr, any(item.ocr for item in asked), "Text"),
    ):  # fmt: skip
        if tool and given:
            found.append(f"{what} of the pictures: what {tool} found, not what the files say.")
    if config.preset == "prophet" and config.way.shots:
        found.append("Confidences of the examples' candidates are the shares of people's answers, not a first stage's.")
    return found


def _facts(item: VQAItem) -> Facts:
    return Facts(
        image_id=item.image_id, captions=item.captions, tags=item.tags, ocr=item.ocr, oracle_caption=item.oracle_caption,
        oracle_passages=item.oracle_passages, candidates=item.candidates,
    )  # fmt: skip


def _due(way: Way, asked: Sequence[VQAItem]) -> list[VQAItem]:
    """What a way can be asked."""
    return [item for item in asked if way.caption != "oracle" or item.oracle_caption]
