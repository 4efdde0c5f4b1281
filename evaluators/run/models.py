"""The models behind the metrics of one run: each is opened when the first metric asks for it, and shared by all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...agents.scene import SceneWriter
from ...runtime.protocols import Chat, Detector, Embedder, VisualQA
from ...runtime.roles import close
from ..text_image import Panel, Rule

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store
    from ...tools.rewards import RewardModel

__all__ = ["ROLES", "MetricModels", "Options"]

ROLES = ("vqa", "clip", "detector", "llm", "questioner")
"""The models that a caller can bring along."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the metrics of one run are computed.

    A `vqa` of several makes DSG an ensemble of scores (`Panel`); the other metrics take their mean answers. `template` is VQAScore's, "" its own. `geneval` is
    a file of GenEval's requirements, for prompts that bring none. `rewards`: the checkpoint of a reward by its metric, where
    it is not the public one.
    """

    vqa: str = "mini"
    clip: str = "mini"
    detector: str = "ssd"
    llm: str = "mini-writer"
    questioner: str = ""
    dsg_rule: Rule = "strict"
    lazy: bool = False
    long: Literal["refuse", "window"] = "refuse"
    template: str = ""
    questions: Path | None = None
    geneval: Path | None = None
    rewards: Mapping[str, str] = field(default_factory=dict)
    warn: Callable[[str], None] = field(default=lambda text: None)


class MetricModels:
    """The models of one run; `opened` holds them by name, `given` are a caller's own by role (`ROLES`)."""

    def __init__(
        self,
        options: Options,
        store: Store,
        settings: Settings,
        *,
        opened: dict[str, Any],
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.options, self.store, self.settings = options, store, settings
        self._opened, self._given, self._ours = opened, given or {}, list[Any]()
        self.panel: Panel | None = None

    def once(self, name: str, make: Callable[[], Any], *, given: Any = None) -> Any:
        """What `make` opened under that name, the first time; what was `given` by a caller stays the caller's to close."""
        if name not in self._opened:
            part = self._opened[name] = make()
            if part is not given:
                self._ours.append(part)
        return self._opened[name]

    def _model(self, role: str, name: str, opener: Callable[[Any, Store, Settings], Any], spec: str) -> Any:
        part = self._given.get(role, spec)
        return self.once(name, lambda: opener(part, self.store, self.settings), given=part)

    def vqa(self) -> VisualQA:
        """The VQA model, which may be several as one."""
        from ...tools.vision import EnsembleVQA, open_vqa

        vqa: VisualQA = self._model("vqa", f"vqa {self.options.vqa}", open_vqa, self.options.vqa)
        if self.panel is None and isinstance(vqa, EnsembleVQA):
            self.panel = Panel(vqa)
        return vqa

    def clip(self) -> Embedder:
        """The CLIP model."""
        from ...tools.encoders import open_clip

        clip: Embedder = self._model("clip", "clip", open_clip, self.options.clip)
        return clip

    def detector(self) -> Detector:
        """The object detector."""
        from ...tools.vision import open_detector

        detector: Detector = self._model("detector", "detector", open_detector, self.options.detector)
        return detector

    def reward(self, name: str) -> RewardModel:
        """The reward model of that name."""
        from ...tools.rewards import open_reward

        spec = self.options.rewards.get(name, "")
        reward: RewardModel = self.once(name, lambda: open_reward(name, spec, self.store, self.settings))
        return reward

    def writer(self) -> SceneWriter:
        """Who writes questions and phrases."""
        from ...runtime.llm import open_chat

        options = self.options
        named = bool(options.questioner) or "questioner" in self._given
        if options.questioner == "simple-english" and "questioner" not in self._given:
            return SceneWriter(None, tell=options.warn)
        spec = options.questioner or options.llm
        chat: Chat = self._model("questioner" if named else "llm", f"llm {spec}", open_chat, spec)
        return SceneWriter(chat, rules_first=False if named else None, tell=options.warn)

    async def close(self) -> None:
        """Free the models."""
        for model in self._ours:
            await close(model)
