"""Scene graphs of simple English by rules: exact where they understand a whole sentence, and the named fallback elsewhere.

It knows noun phrases ("a tiny crimson disc", "three cats", "a pair of bells"), one relation between two of them and a
background. A word before the noun that is neither a colour nor a size becomes part of the entity's name, so nothing that
the prompt says is left out. Relative clauses, verbs of action and pronouns are beyond it: `simple_scene_graph` then
treats every noun phrase it can cut out as an entity, and says nothing about the rest.
"""

from __future__ import annotations

import re

from ...runtime.errors import CallFailed
from .questioner import Question, SceneGraph, check_words

__all__ = ["NAME", "simple_scene_graph", "understands"]

NAME = "rules for simple English"

_COLORS = frozenset(
    """red crimson scarlet ruby maroon green emerald jade lime olive blue azure cobalt sapphire navy turquoise teal cyan
    yellow lemon golden gold purple violet plum lilac magenta orange tangerine amber black ebony jet white ivory snowy
    pink rose fuchsia brown beige sandy gray grey silver""".split()
)
_SIZES = frozenset(["small", "tiny", "little", "big", "large", "huge", "giant", "tall", "short"])
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_GROUPS = {"pair": 2, "couple": 2, "duo": 2, "trio": 3, "threesome": 3, "quartet": 4, "foursome": 4, "dozen": 12}
_WORDS = {number: word for word, number in _NUMBERS.items()} | {12: "twelve"}
_RELATIONS = (
    "to the left of", "on the left side of", "left of", "to the right of", "on the right side of", "right of", "in front of", "on top of",
    "higher than", "lower than", "next to", "together with", "above", "over", "below", "beneath", "underneath", "under", "behind", "beside",
    "near", "inside", "on",
)  # fmt: skip
_LOOSE = frozenset({"next to", "together with"})  # standing together is no relation to be asked about
_SEEN_FROM = {
    "on its left": "to the left of", "to its left": "to the left of", "on its right": "to the right of", "to its right": "to the right of",
    "above it": "above", "over it": "over", "higher up": "higher than", "below it": "below", "beneath it": "beneath",
    "underneath it": "underneath", "under it": "under",
}  # fmt: skip
_NOT_OF_A_NOUN = frozenset("a an the and or in with that which who on at by for to from is are its his her".split())
_VERB = re.compile(r"\w{3,}ing$")
_OPENING = re.compile(r"^(?:there (?:is|are)|this is|(?:a |an )?(?:picture|photo|image|drawing|painting) of)\s+")
_BACKGROUND = re.compile(r"\s+(?:on|against|with|before)\s+an?\s+(\w+(?: \w+)?)\s+(?:background|backdrop)$")


class _Noun:
    """One noun phrase, read."""

    def __init__(self, phrase: str) -> None:
        words = phrase.split()
        self.count = 1
        if len(words) > 3 and words[0] in ("a", "an") and words[1] in _GROUPS and words[2] == "of":
            self.count, words = _GROUPS[words[1]], words[3:]
        elif words and (words[0] in _NUMBERS or words[0].isdecimal()):
            self.count, words = _NUMBERS.get(words[0]) or int(words[0]), words[1:]
        elif words and words[0] in ("a", "an", "the", "one", "some"):
            words = words[1:]
        self.size = next((word for word in words[:-1] if word in _SIZES), None)
        self.color = next((word for word in words[:-1] if word in _COLORS), None)
        self.name = " ".join(word for word in words if word not in (self.size, self.color) or word == words[-1])


def understands(graph: SceneGraph) -> bool:
    """Whether every word of the graph's text found its place in it, and no entity has swallowed more than a noun."""
    try:
        check_words([node.tuple for node in graph.nodes], graph.text)
    except CallFailed:
        return False
    entities = [
        node.tuple.partition("(")[2].rstrip(")").split() for node in graph.nodes if node.tuple.startswith("entity")
    ]
    return bool(entities) and all(
        len(words) <= 3 and not any(word in _NOT_OF_A_NOUN or _VERB.match(word) for word in words) for words in entities
    )


def simple_scene_graph(text: str) -> SceneGraph:
    """The scene graph of `text`, its words kept: entities, counts, attributes, the relation, the background."""
    line = " ".join(re.sub(r"[^\w\s'-]", " ", text.lower()).split())
    background = _BACKGROUND.search(line)
    if background:
        line = line[: background.start()]
    line = _OPENING.sub("", line)
    first, relation, second = _split(line)
    nouns = [
        _Noun(phrase) for phrase in ([first, second] if second else re.split(r"\s+and\s+", first)) if phrase.strip()
    ]
    names = [noun.name for noun in nouns]
    if len(set(names)) < len(names):  # "a red circle and a blue circle": told apart by their colours
        for noun in nouns:
            noun.name, noun.color = f"{noun.color} {noun.name}" if noun.color else noun.name, None
    nodes: list[Question] = []

    def add(fact: str, question: str, *parents: int) -> None:
        nodes.append(Question(id=len(nodes) + 1, tuple=fact, question=question, parents=parents))

    for noun in nouns:
        article = "an" if noun.name[:1] in "aeio" else "a"
        add(
            f"entity - whole ({noun.name})",
            f"Are there {noun.name}?" if noun.count > 1 else f"Is there {article} {noun.name}?",
        )
    for place, noun in enumerate(nouns, start=1):
        if noun.count > 1:
            number = _WORDS.get(noun.count, str(noun.count))
            add(f"other - count ({noun.name}, =={noun.count})", f"Are there exactly {number} {noun.name}?", place)
    for place, noun in enumerate(nouns, start=1):
        verb = "Are" if noun.count > 1 else "Is"
        if noun.color:
            add(f"attribute - color ({noun.name}, {noun.color})", f"{verb} the {noun.name} {noun.color}?", place)
        if noun.size:
            add(f"attribute - size ({noun.name}, {noun.size})", f"{verb} the {noun.name} {noun.size}?", place)
    if relation and relation not in _LOOSE and len(nouns) == 2:
        one, other = nouns
        add(
            f"relation - spatial ({one.name}, {other.name}, {relation})",
            f"Is the {one.name} {relation} the {other.name}?",
            1,
            2,
        )
    if background:
        add(f"global - background ({background[1]})", f"Is the background {background[1]}?")
    return SceneGraph(text=text, nodes=tuple(nodes), questioner=NAME)


def _split(line: str) -> tuple[str, str | None, str | None]:
    """(first noun phrase, relation, second); the one that the relation is said of comes first."""
    for ending, relation in _SEEN_FROM.items():
        if line.endswith(" " + ending) and " with " in line:
            other, _, one = line[: -len(ending)].strip().partition(" with ")
            return one, relation, other
    for relation in _RELATIONS:
        found = re.search(
            rf"\s+(?:(?:that is|which is|placed|sitting|standing|located)\s+)?{relation}\s+(?=(?:a|an|the|one|two|three|four)\s)",
            line,
        )
        if found:
            return line[: found.start()], relation, line[found.end() :]
    return line, None, None
