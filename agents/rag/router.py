"""The router: is this a question or a claim to be checked, and does the search need the exact words?

`RuleRouter` decides by rules that anyone can read, and is never wrong about what it was told; `Router` asks a language
model and falls back on the rules, saying so, where the reply cannot be read. A wrong route costs quality, never safety:
whatever the route, what is answered is checked against its sources.
"""

from __future__ import annotations

import re
from typing import Protocol

from ...prompts import load
from ...runtime.answers import Kind, quotation
from ...runtime.errors import CallFailed
from ...runtime.passages import Mode
from ...runtime.protocols import Chat
from ...runtime.records import Message, Record

__all__ = ["Route", "Router", "Routes", "RuleRouter"]

_ASKS = re.compile(
    r"^\W*(who|whom|whose|what|which|when|where|why|how|is|are|was|were|am|do|does|did|can|could|will|would|shall|should|has"
    r"|have|had|may|might|must|please|name|list|give|tell|explain|describe|compare|define|summari[sz]e|show|find)\b",
    re.IGNORECASE,
)
_STATES = re.compile(r"(?<!\b[A-Z]\.)(?<!\betc\.)(?<!\.\.)(?<=[.!])[\"'”’»)\]]*$")
_VERB = re.compile(
    r"\b(is|are|was|were|has|have|had|does|do|did|can|could|will|would|may|might|must|not|cannot|\w{3,}(?:s|ed|ing|es)"
    r"|became|began|brought|came|fell|gave|grew|held|kept|knew|met|paid|ran|said|sold|spent|stood|taught|thought|threw|told|took|went|won|wrote)\b"
)
_EXACT = re.compile(
    r"\"[^\"]+\"|“[^”]+”|\b[A-Za-z]+[-_]?\d[\w.-]*\b|\b\w+[_/]\w+\b|\b[a-z]+[A-Z]\w*\b|\b\d+(?:\.\d+){2,}\b"
)


class Route(Record):
    """Where a request goes: its `kind`, how to search, and who decided that and why."""

    kind: Kind
    mode: Mode
    by: str
    why: str


class Routes(Protocol):
    """Whatever decides the route of a request."""

    async def route(self, question: str) -> Route: ...


class RuleRouter:
    """Rules for English: a question mark or a question word asks; three words and more claim where they end as a statement does, four where they
    have a verb.

    Identifiers and quoted phrases are searched by their words when they are most of the request, else both ways.
    """

    name = "rules"

    async def route(self, question: str) -> Route:
        """The route of `question`."""
        words = re.findall(r"\w[\w.'/-]*", question)
        exact = _EXACT.findall(question)
        asks = question.rstrip().endswith("?") or bool(_ASKS.match(question))
        stated = len(words) >= 3 and _STATES.search(question.strip()) is not None
        claims = not asks and (stated or (len(words) >= 4 and _VERB.search(question) is not None))
        kind: Kind = "claim" if claims else "question"
        held = sum(len(re.findall(r"\w[\w.'/-]*", phrase)) for phrase in exact)
        mode: Mode = "bm25" if exact and 2 * held >= len(words) else "hybrid"
        why = "a statement" if claims else "it asks" if asks else "a few words"
        if mode == "bm25":
            why += f"; mostly exact words ({', '.join(exact[:3])})"
        return Route(kind=kind, mode=mode, by=self.name, why=why)


class Router:
    """Asks `chat`; a reply that cannot be read, or a failed call, leaves it to the rules."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.rules = RuleRouter()

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def route(self, question: str) -> Route:
        """The route of `question`."""
        sections = load("rag/route").messages(question=quotation(question))
        try:
            reply = await self.chat.complete(
                [Message(role=role, content=content) for role, content in sections],
                seed=0,
                temperature=0.0,
                max_tokens=16,
            )
        except CallFailed as error:
            return await self._rules(question, f"{self.name} failed: {error}")
        said = set(re.findall(r"[a-z]+", reply.text.lower()))
        kinds, modes = said & {"question", "claim"}, said & {"words", "meaning"}
        if len(kinds) != 1 or len(modes) != 1:
            return await self._rules(question, f"the reply of {self.name} could not be read: {reply.text[:60]!r}")
        kind: Kind = "claim" if "claim" in kinds else "question"
        return Route(
            kind=kind,
            mode="bm25" if "words" in modes else "hybrid",
            by=self.name,
            why=f"it said {reply.text.strip()[:60]!r}",
        )

    async def _rules(self, question: str, problem: str) -> Route:
        route = await self.rules.route(question)
        return route.model_copy(update={"why": f"{route.why} ({problem})"})
