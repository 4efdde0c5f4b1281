"""What a run would ask and cost, before anything is paid: the first mistakes are found for real, for the student costs nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from ...agents.rows import ChatTeacher
from ...runtime.llm import estimate as tokens_of
from ...runtime.settings import Settings
from ...runtime.store import Store
from .arms import WAYS, compared
from .config import Llm2LlmConfig
from .models import Bench
from .parts import Ports, ask_about, find_mistakes
from .result import Mistake
from .run import open_source

__all__ = ["estimate"]

_ANSWER = 12  # tokens of JSON around a row


async def estimate(config: Llm2LlmConfig, settings: Settings) -> dict[str, Any]:
    """Teacher calls and tokens: "expected" when every step finds as many mistakes as the first, "most" when all seeds are wrong
    and every attempt is used. `money` is 0 for what runs on this machine, None where the price is not known.
    """
    source = open_source(config)
    parts = source.parts(config.seed)
    with Store.open(settings, run_id="dry-run") as store:
        bench = Bench(config, source.task, store, settings)
        try:
            way = WAYS[config.main]
            checks = await bench.checks(WAYS["seed-only"], parts, config.seed)
            ports = Ports(
                task=source.task, student=bench.student, seeds=parts.seeds, dev=(), test=(), mining=way.mining, teachers=(),
                checks=checks, blobs=store.blobs, steps=config.rounds(way), folds=config.folds, seed=config.seed, training=asyncio.Lock(),
            )  # fmt: skip
            mistakes = await find_mistakes(ports, [], 1, None)
            writers = [teacher for teacher in bench.teachers(way, parts) if isinstance(teacher, ChatTeacher)]
            per_error = config.per_error if way.checks == "all" else 1
            example, given, wrote = "", 0, 0
            if writers and parts.seeds:
                first = mistakes[0] if mistakes else Mistake(seed=parts.seeds[0], outcome="not asked")
                messages, _ = writers[0].messages(ask_about(ports, first), per_error)
                example = "\n\n".join(message.content for message in messages)
                given = tokens_of(example)
                rows = [f"{row.text} {row.meta.get('rationale', '')} {row.label}" for row in parts.seeds]
                wrote = per_error * (_ANSWER + sum(tokens_of(row) for row in rows) // len(rows))
            blind = [
                name
                for name in compared(config.compare, config.main, pool=bool(parts.pool))
                if name in ("random", "paper")
            ]
            money = 0.0 if all(spec in ("local", "smollm2", "mini-writer") or spec.startswith("gguf:") for spec in config.teachers) else None  # fmt: skip
        finally:
            await bench.close()
    times = config.rounds(WAYS[config.main]) * config.repeat * (1 + len(blind))

    def told(calls: int) -> dict[str, Any]:
        return {"calls": calls, "input_tokens": calls * given, "output_tokens": calls * wrote, "money": money}

    asked = bool(writers)
    return {
        "seeds": len(parts.seeds), "dev": len(parts.dev), "test": len(parts.test), "mistakes": len(mistakes), "mining": way.mining,
        "expected": told(len(mistakes) * times if asked else 0), "most": told(len(parts.seeds) * times * config.attempts if asked else 0),
        "note": f"{config.rounds(WAYS[config.main])} steps, {config.repeat} repeats, {1 + len(blind)} ways that ask the teacher; tokens are estimates, and a"
        " verifier that is a model is not counted" if asked else "an oracle draws rows: the teacher costs nothing",
        "example": example,
    }  # fmt: skip
