"""The questions that follow from tuples by rule, and which hangs on which.

A small model that writes the tuples of a prompt right may still lose a question or an edge of them: for those that are tuned to the
compact format, nothing is left to lose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ...runtime.errors import CallFailed
from .noun_phrases import Noun, is_mass, is_plural
from .scene_graph import Parents, Question, parts_of
from .vocabulary import NUMBER_WORDS

__all__ = ["questions_of_tuples"]


def questions_of_tuples(tuples: Sequence[str], text: str) -> list[Question]:
    """The scene graph that the tuples of `text` are, in their order.

    Raises:
        CallFailed: a tuple is of a kind that no rule asks about, or speaks of a thing that has no tuple of its own; it says which.
    """
    parts = [_parts(fact) for fact in tuples]
    counts = {
        terms[0]: int(terms[1].lstrip("= "))
        for kind, subkind, terms in parts
        if (kind, subkind) == ("other", "count") and len(terms) == 2 and terms[1].lstrip("= ").isdecimal()
    }
    things = {
        terms[0]: (place, _noun(terms[0], counts.get(terms[0]), text))
        for place, (kind, subkind, terms) in enumerate(parts, start=1)
        if kind == "entity" and subkind != "absent"
    }

    def thing(name: str, fact: str) -> tuple[int, Noun]:
        if name not in things:
            raise CallFailed(f"{fact!r} speaks of {name!r}, but there is no entity tuple for it")
        return things[name]

    nodes = []
    for place, (fact, (kind, subkind, terms)) in enumerate(zip(tuples, parts, strict=True), start=1):
        expected: Literal["yes", "no"] = "yes"
        parents: Parents = ()
        match kind, subkind, terms:
            case "entity", "absent", [name]:
                expected, question = "no", _noun(name, None, text).existence
            case "entity", _, [name]:
                question = things[name][1].existence
            case "other", "count", [name, said]:
                parent, noun = thing(name, fact)
                number = NUMBER_WORDS.get(counts.get(name, 0), said.lstrip("= "))
                question, parents = f"{noun.verb} there exactly {number} {name}?", (parent,)
            case "attribute", _, [name, value]:
                parent, noun = thing(name, fact)
                question, parents = f"{noun.verb} the {name} {value}?", (parent,)
            case "relation", _, [name, other, words]:
                (one, noun), (two, _) = thing(name, fact), thing(other, fact)
                question, parents = f"{noun.verb} the {name} {words} the {other}?", (one, two)
            case "global", "background", [look]:
                question = f"Is the background {look}?"
            case "global", _, [style]:
                question = f"Is this picture {style}?"
            case _:
                raise CallFailed(f"there is no rule that asks about {fact!r}")
        nodes.append(Question(id=place, tuple=fact, question=question, parents=parents, expected=expected))
    return nodes


def _parts(fact: str) -> tuple[str, str, list[str]]:
    parts = parts_of(fact)
    if parts is None:
        raise CallFailed(f"{fact!r} is not of the form 'kind - subkind (thing, ...)'")
    return parts


def _noun(name: str, count: int | None, text: str) -> Noun:
    plural = is_plural(name) if count is None else count > 1
    counted = re.search(rf"\ban?\s+(?:[\w-]+\s+){{0,2}}{re.escape(name)}\b", text, re.IGNORECASE)
    return Noun(name=name, count=count, plural=plural, mass=is_mass(name) and not counted)
