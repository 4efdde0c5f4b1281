"""What can be asked of OPT2I."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ...runtime.run import RunConfig

__all__ = ["Opt2iConfig"]


def _option(group: str, metavar: str = "N") -> dict[str, Any]:
    return {"group": group, "metavar": metavar}


class Opt2iConfig(RunConfig):
    """What is asked for; models by the specs of `Settings`."""

    SUBJECT: ClassVar[str] = "prompts"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "images", "vqa", "clip")

    prompts: tuple[str, ...] = Field(
        min_length=1,
        description="the prompt to better; several give several searches",
        json_schema_extra={"metavar": "PROMPT"},
    )
    llm: str = Field(
        default="mini-writer",
        description="mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL",
        json_schema_extra=_option("models", "LLM"),
    )
    images: str = Field(
        default="mini",
        description="text-to-image model: mini, a folder, a hub id, or module:object",
        json_schema_extra=_option("models", "ID"),
    )
    vqa: str = Field(
        default="mini",
        description="visual question answering model: mini, a folder, a hub id, or a server's URL",
        json_schema_extra=_option("models", "ID"),
    )
    clip: str = Field(
        default="mini", description="CLIP model: mini, a folder or a hub id", json_schema_extra=_option("models", "ID")
    )
    questioner: str = Field(
        default="",
        description="who writes the questions: an LLM or simple-english (rules); default: the LLM, for mini-writer the rules"
        " where they understand the whole prompt",
        json_schema_extra=_option("models", "WHO"),
    )
    objective: str = Field(
        default="dsg",
        description="what to climb: dsg, dcs, both, or an evaluator of your own (0 to 1): its name, or module:object",
        json_schema_extra=_option("search", "NAME"),
    )
    iterations: int = Field(default=30, ge=1, description="rounds of rewriting", json_schema_extra=_option("search"))
    candidates: int = Field(default=5, ge=1, le=50, description="rewrites a round", json_schema_extra=_option("search"))
    images_per_prompt: int = Field(
        default=4, ge=1, le=64, description="pictures of each rewrite", json_schema_extra=_option("search")
    )
    history: int = Field(
        default=5,
        ge=1,
        le=20,
        description="best rewrites shown to the language model",
        json_schema_extra=_option("search"),
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="the same seed gives the same run",
        json_schema_extra=_option("search"),
    )
    heldout_seeds: int = Field(
        default=8, ge=0, le=64, description="unseen seeds for the last check", json_schema_extra=_option("search")
    )
    baselines: bool = Field(
        default=True, description="compare with equal-budget baselines", json_schema_extra={"group": "search"}
    )

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
