"""OPT2I: rewrite a text-to-image prompt until its pictures match it (Mañas et al. 2024, arXiv 2403.17804, algorithm 1).

1. the user's prompt is painted with a few seeds; its scene graph is asked of the pictures (DSG), its phrases compared (dCS)
2. the LLM sees the best prompts so far with their scores by question, and writes new ones
3. each is painted with the same seeds and scored against the user's prompt, never against the rewrite
4. the best k stay; again from 2 until the score is perfect, 30 times, or the budget is spent
5. what the paper leaves out: the best prompt and the user's are compared on unseen seeds and by the other scorer, beside
   blind paraphrases and more seeds of the user's prompt at the same number of pictures
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from ...agents.opt2i import Rewriter
from ...evaluators.text_image import DCS, DSG, certainty
from ...runtime.budget import Budget
from ...runtime.errors import BadInput, Interrupted
from ...runtime.protocols import Evaluator
from ...runtime.records import options_checked
from ...runtime.run import Checkpoints, RunFolder, Runner, calls_of, charged_budget, gather, run, worked
from ...runtime.settings import Settings
from ...runtime.store import Store
from .baselines import Rival, blind_paraphrases, compare, more_seeds
from .config import Opt2iConfig
from .models import _Bench
from .parts import Event, Painter, PromptProposer, objective_of
from .result import HeldOut, Outcome, TaskOutcome
from .search import LoopState, Ports, build, chapters, first_state, plateau_or_perfect

__all__ = ["opt2i", "run_opt2i"]

_LONGEST = 4000  # characters of a prompt; text encoders read a few hundred


def opt2i(
    *prompts: str,
    settings: Settings | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> Outcome:
    """`inloop opt2i` from a script or a notebook: the same run folder, settings and ledger.

    `options` are fields of `Opt2iConfig`; the models are those of `settings` (default: what `inloop config` shows)
    unless they are named. Raises what `run_opt2i` raises.
    """
    opened = settings or Settings.load()
    models = {name: getattr(opened, name) for name in ("llm", "images", "vqa", "clip")}
    with options_checked():
        config = Opt2iConfig(prompts=prompts, **{**models, **options})
    folder = RunFolder.create(opened.runs_dir, "opt2i", config)
    try:
        return run(run_opt2i(config, settings=opened, folder=folder, on_event=on_event))
    finally:
        folder.close()


async def run_opt2i(
    config: Opt2iConfig,
    *,
    settings: Settings,
    folder: RunFolder,
    resume: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Optimise every prompt of `config`; the outcome is also in the folder's `result.json`.

    Raises:
        BadInput: an empty prompt, a budget of 0, an unknown model; before anything is paid.
        PrerequisiteError: a model or server that cannot be had.
        Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
    """
    for place, prompt in enumerate(config.prompts, start=1):
        if not prompt.strip():
            raise BadInput(
                f"prompt {place} of {len(config.prompts)} is empty ({prompt!r}): write what is to be painted."
            )
        if len(prompt) > _LONGEST:
            raise BadInput(
                f"prompt {place} of {len(config.prompts)} has {len(prompt)} characters, {prompt[:60]!r}...: give at most {_LONGEST}."
            )
    begun, notes = time.monotonic(), list[str]()

    def tell(event: Event) -> None:
        folder.event(event)
        if event["event"] == "warning" and "task" not in event:
            notes.append(event["text"])
        on_event(event)

    with folder.lock(), Store.open(settings, run_id=folder.id) as store:
        # what the ledger answers counts as well: the same command stops at the same place, paid or not
        before = worked(folder.events())
        budget = charged_budget(config.budget, store, elapsed=before)
        bench = _Bench(config, store, settings)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(bench.close)
            tell({"event": "run_started", "run_id": folder.id, "prompts": len(config.prompts), "resumed": resume})
            tell({"event": "models", "models": bench.models()})
            checkpoints = await stack.enter_async_context(Checkpoints(folder.checkpoints_path))
            gate = asyncio.Semaphore(config.in_flight)

            async def one(place: int, prompt: str) -> tuple[TaskOutcome, list[Rival]]:
                async with gate:
                    return await _Task(f"p{place}", prompt, bench, budget, checkpoints, tell).run()

            done = await gather([one(place, prompt) for place, prompt in enumerate(config.prompts, start=1)])
        tasks = [task for task, _ in done]
        outcome = Outcome(
            run_id=folder.id, loop="opt2i", created=folder.created, seconds=round(before + time.monotonic() - begun, 3), config=config.model_dump(mode="json"),
            models=bench.models(), tasks=tuple(tasks), comparisons=tuple(compare(tasks, [rivals for _, rivals in done])),
            cost=store.ledger.spent(), calls=calls_of(store), notes=tuple(dict.fromkeys([*notes, *bench.notes(), *budget.notes])),
        )  # fmt: skip
    folder.write_result(outcome)
    tell({"event": "run_done", "seconds": outcome.seconds})
    return outcome


