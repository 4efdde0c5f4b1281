"""What a language model says of a picture set from captions of it. It sees no picture: what it says is checked by an encoder before it counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel, Field

from ...prompts import load
from ...runtime.answers import quotation
from ...runtime.errors import CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message, Record
from ...runtime.text import lines_of
from ...runtime.transport import json_from

__all__ = ["Attribute", "Curator", "Gap"]

_LONGEST, _WORDS = 80, 10
_ATTRIBUTES, _GAPS = 4, 5


class Attribute(Record):
    """A way in which pictures differ; `groups`: the words of each kind, two or more."""

    attribute: str
    groups: tuple[str, ...]


class Gap(Record):
    """What is missing, why, and the words that would find it."""

    what: str
    why: str
    query: str


class _Attribute(BaseModel):
    attribute: str
    groups: list[str] = Field(min_length=2, max_length=6)


class _Attributes(BaseModel):
    attributes: list[_Attribute] = Field(min_length=1, max_length=_ATTRIBUTES)


class _Gap(BaseModel):
    missing: str = Field(max_length=120)
    why: str = Field(max_length=240)
    query: str = Field(max_length=80)


class _Gaps(BaseModel):
    gaps: list[_Gap] = Field(min_length=1, max_length=_GAPS)


ReplyT = TypeVar("ReplyT", bound=BaseModel)


class Curator:
    """Asks `chat`. Every method may give nothing, where the model's reply cannot be used."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def names(self, captions: Sequence[str], others: Sequence[str], *, attempts: int = 3) -> list[str]:
        """At most `attempts` different names of what `captions` have in common and `others` lack.

        Raises:
            CallFailed: the chat model failed at each attempt.
        """
        found: list[str] = []
        failed: CallFailed | None = None
        sections = load("curation/name").messages(
            captions=quotation("\n".join(captions)), others=quotation("\n".join(others))
        )
        for attempt in range(attempts):
            try:
                reply = await self.chat.complete(
                    _messages(sections), seed=attempt, temperature=0.7 if attempt else 0.0, max_tokens=32
                )
            except CallFailed as error:
                failed = error
                continue
            if (name := _one_line(reply.text)) and name.casefold() not in {each.casefold() for each in found}:
                found.append(name)
        if failed is not None and not found:
            raise failed
        return found

    async def attributes(self, captions: Sequence[str]) -> list[Attribute]:
        """Attributes that part the pictures of `captions`, each with two groups or more.

        Raises:
            CallFailed: the chat model failed, or its reply has not the form.
        """
        sections = load("curation/groups").messages(captions=quotation("\n".join(captions)))
        told = await self._asked(sections, _Attributes)
        found = []
        for each in told.attributes:
            groups = tuple(
                dict.fromkeys(" ".join(group.replace(";", ",").split()) for group in each.groups if group.strip())
            )
            if len(groups) >= 2:
                found.append(Attribute(attribute=" ".join(each.attribute.split()), groups=groups))
        return found

    async def gaps(self, themes: Mapping[str, int], groups: Mapping[str, float], captions: Sequence[str]) -> list[Gap]:
        """What is missing. `themes`: pictures by name; `groups`: shares from 0 to 1, by the words.

        Raises:
            CallFailed: the chat model failed, or its reply has not the form.
        """
        shares = "\n".join(f"- {' '.join(group.split())}: {share:.0%}" for group, share in groups.items())
        sections = load("curation/missing").messages(
            themes="\n".join(f"- {' '.join(name.split())}: {count}" for name, count in themes.items()),
            groups=f"Shares of groups:\n{shares}\n" if shares else "",
            captions=quotation("\n".join(captions)),
        )
        told = await self._asked(sections, _Gaps)
        found: dict[str, Gap] = {}
        for each in told.gaps:
            query = _one_line(each.query.replace(";", ","))
            if query:
                found.setdefault(
                    query.casefold(),
                    Gap(what=" ".join(each.missing.split()), why=" ".join(each.why.split()), query=query),
                )
        return list(found.values())

    async def _asked(self, sections: Sequence[tuple[str, str]], schema: type[ReplyT]) -> ReplyT:
        reply = await self.chat.complete(_messages(sections), seed=0, temperature=0.0, max_tokens=1000, schema=schema)
        try:
            return schema.model_validate(json_from(reply.text))
        except ValueError as error:
            raise CallFailed(f"{self.chat.model} did not keep the form: {reply.text[:80]!r}") from error


def _messages(sections: Sequence[tuple[str, str]]) -> list[Message]:
    return [Message(role=role, content=content) for role, content in sections]


def _one_line(reply: str) -> str:
    """The first line of a reply, without quotes and numbers; "" where that is too long for a name."""
    lines = [line.strip() for line in lines_of(reply.strip()) if line.strip()]
    line = re.sub(r"^(?:[-*>\d.)\s]+|name:\s*)+", "", lines[0], flags=re.IGNORECASE).strip("\"'“”`*. ") if lines else ""
    return line if len(line) <= _LONGEST and len(line.split()) <= _WORDS else ""
