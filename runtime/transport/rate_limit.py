"""How many requests and tokens a server gets in a minute, where its owner says so; and what a server that says "later" is owed.

A window that slides over the last 60 seconds: at no moment do more than the limit lie in it, which is how providers count. A bucket that
refills (aiolimiter) would let twice the limit pass in its first minute, and does not know what a request cost only after its answer. Tokens
are reckoned beforehand, so that many requests at once do not overrun, and set right when the answer is there.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput

__all__ = ["Admitted", "Rate", "RateLimit", "limit_of", "reckoned"]

_WINDOW = 60.0
_LETTERS = 4  # of a prompt, to a token
_LIMIT = re.compile(r"(?P<count>\d+)\s*(?P<what>requests?|tokens?|)\s*/\s*min(?:ute)?", re.IGNORECASE)


@dataclass(frozen=True)
class Rate:
    """The most `requests` and `tokens` (of prompts and answers) in a minute; None: any number."""

    requests: int | None = None
    tokens: int | None = None

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Of "60/min", "90000 tokens/min" or both with a comma between; "" is no limit. `BadInput` for anything else."""
        found: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = _LIMIT.fullmatch(part)
            name = "tokens" if match and match["what"].lower().startswith("token") else "requests"
            if match is None or int(match["count"]) < 1 or name in found:
                raise BadInput(
                    f"the rate {text!r}: give requests or tokens a minute, as in 60/min or 60/min,90000tokens/min."
                )
            found[name] = int(match["count"])
        return cls(**found)


@dataclass
class Admitted:
    """A request that went out: when, and the tokens that it is reckoned to cost until they are known."""

    at: float
    tokens: int


class RateLimit:
    """The limit of one server, for everyone in this process who talks to it."""

    def __init__(
        self,
        rate: Rate,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self.rate = rate
        self._clock, self._sleep = clock, sleep
        self._sent: deque[Admitted] = deque()
        self._not_before = float("-inf")
        self._guard = threading.Lock()

    async def admit(self, tokens: int) -> Admitted:
        """Wait until a request of about so many tokens may go out. One that is larger than the limit goes out alone."""
        while True:
            admitted, seconds = self._ask(tokens)
            if admitted is not None:
                return admitted
            await self._sleep(seconds)

    def hold(self, seconds: float) -> None:
        """Nothing more goes out for so long: the server asked for it (`Retry-After`)."""
        with self._guard:
            self._not_before = max(self._not_before, self._clock() + seconds)

    def delay(self, tokens: int) -> float:
        """The seconds that a request of about so many tokens would have to wait now, or longer."""
        with self._guard:
            return self._seconds(tokens, self._clock())

    def _ask(self, tokens: int) -> tuple[Admitted | None, float]:
        """The request, or the seconds after which to ask again."""
        with self._guard:
            now = self._clock()
            if seconds := self._seconds(tokens, now):
                return None, seconds
            admitted = Admitted(now, tokens)
            if self.rate != Rate():
                self._sent.append(admitted)
            return admitted, 0.0

    def _seconds(self, tokens: int, now: float) -> float:
        if now < self._not_before:
            return self._not_before - now
        while self._sent and self._sent[0].at + _WINDOW <= now:
            self._sent.popleft()
        if self._sent and not self._has_room(tokens):
            return self._sent[0].at + _WINDOW - now
        return 0.0

    def _has_room(self, tokens: int) -> bool:
        requests, most = self.rate.requests, self.rate.tokens
        if requests is not None and len(self._sent) >= requests:
            return False
        return most is None or sum(sent.tokens for sent in self._sent) + tokens <= most


def reckoned(body: dict[str, Any]) -> int:
    """About the most tokens that a chat request costs: a quarter of its letters, and for each answer all that it may have."""
    letters = 0
    for message in body.get("messages", ()):
        content = message.get("content") or ""
        pieces = [content] if isinstance(content, str) else [part.get("text") or "" for part in content]
        letters += sum(map(len, pieces))
    answer = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return letters // _LETTERS + int(body.get("n") or 1) * int(answer)


_LIMITS: dict[tuple[str, Rate], RateLimit] = {}


def limit_of(server: str, rate: Rate) -> RateLimit:
    """The limit of a server: one for all roles of this process that name it with the same rate."""
    return _LIMITS.setdefault((server, rate), RateLimit(rate))
