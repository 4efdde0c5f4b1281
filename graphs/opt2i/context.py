"""What the prompts of one run share: the opened models, who writes scene graphs, and what the caller brought along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...agents.opt2i import Rewriter
from ...agents.scene import SceneGraph, SceneWriter
from ...evaluators.run import METRICS, open_evaluator
from ...evaluators.stats import Unscorable
from ...evaluators.text_image import DCS, DSG, Panel, TextSimilarity
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import Chat, Evaluator
from ...runtime.records import BlobRef
from ...runtime.registry import is_object
from ...runtime.session import Session, Warned
from ...tools.encoders import open_clip
from ...tools.images import open_images
from ...tools.vision import EnsembleVQA, foreign_note, open_vqa
from .config import Opt2iConfig
from .search import Objective, Proposer, StopRule

__all__ = ["Opt2iContext"]

_OWN = ("dsg", "dcs")
_ROLES = ("llm", "images", "vqa", "clip", "questioner")


class Opt2iContext:
    """The models of a run, opened once, and the parts that its prompts' searches are made of."""

    def __init__(self, config: Opt2iConfig, session: Session) -> None:
        self.config, self.session = config, session
        session.brought("models", _ROLES)
        self.brought = self._brought()
        self.objective = self._objective()
        config.floors.check((*_OWN, *self.brought, TextSimilarity.name))
        self.images = session.open("images", open_images, config.images)
        self.vqa = session.open("vqa", open_vqa, config.vqa)
        self.panel = Panel(self.vqa) if isinstance(self.vqa, EnsembleVQA) else None
        self.clip = session.open("clip", open_clip, config.clip)
        self.chat: Chat = session.open("llm", open_chat, config.llm)
        by_rules = config.questioner == "simple-english"
        another = config.questioner not in ("", config.llm, "simple-english") or "questioner" in session.parts.get(
            "models", {}
        )
        questioner = session.open("questioner", open_chat, config.questioner) if another else self.chat
        # a model that was asked for by name writes the questions itself
        self.scenes = SceneWriter(None if by_rules else questioner, rules_first=False if config.questioner else None)
        self._told_foreign = False
        self.llm_answers = False
        """Whether the language model has answered in this run: until then nothing is paid for that needs its answer to be of use."""
        if self.chat.tuned_to == "mini" and (config.crossover or config.show_pictures):
            asked = "crossover" if config.crossover else "show_pictures"
            raise BadInput(
                f"{asked} with {config.llm!r}: it was not taught that. Leave it out, or serve a larger language model."
            )
        self.rewriter = Rewriter(
            self.chat,
            "mini" if self.chat.tuned_to == "mini" else "paper",
            guidance=config.guidance,
            top=config.history,
        )

    def evaluators(self, text: str, scene: SceneGraph | Unscorable, phrases: list[str]) -> dict[str, Evaluator]:
        """The scores of one prompt's pictures: DSG (or why there is none), dCS, what the caller brought, and similarity where it is looked at."""
        near = TextSimilarity(self.clip, text)
        return {
            "dsg": scene if isinstance(scene, Unscorable) else self._dsg(scene),
            "dcs": DCS(self.clip, phrases),
            **self.brought,
            **({near.name: near} if self._looks_at_similarity else {}),
        }

    @property
    def _looks_at_similarity(self) -> bool:
        """As one of the objectives of a front, or because it must not fall."""
        return self.config.keep == "front" or TextSimilarity.name in self.config.floors.least

    def _dsg(self, scene: SceneGraph) -> Evaluator:
        return DSG(self.vqa, scene) if self.panel is None else self.panel.dsg(scene)

    def tell_foreign(self, pictures: Sequence[BlobRef]) -> None:
        """Say, once a run, that bundled judges are shown what they cannot know (`tools.vision.foreign_note`): before much is paid for."""
        if self._told_foreign or self.images.model == "mini-diffusion":
            return
        shown = map(self.session.store.blobs.get_image, pictures)
        if note := foreign_note({"--vqa": self.vqa, "--clip": self.clip}, shown):
            self._told_foreign = True
            self.session.emit(Warned(text=note))

    @property
    def proposer(self) -> Proposer | None:
        """The caller's own proposer, where there is one."""
        return self.session.parts.get("proposer")

    @property
    def stop(self) -> StopRule:
        """When a search ends: the caller's rule, or the loop's."""
        return self.config.ending(self.session.parts.get("stop"))

    def _brought(self) -> dict[str, Evaluator]:
        """The caller's own evaluators, and the one that the objective names: of a package, or as `module:object`."""
        given: dict[str, object] = dict(self.session.parts.get("evaluators", {}))
        name = self.config.objective
        if name not in given and (is_object(name) or name in METRICS.packages):
            given[name] = name
        evaluators = {
            name: open_evaluator(each, self.session.store, self.session.settings) for name, each in given.items()
        }
        for name, evaluator in evaluators.items():
            self.session.opened[name] = evaluator  # named in the result, with what it has to say
            if evaluator is not given[name]:
                self.session.close_later(evaluator)
        return evaluators

    def _objective(self) -> Objective:
        own = self.session.parts.get("objective")
        if own is not None:
            return _checked(own)
        name = self.config.objective
        if name == "both":
            return _mean_of_both
        known = (*_OWN, *self.brought)
        if name not in known:
            raise BadInput(
                f"objective {name!r}: there is no such score; there are {', '.join(known)} and both. Bring your own with evaluators=."
            )
        return lambda scores: scores[name]


def _checked(objective: Any) -> Objective:
    if not callable(objective):
        raise BadInput(f"objective {objective!r}: give the name of a score, or a function of the scores by name.")
    call: Callable[[Mapping[str, float | None]], float | None] = objective
    return call


def _mean_of_both(scores: Mapping[str, float | None]) -> float | None:
    dsg, dcs = scores["dsg"], scores["dcs"]
    return None if dsg is None or dcs is None else (dsg + dcs) / 2
