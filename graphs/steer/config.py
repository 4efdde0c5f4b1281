"""What can be asked of a search for a steering question."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from ...runtime.session import option
from ..search import SearchConfig

__all__ = ["SteerConfig"]


class SteerConfig(SearchConfig):
    """Which question is to be bettered, towards which cue, and how much accuracy that may cost."""

    FROM_SETTINGS: ClassVar[tuple[str, ...]] = ("vqa",)

    texts: Annotated[
        tuple[str, ...],
        option("your question, with {} in the place of a thing: Is there a {}?", metavar="QUESTION", min_length=1),
    ]
    task: Annotated[str, option("of a search", flag=False)] = ""
    objective: Annotated[str, option("the score to climb", flag=False)] = "bias"
    toward: Annotated[Literal["shape", "texture"], option("the cue that answers are to follow")] = "shape"
    loss: Annotated[
        float,
        option(
            "points of accuracy that it may cost, against your own question; 100: any (the best may be worthless)",
            ge=0,
            le=100,
        ),
    ] = 2.0
    vqa: Annotated[str, option("the vision-language model, as in inloop opt2i")] = "mini"
    llm: Annotated[str, option("chat model that writes the questions; default: words are drawn")] = ""
    on: Annotated[
        str, option("cue-conflict pictures of your own, as in inloop bias; default: drawn ones", metavar="SET")
    ] = ""
    instances: Annotated[
        int, option("groups of 8 pictures that each question is tried on", "search", "N", ge=1, le=256)
    ] = 24
    heldout_seeds: Annotated[
        int, option("unseen groups of 8 pictures for the last check", "search", "N", ge=6, le=64)
    ] = 32
    iterations: Annotated[int, option("rounds of rewriting", "search", "N", ge=1)] = 6
    candidates: Annotated[int, option("questions a round", "search", "N", ge=1, le=50)] = 6
