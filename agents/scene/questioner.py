"""The questioner: a Davidsonian Scene Graph of a prompt (Cho et al. 2024, arXiv 2310.18235, section 3) in three calls.

First the tuples; then, from prompt and tuples, the questions and the dependencies at the same time. A model that is tuned to the
compact format writes the tuples alone, and the rest follows by rule. A reply that cannot be parsed, or that does not fit the
tuples, is sent back with the reason, a bounded number of times; then the graph is a clear failure. Nothing is mended in silence:
an edge to a missing tuple would change scores unseen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.session import both
from ...runtime.text import lines_of
from ...runtime.transport import numbered_from
from .coverage import dropped_negation, unasked
from .negation import denied, positive
from .scene_graph import Parents, Question, SceneGraph, check_edges, check_graph
from .tuple_questions import questions_of_tuples

__all__ = ["Questioner"]

Style = Literal["dsg", "mini"]
T = TypeVar("T")

_TUPLE = re.compile(r"^[a-z]+( - [\w ./'-]+)? \(.+\)$", re.IGNORECASE)
_MOST = 60
# words that carry no fact of their own: articles, copulas, the frame of a sentence, the way two things are put together
_GLUE = frozenset(
    """a an the of to on in at it its and with is are that which there this picture image photo placed sitting standing
    against background backdrop together next side higher up than""".split()
)
_NUMBER_WORDS = frozenset(
    """two three four five six seven eight nine ten pair couple trio threesome quartet foursome
    dozen""".split()
)


class Questioner:
    """Writes scene graphs with `chat`.

    Args:
        style: "dsg" for general models (`prompts/scene/dsg_*.md`), "mini" for mini-writer (`prompts/scene/mini_tuples.md`).
        repairs: how often a reply that cannot be used is sent back, for each of the three tasks.
    """

    def __init__(self, chat: Chat, style: Style = "dsg", *, repairs: int = 2) -> None:
        if style not in ("dsg", "mini"):
            raise BadInput(f"style {style!r} is unknown: give 'dsg' or 'mini'.")
        self.chat = chat
        self.style = style
        self.repairs = repairs

    @property
    def name(self) -> str:
        """What the report says: who wrote the questions."""
        return f"{self.chat.model} ({self.style})"

    async def questions(self, text: str) -> SceneGraph:
        """The scene graph of `text`.

        Raises:
            CallFailed: a task gave nothing usable after its repairs; it names the task and the last reason.
        """
        if not text.strip():
            raise BadInput(f"the prompt {text!r} is empty: there is nothing to ask about.")
        line = " ".join(text.split())
        raw: dict[str, tuple[str, ...]] = {}
        if self.style == "mini":
            return self._graph(
                text, await self._task("tuples", {"prompt": line}, lambda reply: _compact(reply, line), raw), raw
            )
        tuples = await self._task("tuples", {"prompt": line}, lambda reply: _with_negation(reply, line), raw)
        shown = {"prompt": line, "tuples": "\n".join(f"{place} | {fact}" for place, fact in enumerate(tuples, start=1))}
        asked, parents = await both(
            self._task("questions", shown, lambda reply: parse_questions(reply, len(tuples)), raw),
            self._task("dependencies", shown, lambda reply: parse_dependencies(reply, len(tuples)), raw),
        )
        nodes = [
            _node(place, fact, question, needed)
            for place, (fact, question, needed) in enumerate(zip(tuples, asked, parents, strict=True), start=1)
        ]
        return self._graph(text, nodes, raw)

    def _graph(self, text: str, nodes: Sequence[Question], raw: dict[str, tuple[str, ...]]) -> SceneGraph:
        check_graph(nodes)
        return SceneGraph(text=text, nodes=tuple(nodes), questioner=self.name, unasked=unasked(text, nodes), raw=raw)

    async def _task(
        self, task: str, values: dict[str, str], parse: Callable[[str], T], raw: dict[str, tuple[str, ...]]
    ) -> T:
        sections = load(f"scene/{self.style}_{task}").messages(**values)
        messages = [Message(role=role, content=content) for role, content in sections]
        problem = ""
        for attempt in range(self.repairs + 1):
            # mini-writer knows no second turn: it gets the same question and another seed
            warm = self.style == "mini" and attempt > 0
            reply = await self.chat.complete(
                messages,
                seed=attempt,
                temperature=0.5 if warm else 0.0,
                max_tokens=512 if self.style == "mini" else 1024,
            )
            raw[task] = (*raw.get(task, ()), reply.text)
            try:
                if "length" in reply.finish_reasons:
                    raise CallFailed("it was cut off at the token limit; write less")
                return parse(reply.text)
            except CallFailed as error:
                problem = str(error)
            if self.style == "dsg":
                repair = load("scene/repair").render(problem=problem)
                messages += [Message(role="assistant", content=reply.text), Message(role="user", content=repair)]
        raise CallFailed(
            f"{self.chat.model} wrote no usable {task} for {values['prompt']!r} in {self.repairs + 1} tries."
            f" The last problem: {problem}"
        )


def _compact(reply: str, text: str) -> list[Question]:
    """The scene graph of the tuples that a model in the compact format wrote of `text`."""
    tuples = _with_negation(reply, text)
    check_words(tuples, text)
    return questions_of_tuples(tuples, text)


def _with_negation(reply: str, text: str) -> list[str]:
    tuples = parse_tuples(reply)
    if word := dropped_negation(text, tuples):
        raise CallFailed(
            f"the description says {word!r}, but no tuple does: write what is not there as 'entity - absent (thing)'"
        )
    return tuples


def _node(place: int, fact: str, question: str, parents: Parents) -> Question:
    """A node whose question is put positively: "Is there no disc?" is asked as "Is there a disc?", the right answer being no."""
    asked, negative = positive(question)
    if not negative and "text" not in fact.partition("(")[0]:
        negative = denied(fact) and not denied(question)
    return Question(id=place, tuple=fact, question=asked, parents=parents, expected="no" if negative else "yes")


def parse_tuples(reply: str) -> list[str]:
    """The tuples of a reply, renumbered from 1; raises `CallFailed` with words that can be shown to the model."""
    rows = _numbered(reply)
    facts = [" ".join(row.split()) for _, row in sorted(rows.items())]
    if sorted(rows) != list(range(1, len(rows) + 1)):
        raise CallFailed(f"the numbers must go from 1 to {len(rows)} without a gap; they are {sorted(rows)}")
    for fact in facts:
        if not _TUPLE.match(fact):
            raise CallFailed(f"{fact!r} is not of the form 'kind - subkind (thing, ...)'")
    twice = sorted({fact for fact in facts if [other.lower() for other in facts].count(fact.lower()) > 1})
    if twice:
        raise CallFailed(f"each tuple must be there once, but {twice[0]!r} is there twice")
    if len(facts) > _MOST:
        raise CallFailed(f"there are {len(facts)} tuples; write at most {_MOST}")
    return facts


def check_words(tuples: Sequence[str], text: str) -> None:
    """Raise `CallFailed` where tuples speak of what the prompt does not, or leave one of its words out.

    For small models, which lose objects and invent others: a graph that parses is not yet a graph of this prompt. It is meant
    for tuples in the words of the prompt, as mini-writer writes them; numbers are compared by nobody.
    """
    said = set(_words(text))
    told = [word for fact in tuples for word in _words(re.sub(r"==\s*\d+", "", fact.partition("(")[2]))]
    invented = [word for word in told if word not in said and word not in _GLUE]
    if invented:
        raise CallFailed(f"{invented[0]!r} is in a tuple but not in the description")
    counted = any("count" in fact.partition("(")[0] for fact in tuples)
    forgotten = [word for word in _words(text) if word not in told and word not in _GLUE]
    forgotten = [word for word in forgotten if not (counted and word in _NUMBER_WORDS)]
    if forgotten:
        raise CallFailed(f"{forgotten[0]!r} is in the description but in no tuple")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def parse_questions(reply: str, count: int) -> list[str]:
    """One question for each of `count` tuples; raises `CallFailed`."""
    rows = _complete(_numbered(reply), count)
    for number, question in rows.items():
        if not re.search(r"[^\W\d_]{2}", question):
            raise CallFailed(f"line {number} is no question: {question!r}")
    return [" ".join(rows[number].split()) for number in range(1, count + 1)]


def parse_dependencies(reply: str, count: int) -> list[tuple[int, ...]]:
    """The parents of each of `count` tuples, () where there are none; raises `CallFailed`."""
    rows = _complete(_numbered(reply), count)
    parents: list[tuple[int, ...]] = []
    for number in range(1, count + 1):
        text = rows[number].strip().strip("[](){}.").strip()
        if text.lower() in ("", "-", "none", "n/a", "no", "null"):
            parents.append(())
            continue
        pieces = [piece for piece in re.split(r"\s*(?:,|;|&|\band\b|\s)\s*", text) if piece]
        wrong = [piece for piece in pieces if not piece.isdecimal()]
        if wrong:
            raise CallFailed(f"line {number} must hold numbers only, but it has {wrong[0]!r}")
        parents.append(tuple(sorted({int(piece) for piece in pieces} - {0})))
    check_edges(dict(enumerate(parents, start=1)))
    return parents


def _complete(rows: dict[int, str], count: int) -> dict[int, str]:
    missing = sorted(set(range(1, count + 1)) - set(rows))
    if missing:
        raise CallFailed(f"the line(s) for {missing} are missing")
    extra = sorted(set(rows) - set(range(1, count + 1)))
    if extra:
        raise CallFailed(f"there are lines for {extra}, but the tuples go from 1 to {count}")
    return rows


def _numbered(reply: str) -> dict[int, str]:
    # models like to repeat the task before they answer: only what follows the last "Output:" is the answer
    lines = lines_of(reply)
    heads = [place for place, line in enumerate(lines) if ":" in line and "".join(_words(line)) == "output"]
    answer = lines[heads[-1] + 1 :] if heads else lines
    return {number: row[0] for number, row in numbered_from("\n".join(answer)).items()}
