"""What can be asked of OPT2I."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from ...agents.opt2i import Guidance
from ...runtime.errors import BadInput
from ...runtime.run import RunConfig, option
from .proof import FEWEST_PROOFS

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


class Opt2iConfig(RunConfig):
    """What is asked for; models by the specs of `Settings`."""

    SUBJECT: ClassVar[str] = "prompts"
    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("llm", "images", "vqa", "clip")

    prompts: Annotated[
        tuple[str, ...], option("the prompt to better; several give several searches", metavar="PROMPT", min_length=1)
    ]
    llm: Annotated[
        str, option("mini-writer, smollm2, gguf:PATH, http://host:8000/v1[#model], openai:MODEL", "models", "LLM")
    ] = "mini-writer"
    images: Annotated[
        str, option("text-to-image model: mini, a folder, a hub id, or module:object", "models", "ID")
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
    iterations: Annotated[int, option("rounds of rewriting", "search", "N", ge=1)] = 30
    target: Annotated[float, option("stop at this score, in points", "search", "POINTS", gt=0, le=100)] = 100.0
    patience: Annotated[
        int, option("stop after this many rounds without a better prompt; 0: never", "search", "N", ge=0)
    ] = 0
    candidates: Annotated[int, option("rewrites a round", "search", "N", ge=1, le=50)] = 5
    images_per_prompt: Annotated[int, option("pictures of each rewrite", "search", "N", ge=1, le=64)] = 4
    race: Annotated[
        Literal["none", "abandon", "halve"],
        option(
            "abandon: no more pictures of a rewrite that cannot reach the best any more (the same best, fewer pictures);"
            " halve: more and more pictures for the better half (ask for more rewrites)",
            "search",
        ),
    ] = "none"
    history: Annotated[int, option("best rewrites shown to the language model", "search", "N", ge=1, le=20)] = 5
    keep: Annotated[
        Literal["best", "front"],
        option(
            "what is shown: the best rewrites, or beside the best one those that do best at some question", "search"
        ),
    ] = "best"
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
    restart: Annotated[
        int,
        option(
            "start from your prompt again after so many rounds without a better rewrite; 0: never", "search", "N", ge=0
        ),
    ] = 0
    review: Annotated[
        bool, option("ask a person after each round: keep, ban a word, try a text, add a question, stop", "search")
    ] = False
    seed: Annotated[int, option("the same seed gives the same run", "search", "N", ge=0, le=1_000_000)] = 0
    heldout_seeds: Annotated[int, option("unseen seeds for the last check", "search", "N", ge=0, le=64)] = 8
    prove: Annotated[
        int,
        option(
            "believe a gain only once it is proven on so many more unseen seeds at most, looked at a few at a time; 0: one look at the"
            " unseen seeds",
            "search",
            "N",
            ge=0,
            le=1000,
        ),
    ] = 0
    until: Annotated[
        Literal["target", "proven"], option("proven: stop as soon as a gain is proven (with --prove)", "search")
    ] = "target"
    baselines: Annotated[bool, option("compare with equal-budget baselines", "search")] = True
    one_shot: Annotated[
        bool,
        option("a baseline more: candidates from the feedback on your prompt alone (the paper's table 5)", "search"),
    ] = False
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

    @model_validator(mode="after")
    def _race_is_exact(self) -> Self:
        if self.race == "abandon" and self.keep == "front":
            raise BadInput(
                "race='abandon' with keep='front': a rewrite that is not among the best may be the best at one question. Leave one of them out."
            )
        return self

    @model_validator(mode="after")
    def _proof_has_seeds(self) -> Self:
        if 0 < self.prove < FEWEST_PROOFS:
            raise BadInput(
                f"prove={self.prove}: not even the largest gain is proven on fewer than {FEWEST_PROOFS} seeds. Give {FEWEST_PROOFS} or more."
            )
        if self.until == "proven" and not self.prove:
            raise BadInput("until='proven' without prove: say how many unseen seeds a proof may take, as in prove=64.")
        return self

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that are optimised on."""
        return tuple(self.seed * 100_000 + i for i in range(self.images_per_prompt))

    @property
    def unseen(self) -> tuple[int, ...]:
        """The seeds that nothing is chosen on."""
        return tuple(self.seed * 100_000 + 50_000 + i for i in range(self.heldout_seeds))

    @property
    def fresh(self) -> tuple[int, ...]:
        """As many seeds for a prompt that was shortened on the unseen ones."""
        return tuple(self.seed * 100_000 + 55_000 + i for i in range(self.heldout_seeds))

    @property
    def proofs(self) -> tuple[int, ...]:
        """The seeds that a gain is proven on; those that are reported are others."""
        return tuple(self.seed * 100_000 + 56_000 + i for i in range(self.prove))

    @property
    def extra(self) -> range:
        """Seeds for the baseline of more seeds, apart from all others."""
        return range(self.seed * 100_000 + 60_000, self.seed * 100_000 + 100_000)
