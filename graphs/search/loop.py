"""OPT2I's machine over any text: `inloop.search(text, task=...)`.

The graph is OPT2I's own (`graphs.opt2i.build`): propose, realise, score, select, prove, reflect, review, confirm. Its races, fronts, floors,
restarts, stop rules and proof come with it. The task says what a text is, what becomes of it, and what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.own_code import run_file
from ...runtime.registry import import_object, is_object
from ...runtime.roles import make
from ...runtime.run import Loop
from ...runtime.session import Mapped, Session
from ..opt2i import Objective, SearchedTask, StopRule, compare, searched
from .adapters import Proposing, Realising, evaluators_of
from .config import SearchConfig
from .result import SearchResult
from .search_task import SearchTask, places

__all__ = ["Searches", "compared", "search", "search_one", "texts_of"]


class Searches:
    """The task of a run, and the seeds of its searches."""

    def __init__(self, config: SearchConfig, session: Session, task: SearchTask | None = None) -> None:
        self.config, self.session = config, session
        self.task = self._task() if task is None else task
        config.floors.check(self.task.scores)
        if config.objective and config.objective not in self.task.scores:
            raise BadInput(
                f"objective {config.objective!r}: the task has no such score; it has {', '.join(self.task.scores)}."
            )
        seeds = {"instances": config.seeds, "heldout_seeds": config.unseen, "prove": config.proofs}
        if self.task.size is not None:
            seeds = places(self.task.size, {name: len(each) for name, each in seeds.items()}, config.seed)
        self.seeds = seeds

    def _task(self) -> SearchTask:
        given = self.session.parts.get("task", self.config.task)
        if not given:
            raise BadInput("no task: give task=, a SearchTask, its class, or a file that defines `task`.")
        if isinstance(given, str):
            given = _named(given)
        made = make(given, store=self.session.store, settings=self.session.settings)
        if not isinstance(made, SearchTask):
            raise BadInput(f"{given!r:.80} is no SearchTask: derive it from inloop.graphs.search.SearchTask.")
        task: SearchTask = made
        if not task.scores or len(set(task.scores)) < len(task.scores):
            raise BadInput(f"the task {type(task).__name__} has scores {task.scores!r}: name at least one, each once.")
        if made is not given:
            self.session.close_later(task)
        return task

    @property
    def objective(self) -> Objective:
        name = self.config.objective
        return (lambda scores: scores[name]) if name else self.task.objective

    @property
    def stop(self) -> StopRule:
        return self.config.ending(self.session.parts.get("stop"))


def _named(spec: str) -> Any:
    if Path(spec).suffix == ".py":
        task = getattr(run_file(Path(spec), "the task file"), "task", None)
        if task is None:
            raise BadInput(f"the task file {spec!r} must define `task`, a SearchTask or its class.")
        return task
    if is_object(spec):
        return import_object(spec, "task")
    raise BadInput(f"the task {spec!r}: give a Python file that defines `task`, or module:object.")


def texts_of(config: SearchConfig) -> dict[str, str]:
    """The texts of a config by id; `BadInput` for an empty one."""
    for place, text in enumerate(config.texts, start=1):
        if not text.strip():
            raise BadInput(f"text {place} of {len(config.texts)} is empty ({text!r}): give what is to be bettered.")
    return {f"t{place}": text for place, text in enumerate(config.texts, start=1)}


async def search_one(context: Searches, id: str, text: str) -> SearchedTask:
    """The search for one text."""
    config, session = context.config, context.session
    blobs = session.store.blobs
    found = await searched(
        session,
        config.search(
            proofs=context.seeds["prove"],
            proposer=Proposing(context.task),
            realiser=Realising(context.task, blobs),
            evaluators=evaluators_of(context.task, blobs),
            objective=context.objective,
            stop=context.stop,
            seeds=context.seeds["instances"],
            heldout_seeds=context.seeds["heldout_seeds"],
            blobs=blobs,
            budget=session.budget,
            emit=session.emit,
        ),
        id=id,
        text=text,
        rounds=config.iterations,
        what="instance",
    )
    return SearchedTask(
        id=id,
        text=text,
        stop=found.state["stop"],
        iterations=found.state["iteration"],
        trials=found.trials,
        best=found.best,
        accepted=found.state["accepted"],
        verdict=found.verdict,
        heldout_seeds=context.seeds["heldout_seeds"],
        heldout=found.held,
        proof=found.look,
    )


def compared(context: Searches, mapped: Mapped[SearchedTask]) -> Mapping[str, Any]:
    """What the searches say together."""
    tasks = tuple(mapped.results.values())
    spent = [task.stop for task in tasks if task.stop.startswith("budget")]
    return {"comparisons": tuple(compare(tasks))} | ({"stopped": spent[0]} if spent else {})


search = Loop(
    name="search",
    config=SearchConfig,
    result=SearchResult,
    inputs=texts_of,
    open=Searches,
    work=search_one,
    summary=compared,
    brings={
        "task": "a `SearchTask`, or its class",
        "stop": "a `StopRule`: the reason to end, or None",
    },
    brief="better a text of any kind by what it does, with OPT2I's machine",
)
