"""Runs of the loop over pictures: models opened, every question run in every way that is asked for, an outcome written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...evaluators.vqa import check_question
from ...runtime.budget import Budget
from ...runtime.errors import BadInput, CallFailed, Interrupted
from ...runtime.records import BlobRef, options_checked
from ...runtime.run import Checkpoints, RunFolder, Runner, calls_of, charged_budget, gather, run, worked
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.data import Selection, Shot
from .config import Asking, VQAConfig
from .examples import read_examples, shots_of
from .graph import build, task_fields
from .models import PromptCapBench, keep_pictures
from .parts import Scratch, first_state, max_steps
from .result import Facts, VQAOutcome, VQATask, Way

__all__ = ["Job", "answer_all", "run_vqa", "vqa"]

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One question in one way."""

    way: Way
    id: str
    question: str
    image: BlobRef | None = None
    choices: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)


async def answer_all(
    jobs: Sequence[Job],
    bench: PromptCapBench,
    *,
    budget: Budget,
    tell: Callable[[Event], None],
    in_flight: int,
    checkpoints: Checkpoints | None = None,
) -> list[VQATask | None]:
    """Every job to its end, up to `in_flight` at once; None for those that the budget left no room for.

    Questions in flight share the queue of each model, so that their captions and answers are computed in batches. A question
    that a model refuses (one that is too long for the captioner, say) fails alone; where all fail, the first failure is raised.
    """
    problems: list[BadInput | CallFailed] = []
    gate = asyncio.Semaphore(in_flight)
    machine = build()
    ports = {job.way.name: bench.ports(job.way, budget, tell) for job in jobs}

    async def one(job: Job) -> VQATask | None:
        async with gate:
            if budget.exhausted():
                return None
            begun, mine = time.monotonic(), ports[job.way.name]
            if checkpoints is None:
                mine = replace(mine, blobs=Scratch())
            name = f"{job.way.name.replace('/', ' ')}/{job.id}"
            runner = Runner(
                machine, context=mine, checkpoints=checkpoints, thread_id=name, max_steps=max_steps(job.way)
            )
            state = first_state(mine, name, job.question, image=job.image, choices=job.choices, facts=job.facts)
            try:
                finish = await (runner.start_or_resume(dict(state)) if checkpoints else runner.start(dict(state)))
            except (BadInput, CallFailed) as error:
                if isinstance(error, CallFailed) and error.retryable:
                    raise
                problems.append(error)
                tell({"event": "task_failed", "task": name, "way": job.way.name, "why": str(error)})
                return VQATask(
                    id=job.id, way=job.way.name, question=job.question, image=job.image, choices=job.choices, answer="",
                    told=False, reason="failed", why=str(error),
                )  # fmt: skip
            if not finish.finished:
                raise Interrupted(f"stopped by {finish.stopped}; nothing that was finished is lost")
            tell({"event": "task_done", "task": name, "way": job.way.name})
            took = round(time.monotonic() - begun, 3)
            return VQATask(id=job.id, seconds=took, **task_fields(mine, finish.state))

    done: list[VQATask | None] = await gather([one(job) for job in jobs])
    if problems and len(problems) == len(jobs):
        raise problems[0]
    return done


def vqa(
    image: str | Path | None,
    question: str,
    *,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    pool: Sequence[Shot] = (),
    way: Way | None = None,
    caption: str = "",
    tags: str = "",
    ocr_text: str = "",
    choices: Sequence[str] = (),
    **roles: Any,
) -> VQAOutcome:
    """`inloop vqa` from a script or a notebook: the same run folder, settings and ledger.

    `caption`, `tags` and `ocr_text` are what is given of the picture (see `Asking`); `roles` are fields of `Roles`, such as
    `tagger="ssd"` and `ocr="rapidocr"`, which look at it. Without `way`, a question-aware caption and no examples. Raises what
    `run_vqa` raises.
    """
    opened = settings or Settings.load()
    asking = Asking(
        question=question, image=str(image or ""), caption=caption, tags=tags, ocr=ocr_text, choices=tuple(choices)
    )  # fmt: skip
    with options_checked():
        beside = {"tags": bool(tags or roles.get("tagger")), "ocr": bool(ocr_text or roles.get("ocr"))}
        told = Way(caption="aware" if image else "given", **beside)
        config = VQAConfig(
            asked=(asking,), way=way or told,
            **{"llm": opened.llm if opened.llm != "mini-writer" else "smollm2", **roles},
        )  # fmt: skip
    folder = RunFolder.create(opened.runs_dir, "promptcap", config)
    try:
        return run(run_vqa(config, settings=opened, folder=folder, pool=pool, on_event=on_event))
    finally:
        folder.close()


