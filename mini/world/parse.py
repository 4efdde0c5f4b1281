"""Reads a caption of the world back into its spec and its choice of words, through the rules for simple English and the world's synonyms."""

from __future__ import annotations

from collections.abc import Sequence

from ...agents.scene import NotUnderstood, Question, simple_scene_graph
from .drawing import Group, Spec
from .grammar import ORDERS, Phrase, Wording
from .vocabulary import BACKGROUNDS, COLORS, COUNTS, KINDS, RELATIONS, SIZES, plain_of, plural

__all__ = ["spec_of", "wording_of"]

_SINGULAR = {plural(noun): noun for words in KINDS.values() for noun in words}


def _nodes(text: str) -> Sequence[Question]:
    try:
        return simple_scene_graph(text).nodes
    except NotUnderstood:
        return ()


def spec_of(text: str) -> Spec | None:
    """The spec that `text` means; None where it holds a word that the world does not know."""
    groups: dict[int, dict[str, object]] = {}
    relation = background = None
    order: dict[str, int] = {}
    for node in _nodes(text):
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
    if not groups:
        return None
    return Spec(groups=tuple(Group(**fields) for fields in groups.values()), relation=relation, background=background)  # type: ignore[arg-type]


def wording_of(text: str) -> Wording | None:
    """The choice of words of a caption; None where it is none of the world's, to the letter."""
    spec = spec_of(text)
    if spec is None:
        return None
    nodes = [(kind, inside[:-1].split(", ")) for kind, _, inside in (n.tuple.partition(" (") for n in _nodes(text))]
    names = [terms[0] for kind, terms in nodes if kind == "entity - whole"]

    def term(kind: str, name: str) -> str | None:
        return next((terms[1] for each, terms in nodes if each == kind and terms[0] == name), None)

    phrases = []
    for name, group in zip(names, spec.groups, strict=True):
        # of two things with one name the name holds the colour
        shade = name.partition(" ")[0]
        color = term("attribute - color", name) or (shade if group.color and plain_of(COLORS, shade) else None)
        noun = name.removeprefix(f"{color} ") if color else name
        phrases.append(
            Phrase(
                noun=_SINGULAR.get(noun, noun) if group.count > 1 else noun, color=color,
                size=term("attribute - size", name), count=group.count,
                counter=max((words for words in COUNTS.get(group.count, ()) if words in text), key=len, default=None),
            )
        )  # fmt: skip
    relation = next((terms[-1] for kind, terms in nodes if kind == "relation - spatial" and spec.relation), None)
    background = next((terms[0] for kind, terms in nodes if kind == "global - background"), None)
    for order in range(ORDERS):
        wording = Wording(phrases=tuple(phrases), relation=relation, background=background, syntax=order).settled()
        if wording.text == text:
            return wording
    return None
