"""Noun phrases of a prompt, for OPT2I's decomposed CLIPScore, dCS (arXiv 2403.17804, section 3.3 and Prompt 1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.text import lines_of
from .scene_graph import Question, SceneGraph, parts_of

__all__ = ["Phraser", "from_scene_graph", "parse_phrases"]

_NUMBERS = {
    1: "one",
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
}
# English order of adjectives; what is not listed stands last, in the order of the graph
_ORDER = ("size", "shape", "age", "state", "color", "texture", "material", "type")
_LONGEST = 200


class Phraser:
    """Asks `chat` for the noun phrases; `repairs` is how often an unusable reply is sent back."""

    def __init__(self, chat: Chat, *, repairs: int = 2) -> None:
        self.chat = chat
        self.repairs = repairs

    async def phrases(self, text: str) -> list[str]:
        """The noun phrases of `text`, in its order.

        Raises:
            CallFailed: no usable answer after the repairs.
        """
        if not text.strip():
            raise BadInput(f"the prompt {text!r} is empty: it has no noun phrases.")
        sections = load("scene/noun_phrases").messages(prompt=" ".join(text.split()))
        messages = [Message(role=role, content=content) for role, content in sections]
        problem = ""
        for attempt in range(self.repairs + 1):
            reply = await self.chat.complete(messages, seed=attempt, temperature=0.0, max_tokens=256)
            try:
                return parse_phrases(reply.text, text)
            except CallFailed as error:
                problem = str(error)
            repair = load("scene/repair").render(problem=problem)
            messages += [Message(role="assistant", content=reply.text), Message(role="user", content=repair)]
        raise CallFailed(
            f"{self.chat.model} wrote no usable noun phrases for {text!r} in {self.repairs + 1} tries."
            f" The last problem: {problem}"
        )


def parse_phrases(reply: str, text: str) -> list[str]:
    """The phrases of a reply, without repetitions; each must take half of its words from `text`. Raises `CallFailed`."""
    reply = re.sub(r"```\w*", "", reply)
    # an introduction on the line of the answer ends with a colon
    lines = [re.sub(r"^[^,:]{0,60}:\s*", "", line) for line in lines_of(reply)]
    words = _content(text)
    phrases: dict[str, str] = {}
    for piece in re.split(r"[,;\n]", "\n".join(lines)):
        phrase = re.sub(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+", "", piece).strip().strip("\"'`*.[]“” ")
        if phrase:
            phrases.setdefault(phrase.lower(), phrase)
    if not phrases:
        raise CallFailed("there are no noun phrases in the reply")
    for phrase in phrases.values():
        told = _content(phrase)
        if len(phrase) > _LONGEST or 2 * len(told & words) < len(told) or not told:
            raise CallFailed(f"{phrase[:80]!r} is no noun phrase of the description; copy its words")
    return list(phrases.values())


def _content(text: str) -> set[str]:
    """The words that carry meaning, without a plural s."""
    return {word.rstrip("s") for word in re.findall(r"\w+", text.lower())} - {"a", "an", "the", "of", ""}


def from_scene_graph(graph: SceneGraph | Sequence[Question]) -> list[str]:
    """The entities of a scene graph with their counts and attributes: "two small red stars". Needs no model.

    An attribute or count belongs to the entity among its parents, else to the one of the same name. What is denied has no phrase. The article is the
    one of the entity's question ("Is there a disc?").
    """
    nodes = tuple(node for node in (graph.nodes if isinstance(graph, SceneGraph) else graph) if node.expected == "yes")
    read = {node.id: parsed for node in nodes if (parsed := parts_of(node.tuple)) is not None}
    entities = {node.id: read[node.id][2][0] for node in nodes if node.id in read and read[node.id][0] == "entity"}
    attributes: dict[int, list[tuple[int, str]]] = {number: [] for number in entities}
    counts: dict[int, str] = {}
    for node in nodes:
        if node.id not in read or node.id in entities or len(read[node.id][2]) < 2:
            continue
        kind, subkind, terms = read[node.id]
        owner = next((parent for parent in node.parents if parent in entities), None)
        if owner is None:
            owner = next((number for number, name in entities.items() if name.lower() == terms[0].lower()), None)
        if owner is None:
            continue
        if kind == "attribute" and len(terms) == 2:
            rank = _ORDER.index(subkind) if subkind in _ORDER else len(_ORDER)
            attributes[owner].append((rank, terms[1]))
        elif subkind == "count":
            digits = terms[1].lstrip("= ")
            counts[owner] = _NUMBERS.get(int(digits), digits) if digits.isdecimal() else digits
    phrases = []
    for node in nodes:
        if node.id in entities:
            told = [value for _, value in sorted(attributes[node.id], key=lambda pair: pair[0])]
            body = " ".join([*told, entities[node.id]])
            phrases.append(f"{counts[node.id]} {body}" if node.id in counts else _with_article(body, node.question))
    return list(dict.fromkeys(phrases))


def _with_article(body: str, question: str) -> str:
    if not re.match(r"\s*(is|does|can) .*?\b(a|an)\b", question, re.IGNORECASE):
        return body
    return f"{'an' if body[:1].lower() in 'aeio' else 'a'} {body}"
