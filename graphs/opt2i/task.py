"""One prompt: its scene graph and phrases, the search, and the baselines beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ...agents.scene import SceneGraph
from ...evaluators.stats import Unscorable
from ...evaluators.text_image import certainty
from ...runtime.errors import CallFailed
from ...runtime.protocols import Evaluator
from ...runtime.session import Warned
from .ablation import effects_of, shorten
from .ahead import Ahead
from .baselines import blind_paraphrases, more_seeds, one_shot
from .context import Opt2iContext
from .drift import drift_of
from .events import AblationDone, BaselineDone, QuestionsWritten
from .overlap import begin_first
from .parts import Painter, PromptProposer
from .result import Effect, HeldOut, Opt2iTask, Shortened, Trial
from .search import SearchContext
from .searched import searched
from .ways import Baseline

__all__ = ["work"]

_CERTAINLY_READ = 60  # characters: shorter than any text encoder's window; asking would load a tokenizer


async def work(context: Opt2iContext, id: str, prompt: str) -> Opt2iTask:
    """Better one prompt, to its end."""
    return await _Search(context, id, prompt).run()


class _Search:
    def __init__(self, context: Opt2iContext, id: str, prompt: str) -> None:
        self.context, self.config, self.session = context, context.config, context.session
        self.id, self.text = id, prompt
        self.warnings: list[str] = []

    async def run(self) -> Opt2iTask:
        async with Ahead() as ahead:
            return await self._run(ahead)

    async def _run(self, ahead: Ahead) -> Opt2iTask:
        self._warn_of_cut()
        painter = Painter(self.context.images, self._warn, self.context.tell_foreign)
        if self.context.llm_answers and not await self.session.begun(self.id):
            # the first pictures need no questions: they are painted while these are written, by a model that is known to be there
            begin_first(ahead, painter, self.text, self.config.seeds)
        scene, why_not = await self._scene_graph()
        self.context.llm_answers |= scene is not None and bool(scene.raw)
        phrases = await self.context.scenes.phrases(self.text, scene, self._warn)
        if scene is not None:
            self.session.emit(
                QuestionsWritten(
                    task=self.id,
                    text=self.text,
                    questioner=scene.questioner,
                    questions=scene.nodes,
                    unasked=scene.unasked,
                )
            )
        config, context = self.config, self.context
        search = config.search(
            proofs=config.proofs,
            reads=None if context.proposer else context.rewriter.top,
            proposer=context.proposer or self._proposer(),
            realiser=painter,
            evaluators=context.evaluators(self.text, scene or Unscorable("dsg", why_not), phrases),
            objective=context.objective,
            stop=context.stop,
            seeds=config.seeds,
            heldout_seeds=config.unseen,
            blobs=self.session.store.blobs,
            review=config.review,
            asking=partial(self._asking, scene, phrases) if scene else None,
            budget=self.session.budget,
            certainty=lambda name, score: certainty(score) if name == "dsg" else None,
            emit=self.session.emit,
            ahead=ahead,
        )
        found = await searched(self.session, search, id=self.id, text=self.text, rounds=config.iterations)
        state, trials, held, wishes = found.state, found.trials, found.held, found.wishes
        if wishes and wishes.questions and scene is not None:
            scene = scene.asking(wishes.questions)
            search = replace(search, evaluators=context.evaluators(self.text, scene, phrases))
        baselines = await self._baselines(search, trials, held)
        effects, short = (
            await self._ablation(search, held["best" if state["accepted"] else "user"]) if held else ([], None)
        )
        return Opt2iTask(
            id=self.id,
            text=self.text,
            stop=state["stop"],
            iterations=state["iteration"],
            questions=scene.nodes if scene else (),
            questioner=scene.questioner if scene else "",
            unasked=scene.unasked if scene else (),
            phrases=tuple(phrases),
            trials=trials,
            best=found.best,
            accepted=state["accepted"],
            verdict=found.verdict,
            proof=found.look,
            wishes=wishes,
            heldout_seeds=config.unseen,
            heldout=held,
            baselines=tuple(baselines),
            drift=await drift_of(context.clip, held) if held else None,
            effects=tuple(effects),
            shortened=short,
            warnings=tuple(self.warnings),
        )

    def _proposer(self) -> PromptProposer:
        config = self.config
        return PromptProposer(
            self.context.rewriter,
            config.objective,
            self._warn,
            parallel=config.parallel,
            crossover=config.crossover,
            pictures=config.show_pictures,
            diverse=config.diverse,
            embed=self.context.clip.texts if config.diverse > 1 else None,
        )

    def _asking(self, scene: SceneGraph, phrases: list[str], questions: Sequence[str]) -> Mapping[str, Evaluator]:
        return self.context.evaluators(self.text, scene.asking(questions), phrases)

    async def _scene_graph(self) -> tuple[SceneGraph | None, str]:
        """The prompt's questions; where there are none and the search climbs something else, why not."""
        try:
            return await self.context.scenes.scene_graph(self.text, self._warn), ""
        except CallFailed as error:
            if error.retryable or self.config.objective in ("dsg", "both"):
                raise
            self._warn(f"DSG is not scored: {error}")
            return None, str(error)

    async def _baselines(
        self, search: SearchContext, trials: Sequence[Trial], held: Mapping[str, HeldOut]
    ) -> list[Baseline]:
        """What else the same pictures could have bought; nothing where nothing was searched, or the budget is spent."""
        if not self.config.baselines or not held or len(trials) == 1 or self.session.budget.exhausted():
            return []
        ways: Mapping[str, Callable[[], Awaitable[Baseline]]] = {
            "blind paraphrases": lambda: blind_paraphrases(search, self.context.rewriter, trials, held["user"]),
            "more seeds": lambda: more_seeds(search, self.config.extra, trials, held["user"]),
        }
        if self.config.one_shot:
            ways = {**ways, "one-shot feedback": lambda: one_shot(search, trials, held["user"])}
        baselines = []
        for way, spend in ways.items():
            try:
                baselines.append(await spend())
            except CallFailed as error:
                if error.retryable:
                    raise
                self._warn(f"the baseline of {way} could not be had: {error}")
                nothing = dict.fromkeys(search.evaluators)
                baselines.append(Baseline(way=way, text=self.text, gains=nothing, images=0, note="could not be had"))
        for baseline in baselines:
            self.session.emit(BaselineDone(task=self.id, **baseline.model_dump()))
        return baselines

    async def _ablation(self, search: SearchContext, held: HeldOut) -> tuple[list[Effect], Shortened | None]:
        """What the phrases of the text to use add, and the text without the idle ones, where they are asked for."""
        if not (self.config.ablate or self.config.shorten):
            return [], None
        if spent := self.session.budget.exhausted():
            self._warn(f"what the phrases of {held.text!r} add was not looked at: {spent}")
            return [], None
        effects = await effects_of(search, held.text, held)
        short = await shorten(search, held.text, effects, held, self.config.fresh) if self.config.shorten else None
        self.session.emit(AblationDone(task=self.id, text=held.text, effects=tuple(effects), shortened=short))
        return effects, short

    def _warn(self, text: str) -> None:
        self.warnings.append(text)
        self.session.emit(Warned(task=self.id, text=text))

    def _warn_of_cut(self) -> None:
        if len(self.text) < _CERTAINLY_READ:
            return
        cut = getattr(self.context.images, "cut", None)
        lost = cut(self.text) if cut else ""
        if lost:
            self._warn(f"the painter cannot read all of {self.text!r}: {lost!r} is cut off. Say it in fewer words.")
