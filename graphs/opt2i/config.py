"""What can be asked of OPT2I."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from ...agents.opt2i import Guidance
from ...runtime.errors import BadInput
from ...runtime.session import option
from .machine_config import MachineConfig

__all__ = ["PAPER", "Opt2iConfig"]


PAPER = {
    "iterations": 30,
    "candidates": 5,
    "images_per_prompt": 4,
    "history": 5,
    "guidance": "prioritize",
    "patience": 0,
    "race": "none",
    "until": "target",
    "keep": "best",
    "parallel": 1,
    "diverse": 1,
    "crossover": False,
    "show_pictures": 0,
    "restart": 0,
    "review": False,
}
"""The paper's own (appendices A and B): five candidates in one reply at temperature 1, four pictures on four fixed seeds."""


class Opt2iConfig(MachineConfig):
    """What is asked for; models by the specs of `Settings`."""

    SUBJECT: ClassVar[str] = "prompts"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "images", "vqa", "clip")

    prompts: Annotated[
        tuple[str, ...], option("the prompt to better; several give several searches", metavar="PROMPT", min_length=1)
    ]
    llm: Annotated[
        str,
        option(
            "mini-writer, smollm2, gguf:PATH, http://host:8000/v1[,http://...][#model], openai:MODEL", "models", "LLM"
        ),
    ] = "mini-writer"
    images: Annotated[
        str,
        option(
            "text-to-image model: mini, a folder, a hub id, a server's URL, pictures:FOLDER, or module:object",
            "models",
            "ID",
        ),
    ] = "mini"
    vqa: Annotated[
        str,
        option(
            "visual question answering model: mini, a folder, a hub id, or a server's URL; 'A + B' or a certificate: several as one",
            "models",
            "ID",
        ),
    ] = "mini"
    clip: Annotated[str, option("CLIP model: mini, a folder or a hub id", "models", "ID")] = "mini"
    questioner: Annotated[
        str,
        option(
            "who writes the questions: an LLM or simple-english (rules); default: the LLM, for mini-writer the rules"
            " where they understand the whole prompt",
            "models",
            "WHO",
        ),
    ] = ""
    objective: Annotated[
        str,
        option(
            "what to climb: dsg, dcs, both, or an evaluator of your own (0 to 1): its name, or module:object",
            "search",
            "NAME",
        ),
    ] = "dsg"
    preset: Annotated[
        Literal["none", "paper"],
        option("paper: the settings of the OPT2I paper, exactly; another value beside it is an error", "search"),
    ] = "none"
    guidance: Annotated[
        Guidance,
        option(
            "what the meta-prompt asks of a general model (mini-writer has its own): the paper's ablation",
            "search",
            "KIND",
        ),
    ] = "prioritize"
    images_per_prompt: Annotated[int, option("pictures of each rewrite", "search", "N", ge=1, le=64)] = 4
    parallel: Annotated[
        int,
        option(
            "proposals at once, each from fewer of the best rewrites than the one before", "search", "N", ge=1, le=8
        ),
    ] = 1
    diverse: Annotated[
        int,
        option("ask for N times the rewrites and keep those that differ most (by --clip)", "search", "N", ge=1, le=10),
    ] = 1
    crossover: Annotated[
        bool, option("let the language model join the best rewrite with one that does well where it fails", "search")
    ] = False
    show_pictures: Annotated[
        int,
        option(
            "show the language model so many pictures of each of the best rewrites (it must see)",
            "search",
            "N",
            ge=0,
            le=4,
        ),
    ] = 0
    review: Annotated[
        bool, option("ask a person after each round: keep, ban a word, try a text, add a question, stop", "search")
    ] = False
    baselines: Annotated[bool, option("compare with equal-budget baselines", "search")] = True
    one_shot: Annotated[
        bool,
        option("a baseline more: candidates from the feedback on your prompt alone (the paper's table 5)", "search"),
    ] = False
    reference: Annotated[
        str | None,
        option(
            "real pictures: precision, recall and FID (by --clip) of the pictures of all prompts on unseen seeds, before and after",
            "search",
            "DIR",
        ),
    ] = None
    ablate: Annotated[bool, option("tell what each phrase of the prompt adds on the unseen seeds", "search")] = False
    shorten: Annotated[
        bool, option("leave out the phrases that add nothing, where that is no loss on fresh seeds", "search")
    ] = False

    @model_validator(mode="after")
    def _as_published(self) -> Self:
        differing = {name: value for name, value in PAPER.items() if getattr(self, name) != value}
        if self.preset == "paper" and differing:
            wanted = ", ".join(f"{name}={value}" for name, value in differing.items())
            raise BadInput(
                f"preset='paper' with other settings: the paper has {wanted}. Leave them out, or the preset."
            )
        return self

    @model_validator(mode="after")
    def _ablation_has_seeds(self) -> Self:
        if (self.ablate or self.shorten) and not self.heldout_seeds:
            asked = "shorten" if self.shorten else "ablate"
            raise BadInput(f"{asked} with heldout_seeds=0: what a phrase adds is told on unseen seeds. Give 8 or more.")
        return self

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are optimised on."""
        return self.first(self.images_per_prompt)

    @property
    def fresh(self) -> tuple[int, ...]:
        """As many seeds for a prompt that was shortened on the unseen ones."""
        return tuple(self.seed * 100_000 + 55_000 + i for i in range(self.heldout_seeds))

    @property
    def extra(self) -> range:
        """Seeds for the baseline of more seeds, apart from all others."""
        return range(self.seed * 100_000 + 60_000, self.seed * 100_000 + 100_000)
