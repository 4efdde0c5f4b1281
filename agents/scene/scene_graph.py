"""A Davidsonian Scene Graph (Cho et al. 2024, arXiv 2310.18235): the questions of one prompt, and which hangs on which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ...runtime.errors import CallFailed
from ...runtime.records import Record

__all__ = ["Parents", "Question", "SceneGraph", "check_edges", "check_graph", "parts_of"]

# the name `tuple` is a field below
Parents = tuple[int, ...]
Words = tuple[str, ...]

_KIND = re.compile(r"^\s*([a-z]+)(?:\s*-\s*([^(]+?))?\s*\((.*)\)\s*$", re.IGNORECASE)


class Question(Record):
    """One node: a `tuple` such as "attribute - color (disc, red)", its yes/no question, the ids of its parents.

    `expected` is the right answer: no for what the prompt says is not there, or is not so.
    """

    id: int
    tuple: str
    question: str
    parents: Parents = ()
    expected: Literal["yes", "no"] = "yes"

    @property
    def label(self) -> str:
        """The question as people and language models are shown it: with the right answer where that is no."""
        return self.question if self.expected == "yes" else f"{self.question} (right answer: no)"


class SceneGraph(Record):
    """The questions of one prompt, parents before or after their children, ids 1 to n in order.

    `questioner` says who wrote them; `unasked` are the content words of the text that no question asks about; `raw` holds the
    replies as they were, by task.
    """

    text: str
    nodes: tuple[Question, ...]
    questioner: str
    unasked: Words = ()
    raw: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def asking(self, questions: Sequence[str]) -> SceneGraph:
        """With questions of one's own, right where the answer is yes; they depend on none of the others."""
        known = {node.question.casefold() for node in self.nodes}
        fresh = [text for text in dict.fromkeys(questions) if text.casefold() not in known]
        own = (
            Question(id=place, tuple=f"own ({text})", question=text)
            for place, text in enumerate(fresh, start=len(self.nodes) + 1)
        )
        return self.model_copy(update={"nodes": (*self.nodes, *own)})


def check_graph(nodes: Sequence[Question]) -> None:
    """Raise `CallFailed` unless ids are 1 to n, tuples differ, and parents exist without a cycle."""
    if [node.id for node in nodes] != list(range(1, len(nodes) + 1)):
        raise CallFailed(f"the ids must be 1 to {len(nodes)} in order; they are {[node.id for node in nodes]}")
    if not nodes:
        raise CallFailed("the scene graph has no questions")
    facts = [node.tuple.lower() for node in nodes]
    if len(set(facts)) < len(facts):
        raise CallFailed(
            f"each tuple must be asked once; these are not: {sorted({f for f in facts if facts.count(f) > 1})}"
        )
    check_edges({node.id: node.parents for node in nodes})


def check_edges(parents: dict[int, tuple[int, ...]]) -> None:
    """Raise `CallFailed` where a parent is missing, or questions depend on each other in a circle."""
    for number, needed in parents.items():
        for parent in needed:
            if parent not in parents:
                raise CallFailed(f"line {number} depends on {parent}, but there is no tuple {parent}")
    done: set[int] = set()
    while len(done) < len(parents):
        free = [number for number, needed in parents.items() if number not in done and done.issuperset(needed)]
        if not free:
            raise CallFailed(f"the tuples {sorted(set(parents) - done)} depend on each other in a circle")
        done.update(free)


def parts_of(fact: str) -> tuple[str, str, list[str]] | None:
    """(kind, subkind, terms) of a tuple such as "attribute - color (disc, red)"; None where it is of another form."""
    match = _KIND.match(fact)
    if match is None:
        return None
    terms = [term.strip() for term in match[3].split(",") if term.strip()]
    return (match[1].lower(), (match[2] or "").strip().lower(), terms) if terms else None
