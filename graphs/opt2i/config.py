"""What can be asked of OPT2I."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...runtime.records import Record

__all__ = ["Opt2iConfig"]


class Opt2iConfig(Record):
    """What is asked for; models by the specs of `Settings`.

    `questioner`: who writes the scene graph, another model or "simple-english". Default: the language model; for mini-writer
    the rules for simple English where they understand the whole prompt, for they make fewer mistakes.
    """

    prompts: tuple[str, ...] = Field(min_length=1)
    llm: str = "mini-writer"
    images: str = "mini"
    vqa: str = "mini"
    clip: str = "mini"
    objective: Literal["dsg", "dcs", "both"] = "dsg"
    iterations: int = Field(default=30, ge=1)
    candidates: int = Field(default=5, ge=1, le=50)
    images_per_prompt: int = Field(default=4, ge=1, le=64)
    history: int = Field(default=5, ge=1, le=20)
    seed: int = Field(default=0, ge=0, le=1_000_000)
    heldout_seeds: int = Field(default=8, ge=0, le=64)
    baselines: bool = True
    budget: str = ""
    questioner: str = ""
    in_flight: int = Field(default=8, ge=1, le=256)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are optimised on."""
        return tuple(self.seed * 100_000 + i for i in range(self.images_per_prompt))

    @property
    def unseen(self) -> tuple[int, ...]:
        """The seeds that nothing is chosen on."""
        return tuple(self.seed * 100_000 + 50_000 + i for i in range(self.heldout_seeds))

    @property
    def extra(self) -> range:
        """Seeds for the baseline of more seeds, apart from the other two."""
        return range(self.seed * 100_000 + 60_000, self.seed * 100_000 + 100_000)
