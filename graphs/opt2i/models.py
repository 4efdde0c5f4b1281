"""The models that a run of OPT2I opens."""

from __future__ import annotations

from ...agents.scene import SceneWriter
from ...runtime.llm import OpenAIChat, open_chat
from ...runtime.protocols import Identified
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.encoders import open_clip
from ...tools.images import open_images
from ...tools.vision import open_vqa
from .config import Opt2iConfig


class _Bench:
    """The opened models of one run, shared by its prompts."""

    def __init__(self, config: Opt2iConfig, store: Store, settings: Settings) -> None:
        self.config, self.store = config, store
        self.images = open_images(config.images, store, settings)
        self.vqa = open_vqa(config.vqa, store, settings)
        self.clip = open_clip(config.clip, store, settings)
        self.chat = open_chat(config.llm, store, settings)
        other = config.questioner not in ("", config.llm, "simple-english")
        self.asker = open_chat(config.questioner, store, settings) if other else self.chat
        by_rules = config.questioner == "simple-english"
        # a model that was asked for by name writes the questions itself
        self.writer = SceneWriter(None if by_rules else self.asker, rules_first=False if config.questioner else None)

    async def close(self) -> None:
        """Stop the embedded server and free the models."""
        for opened in (self.images, self.vqa, self.clip, self.chat, self.asker):
            await close(opened)

    def models(self) -> dict[str, dict[str, str]]:
        named: dict[str, Identified] = {
            "llm": self.chat,
            "images": self.images,
            "vqa": self.vqa,
            "clip": self.clip,
            "questioner": self.asker,
        }
        return {role: {"id": tool.model, "revision": tool.revision} for role, tool in named.items()}

    def notes(self) -> list[str]:
        """What the language models' servers could not do."""
        opened = (self.chat, self.asker, getattr(self.vqa, "chat", None))
        return [note for chat in opened if isinstance(chat, OpenAIChat) for note in chat.notes]