class _Task:
    """One prompt from its scene graph to its baselines."""

    def __init__(
        self, id: str, text: str, bench: _Bench, budget: Budget, checkpoints: Checkpoints, tell: Callable[[Event], None]
    ) -> None:
        self.id, self.text, self.bench, self.config = id, " ".join(text.split()), bench, bench.config
        self.budget, self.checkpoints, self.tell = budget, checkpoints, tell
        self.warnings: list[str] = []

    async def run(self) -> tuple[TaskOutcome, list[Rival]]:
        self._warn_of_cut()
        scene = await self.bench.writer.scene_graph(
            self.text, lambda text: self._tell({"event": "warning", "text": text})
        )
        phrases = await self.bench.writer.phrases(self.text, scene)
        self.tell(
            {
                "event": "graph",
                "task": self.id,
                "text": self.text,
                "questioner": scene.questioner,
                "questions": [n.model_dump() for n in scene.nodes],
            }
        )
        rewriter = Rewriter(
            self.bench.chat, "mini" if self.bench.chat.model == "mini-writer" else "paper", top=self.config.history
        )
        evaluators: dict[str, Evaluator] = {"dsg": DSG(self.bench.vqa, scene), "dcs": DCS(self.bench.clip, phrases)}
        ports = Ports(
            proposer=PromptProposer(rewriter, self.config.objective, self._tell), realiser=Painter(self.bench.images, self._tell), evaluators=evaluators,
            objective=objective_of(self.config.objective), stop=plateau_or_perfect(iterations=self.config.iterations), seeds=self.config.seeds,
            heldout_seeds=self.config.unseen, blobs=self.bench.store.blobs, candidates=self.config.candidates, top=self.config.history,
            seed=self.config.seed, budget=self.budget, certainty=lambda name, score: certainty(score) if name == "dsg" else None, tell=self.tell,
        )  # fmt: skip
        runner = Runner(
            build(),
            context=ports,
            checkpoints=self.checkpoints,
            thread_id=self.id,
            max_steps=10 + 5 * (self.config.iterations + 1),
        )
        finish = await runner.start_or_resume(dict(first_state(self.id, self.text)))
        if not finish.finished:
            raise Interrupted(f"stopped by {finish.stopped}; nothing that was finished is lost")
        state: LoopState = finish.state
        trials = chapters(ports.blobs, state["chapter"])
        held = self._held(state, ports)
        rivals: list[Rival] = []
        if self.config.baselines and held and len(trials) > 1 and not self.budget.exhausted():
            rivals = [
                await blind_paraphrases(ports, rewriter, trials, held["user"]),
                await more_seeds(ports, self.config.extra, trials, held["user"]),
            ]
        for rival in rivals:
            self.tell({"event": "baseline", "task": self.id, **rival.model_dump()})
        self.tell({"event": "task_done", "task": self.id, "stop": state["stop"], "accepted": state["accepted"]})
        best = next(trial for trial in trials if trial.id == state["history"][-1]["id"])
        outcome = TaskOutcome(
            id=self.id, text=self.text, stop=state["stop"], iterations=state["iteration"], questions=scene.nodes, questioner=scene.questioner,
            phrases=tuple(phrases), trials=tuple(trials), best=best.id, accepted=state["accepted"], heldout_seeds=self.config.unseen, heldout=held,
            warnings=tuple(self.warnings),
        )  # fmt: skip
        return outcome, rivals

    def _tell(self, event: Event) -> None:
        if event["event"] == "warning":
            self.warnings.append(event["text"])
        self.tell({**event, "task": self.id})

    def _warn_of_cut(self) -> None:
        if len(self.text) < 60:  # shorter than any text encoder's window; asking would load a tokenizer
            return
        cut = getattr(self.bench.images, "cut", None)  # a trait that not every painter has
        if cut := cut and cut(self.text):
            self._tell(
                {
                    "event": "warning",
                    "text": f"the painter cannot read all of {self.text!r}: {cut!r} is cut off. Say it in fewer words.",
                }
            )

    def _held(self, state: LoopState, ports: Ports) -> dict[str, HeldOut]:
        if not state["heldout"]:
            return {}
        return {
            name: HeldOut.model_validate(value) for name, value in json.loads(ports.blobs.get(state["heldout"])).items()
        }
