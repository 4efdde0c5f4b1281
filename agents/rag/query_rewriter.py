"""The query rewriter: another query for the same question, when the last one found nothing that helps.

`QueryRewriter` asks a language model. `FeedbackTerms` needs none: the content words of the question, with the words that
stand out in what was found (pseudo-relevance feedback, Rocchio 1971), which is a search among neighbours of the first one.
None where there is no query that was not tried.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ...runtime.protocols import Chat
from ...runtime.records import Message
from ...runtime.text import lines_of
from ...tools.documents import terms
from ...tools.entailment import content_words

__all__ = ["FeedbackTerms", "QueryRewriter", "Rewrites"]

_LONGEST = 400


class Rewrites(Protocol):
    """Whatever writes another query; None: there is none to be had."""

    @property
    def name(self) -> str: ...
    async def rewrite(self, question: str, tried: Sequence[str], found: Sequence[Passage]) -> str | None: ...


class QueryRewriter:
    """Asks `chat` for one query; what was tried before is refused and asked for once more with another seed."""

    def __init__(self, chat: Chat, *, attempts: int = 2) -> None:
        self.chat, self.attempts = chat, attempts

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def rewrite(self, question: str, tried: Sequence[str], found: Sequence[Passage]) -> str | None:
        """A query that was not tried.

        Raises:
            CallFailed: the chat model failed.
        """
        sections = load("rag/rewrite").messages(
            question=quotation(question), tried="\n".join(f"- {' '.join(query.split())}" for query in tried)
        )
        known = {_folded(query) for query in tried}
        for attempt in range(self.attempts):
            reply = await self.chat.complete(
                [Message(role=role, content=content) for role, content in sections],
                seed=len(tried) + 1_000_003 * attempt,
                temperature=0.7,
                max_tokens=64,
            )
            query = _one_line(reply.text)
            # a query that shares no word with the request and names none of its letters is chatter
            if query and _folded(query) not in known and set(content_words(query)):
                return query
        return None


class FeedbackTerms:
    """The question's own content words and the `terms` words that are commonest in what was found; not an LLM."""

    name = "feedback terms"

    def __init__(self, *, terms: int = 6) -> None:
        self.terms = terms

    async def rewrite(self, question: str, tried: Sequence[str], found: Sequence[Passage]) -> str | None:
        """Content words alone at first, then with the words of the passages that were found."""
        known = {_folded(query) for query in tried}
        own = list(dict.fromkeys(content_words(question)))
        stems = set(terms(question))
        counts: Counter[str] = Counter()
        for passage in found:
            counts.update(
                {word for word in content_words(passage.text) if len(word) > 3 and not stems.issuperset(terms(word))}
            )
        # in more than one passage, but not in all: those are the words of the whole collection
        most = max(2, math.ceil(0.8 * len(found)))
        extra = [word for word, n in counts.most_common(4 * self.terms) if 2 <= n <= most][: self.terms]
        for words in (own, [*own, *extra]):
            query = " ".join(words)
            if query and _folded(query) not in known:
                return query
        return None


def _one_line(reply: str) -> str:
    lines = [line.strip() for line in lines_of(reply.strip()) if line.strip()]
    if not lines:
        return ""
    line = re.sub(r"^(?:[-*>\d.)\s]+|(?:new |search )*query:\s*)+", "", lines[0], flags=re.IGNORECASE).strip("\"'“”` ")
    if len(line) > _LONGEST:
        raise CallFailed(f"the new query is longer than {_LONGEST} characters: {line[:80]!r}...")
    return line


def _folded(query: str) -> str:
    return " ".join(re.findall(r"\w+", query.casefold()))
