"""Which of several servers of one model gets a request: one that is up, and has read its beginning before others.

The model: each request prefers the servers in an order of its own, by rendezvous hashing (highest random weight, Thaler and
Ravishankar 1998) of its *prefix*: what stands at its beginning, up to a picture or 1024 letters. Requests that begin alike go to
one server, whose prefix cache has read that; one server more or less moves none but its own. How far the preference goes, and
what happens where no server has room, is told in `adaptive_limit`. Servers whose rate limit is reached are passed over.

A server that fails is left out: at once where nobody listens, else after three failures in a row. After a pause, which doubles
from one second to a minute, it is looked at again beside the requests, and taken in where it passes. Where all are left out, all
are tried: then the requests tell what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

from ..errors import InloopError, PrerequisiteError
from .adaptive_limit import Turn, pace_of, turn_at
from .rate_limit import RateLimit

__all__ = ["Balancer", "Server", "prefix_of"]

_LOG = logging.getLogger(__name__)
_PREFIX = 1024  # letters, about 256 tokens
_IN_A_ROW = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class Server:
    """One of the servers of a model. `answers`: how many it gave; `times_out`: how often it was left out; `why`: the last time."""

    def __init__(self, url: str, model: str, limit: RateLimit) -> None:
        self.url = url
        self.where = f"the server of {model!r} at {url}"
        self.limit = limit
        self.answers = self.times_out = 0
        self.why = ""
        self._failures = self._pauses = 0
        self._out_until = 0.0
        self._is_looked_at = False

    @property
    def is_out(self) -> bool:
        """Whether it gets no requests now."""
        return bool(self._out_until)

    @property
    def is_due(self) -> bool:
        """Whether it is left out, and its pause is over."""
        return self.is_out and not self._is_looked_at and time.monotonic() >= self._out_until

    def answered(self) -> None:
        """It gave an answer."""
        self.answers += 1
        self._failures = self._pauses = 0
        self._out_until = 0.0

    def failed(self, why: str, *, gone: bool) -> None:
        """A request failed for something that is the server's; `gone`: nothing can be had of it now."""
        self._failures += 1
        if not self.is_out and (gone or self._failures >= _IN_A_ROW):
            self.times_out += 1
            self.why = why
            _LOG.warning("%s; it is left out, and looked at again in a while", why)
            self._pause()

    def _pause(self) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._pauses)
        self._pauses += 1
        self._out_until = time.monotonic() + pause * (0.5 + random.random() / 2)

    async def look_at(self, check: Callable[[str], Any]) -> None:
        """Take it in again where `check` (blocking) passes, else leave it out for longer."""
        self._is_looked_at = True
        try:
            await asyncio.to_thread(check, self.url)
        except (InloopError, OSError) as error:
            self.why = error.problem if isinstance(error, PrerequisiteError) else str(error)
            self._pause()
        else:
            self._failures, self._out_until = 0, 0.0
            _LOG.warning("%s is taken in again", self.where)
        finally:
            self._is_looked_at = False


class Balancer:
    """Gives requests to the servers of one model.

    Args:
        servers: one or more.
        most: the most requests in flight at one of them.
        check: asks a server (blocking) whether it is fit to be taken in again; raises `InloopError` where it is not.
    """

    def __init__(self, servers: Sequence[Server], *, most: int, check: Callable[[str], Any]) -> None:
        self.servers = tuple(servers)
        self.check = check
        self._most = most
        self._looks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def turn(
        self, who: str, *, prefix: bytes, tokens: int, tried: Collection[Server]
    ) -> AsyncIterator[tuple[Server, Turn]]:
        """Wait for a place for a request of about so many tokens; a server that was `tried` gets it only where there is no other."""
        if len(self.servers) > 1:
            self._look_again()
        paces = {pace_of(server.url, self._most): server for server in self._fit(prefix, tokens, tried)}
        async with turn_at(list(paces), who) as turn:
            yield paces[turn.pace], turn

    def failed(self, server: Server, why: str, *, gone: bool) -> None:
        """A request failed for something that is the server's; `gone`: nothing can be had of it now. The only one is never left out."""
        if len(self.servers) > 1:
            server.failed(why, gone=gone)

    def has_other(self, tried: Collection[Server]) -> bool:
        """Whether there is a server that is up and was not tried."""
        return any(not server.is_out for server in self.servers if server not in tried)

    @property
    def notes(self) -> list[str]:
        """Which servers were left out, in words for a report."""
        return [
            f"{server.where} was left out {f'{server.times_out} times' if server.times_out > 1 else 'once'}: {server.why}"
            for server in self.servers
            if server.times_out
        ]

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each server gave, by its URL."""
        return {server.url: server.answers for server in self.servers}

    async def aclose(self) -> None:
        """Stop looking at servers that are left out."""
        for task in self._looks:
            task.cancel()
        await asyncio.gather(*self._looks, return_exceptions=True)

    def _fit(self, prefix: bytes, tokens: int, tried: Collection[Server]) -> list[Server]:
        """The servers that may get a request, the preferred one first."""
        fit = [server for server in self.servers if server not in tried] or list(self.servers)
        fit = [server for server in fit if not server.is_out] or fit
        if len(fit) == 1:
            return fit
        delays = {server: server.limit.delay(tokens) for server in fit}
        if all(delays.values()):
            return [min(fit, key=lambda server: delays[server])]
        fit = [server for server in fit if not delays[server]]
        return sorted(fit, key=lambda server: hashlib.sha256(prefix + server.url.encode()).digest(), reverse=True)

    def _look_again(self) -> None:
        """Look at the servers whose pause is over, without holding up anybody."""
        for server in self.servers:
            if server.is_due:
                task = asyncio.get_running_loop().create_task(server.look_at(self.check))
                self._looks.add(task)
                task.add_done_callback(self._looks.discard)


def prefix_of(body: Mapping[str, Any]) -> bytes:
    """A hash of what stands at the beginning of a request: up to its first picture, or 1024 letters of its messages.

    What is no chat request has no beginning that a server could know: there each request is for itself.
    """
    if "messages" not in body:
        return hashlib.sha256(repr(sorted(body.items())).encode()).digest()
    said, room = hashlib.sha256(), _PREFIX
    for message in body["messages"]:
        content = message.get("content") or ""
        parts: list[dict[str, Any]] = [{"text": content}] if isinstance(content, str) else content
        for part in parts:
            if picture := part.get("image_url"):
                said.update(str(picture.get("url")).encode())
                return said.digest()
            text = str(part.get("text") or "")[:room]
            said.update(text.encode("utf-8", "replace"))
            room -= len(text)
            if room <= 0:
                return said.digest()
    return said.digest()
