"""Reads a caption of the world back into its spec, through the rules for simple English and the world's synonyms."""

from __future__ import annotations

from ...agents.scene import NotUnderstood, simple_scene_graph
from .drawing import Group, Spec
from .vocabulary import BACKGROUNDS, COLORS, KINDS, RELATIONS, SIZES, plain_of, plural

__all__ = ["spec_of"]

_SINGULAR = {plural(noun): noun for words in KINDS.values() for noun in words}


def spec_of(text: str) -> Spec | None:
    """The spec that `text` means; None where it holds a word that the world does not know."""
    groups: dict[int, dict[str, object]] = {}
    relation = background = None
    order: dict[str, int] = {}
    try:
        nodes = simple_scene_graph(text).nodes
    except NotUnderstood:
        return None
    for node in nodes:
        kind, _, inside = node.tuple.partition(" (")
        terms = inside[:-1].split(", ")
        if kind == "entity - whole":
            words = terms[0].split()
            color = plain_of(COLORS, words[0]) if len(words) > 1 else None
            noun = " ".join(words[1:]) if color else terms[0]
            plain_kind = plain_of(KINDS, noun) or plain_of(KINDS, _SINGULAR.get(noun, ""))
            if plain_kind is None:
                return None
            order[terms[0]] = len(groups)
            groups[len(groups)] = {"kind": plain_kind, "color": color}
        elif kind == "other - count":
            groups[order[terms[0]]]["count"] = int(terms[1].lstrip("="))
        elif kind in ("attribute - color", "attribute - size"):
            name = kind.rpartition(" ")[2]
            groups[order[terms[0]]][name] = plain_of(COLORS if name == "color" else SIZES, terms[1])
        elif kind == "relation - spatial" and terms[-1] != "next to":  # in this world that is "and"
            relation = plain_of({**RELATIONS, "above": (*RELATIONS["above"], "higher than")}, terms[-1])
            if relation is None:
                return None
        elif kind == "global - background":
            background = plain_of(BACKGROUNDS, terms[0])
    return Spec(groups=tuple(Group(**fields) for fields in groups.values()), relation=relation, background=background)  # type: ignore[arg-type]
