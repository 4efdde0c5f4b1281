"""The scoring of a set of pictures as one object: a task a chunk, so that memory does not grow with the set.

What was paid for is in the call ledger; a run that is resumed writes its files anew and asks no model twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...evaluators.run import score_items
from ...evaluators.stats import FEWEST_PICTURES, SetStatistics, compare_sets, holm
from ...runtime.errors import BadInput
from ...runtime.run import Loop
from ...runtime.session import Mapped
from ...tools.data import Item, Items, picture_files, read_items, read_pictures
from .config import ScoreConfig
from .context import ScoreContext, metrics_of, open_context, rewards_of
from .result import PicturesScored, ScoreResult, ScoreTask

__all__ = ["CHUNK", "score"]

CHUNK = 32
"""Pictures that are read and scored together; the budget is looked at between chunks."""


@dataclass(frozen=True)
class _Chunk:
    source: Items
    rows: Sequence[Item]
    of: int
    """How many rows there are in all chunks."""


def _chunks(config: ScoreConfig) -> Mapping[str, _Chunk]:
    metrics_of(config)
    rewards_of(config)
    source = read_items(config.pictures, None if config.prompts is None else Path(config.prompts))
    rows = source.items[: config.limit]
    reference = picture_files(Path(config.reference)) if config.reference else []
    if reference and min(len(reference), len(rows)) < FEWEST_PICTURES:
        raise BadInput(
            f"--reference: {len(rows)} pictures and {len(reference)} in {config.reference!r} are too few to be compared"
            f" as sets: give {FEWEST_PICTURES} or more of each."
        )
    starts = range(0, len(rows), CHUNK)
    return {
        f"c{place}": _Chunk(source, rows[start : start + CHUNK], len(rows))
        for place, start in enumerate(starts, start=1)
    }


async def _score(context: ScoreContext, id: str, chunk: _Chunk) -> ScoreTask | None:
    if context.session.budget.exhausted():
        return None
    scored = await score_items(chunk.source, chunk.rows, context.evaluators, context.session.store.blobs)
    kept = await asyncio.to_thread(context.kept, scored)
    context.session.emit(PicturesScored(task=id, pictures=len(scored), of=chunk.of))
    return ScoreTask(id=id, items=len(scored), scored=kept)


async def _summary(context: ScoreContext, mapped: Mapped[ScoreTask]) -> Mapping[str, Any]:
    await asyncio.to_thread(context.gather, mapped.results.values())
    tally, reference = context.tally, context.config.reference
    used_models = context.session.models()
    results = []
    for metric in context.metrics:
        used = [
            f"{role} {model['id']}" for role, model in used_models.items() if role.partition(" ")[0] in metric.models
        ]
        results.append(tally.result(metric.name, evaluator=", ".join(used), about=metric.about))
    against = {name: tally.against(name, context.before[name]) for name in context.evaluators if name in context.before}
    p_values = {name: comparison.p for name, comparison in against.items() if comparison.p is not None}
    context.write_table()
    statistics = await _statistics(context, picture_files(Path(reference))) if reference else None
    context.tell_foreign()
    return {
        "items": tally.items,
        "prompts": tally.prompts,
        "metrics": tuple(results),
        "agreement": context.models.panel.agreement() if context.models.panel is not None else None,
        "against": against,
        "holm": holm(p_values) if len(p_values) > 1 else {},
        "statistics": statistics,
    }


async def _statistics(context: ScoreContext, files: Sequence[Path]) -> SetStatistics | None:
    """The set against the reference; None, with a note, where too few pictures of one could be read."""
    notes, reference = context.session.notes, context.reference
    pictures, unread = await asyncio.to_thread(read_pictures, files, context.session.store.blobs)
    reference += pictures
    notes += unread
    try:
        statistics = await compare_sets(context.pictures, reference, context.models.clip())
    except BadInput as error:
        notes.append(f"no FID, KID, precision and recall: {error}")
        return None
    return statistics.model_copy(update={"unread": statistics.unread + len(unread)})


score = Loop(
    name="score",
    config=ScoreConfig,
    result=ScoreResult,
    inputs=_chunks,
    open=open_context,
    work=_score,
    summary=_summary,
    brings={
        "evaluators": "by name: an Evaluator, or a function score(image: PIL.Image.Image, text: str) -> float",
        "models": "by role: vqa (VisualQA), clip (Embedder), detector (Detector), llm and questioner (Chat)",
    },
    checkpoints=False,
    brief="pictures scored against their prompts",
)