async def run_vqa(
    config: VQAConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    pool: Sequence[Shot] = (),
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> VQAOutcome:
    """Answer every question of `config`; the outcome is also in the folder's `result.json`.

    Raises:
        BadInput: an empty question or one that is too long, a picture that is not there or none; before anything is paid.
        PrerequisiteError: a model, a package or a server that cannot be had.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    for place, asked in enumerate(config.asked, start=1):
        check_question(asked.question, "the question" if len(config.asked) == 1 else f"question {place}")
        if len(asked.choices) == 1:
            raise BadInput(f"{asked.choices!r} is one choice: give at least two, or none.")
        if not asked.image and not asked.caption:
            raise BadInput(f"there is no picture to {asked.question!r}: give one, or a caption.")
        if not asked.image and (config.tagger or config.ocr):
            raise BadInput(
                f"{config.tagger or config.ocr!r} looks at pictures, and there is none to {asked.question!r}: give one, or tags"
                " and text as words."
            )
    begun = time.monotonic()

    def tell(event: Event) -> None:
        folder.event(event)
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        examples = read_examples(config, config.data) if config.way.shots else []
        files = [asked.image for asked in config.asked] + [example.picture for example in examples]
        pictures = keep_pictures([name for name in files if name], store.blobs)
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        async with AsyncExitStack() as stack:
            bench = PromptCapBench(config, store, settings)
            bench.examples_are = "generic" if config.way.caption == "generic" else "aware"
            ways = [_way(config.way, asked) for asked in config.asked]
            await bench.open_models(ways, stack)
            tell({"event": "run_started", "run_id": folder.id, "questions": len(config.asked), "resumed": resume})
            await bench.open_knowledge(ways, budget, stack)
            made = shots_of(examples, pictures, choices=any(asked.choices for asked in config.asked))
            await bench.open_shots(ways, [*pool, *made], budget, stack)
            tell({"event": "models", "models": bench.models()})
            checkpoints = await stack.enter_async_context(Checkpoints(folder.checkpoints_path))
            jobs = [
                Job(
                    way=way, id=f"q{place}", question=" ".join(asked.question.split()), image=pictures.get(asked.image),
                    choices=asked.choices, facts=_facts(asked),
                )
                for place, (asked, way) in enumerate(zip(config.asked, ways, strict=True), start=1)
            ]  # fmt: skip
            tasks = await answer_all(
                jobs, bench, budget=budget, tell=tell, in_flight=config.in_flight, checkpoints=checkpoints
            )
            outcome = VQAOutcome(
                run_id=folder.id, created=folder.created, seconds=round(before + time.monotonic() - begun, 3),
                config=config.model_dump(mode="json"), models=bench.models(),
                tasks=tuple(task for task in tasks if task is not None), cost=store.ledger.spent(),
                notes=tuple(dict.fromkeys([*bench.notes(), *budget.notes])), calls=calls_of(store),
                stopped=budget.exhausted() if None in tasks else None,
            )  # fmt: skip
    folder.write_result(outcome)
    tell({"event": "run_done", "seconds": outcome.seconds})
    return outcome


def _way(way: Way, asked: Asking) -> Way:
    """How a question is answered: a caption that is given is told instead of the captioner's."""
    if asked.image and not asked.caption:
        return way
    seen = asked.image or way.selection != "image+question"
    selection: Selection = way.selection if seen else "question"
    return way.model_copy(update={"name": f"{way.name}, caption given", "caption": "given", "selection": selection})


def _facts(asked: Asking) -> Facts:
    return Facts(captions=(asked.caption,) if asked.caption else (), tags=asked.tags, ocr=asked.ocr)
