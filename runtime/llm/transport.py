"""Sending a chat request to a server: at its pace, again where that can help, and after a restart that is under way.

Invariants: what cannot pass is sent once; what may pass, a bounded number of times, with growing random pauses and not
before the `Retry-After` of the server, which holds back all others at that server too. A server of our own that is being
started again is waited for; the wait is no attempt.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, CallFailed, PrerequisiteError
from ..http import direct_routes
from ..records import Cost
from .adaptive_limit import Turn, pace_of
from .rate_limit import Rate, RateLimit, limit_of, reckoned
from .replies import NoStream, from_completion, from_stream
from .retries import Problem, judge
from .wire import cost_of

if TYPE_CHECKING:
    import openai

__all__ = ["OPENAI", "Sender"]

OPENAI = "https://api.openai.com/v1"

_LOG = logging.getLogger(__name__)
_LONGEST_RESTART = 900.0


class Sender:
    """The way to one server.

    Args:
        url: its base URL, which names it: in messages, and for the pace that all who talk to it share.
        key: its key.
        model: the model's name there.
        connect: gives the base URL and the key where they are known only once it runs; may start it.
        who: whose requests these are, for taking turns.
        concurrency: the most requests in flight.
        timeout: seconds to wait for one answer.
        attempts: all tries of one request.
        pause: the first pause between two tries in seconds; it doubles.
        patience: the longest pause that is waited for.
        free: whether an answer costs nothing; else its price is not known.
        returning: whether the server is being started again (blocking, asked where nobody answers).
        limit: requests and tokens a minute; default: none, but what `Retry-After` asks for.
    """

    answers = "chat completion"
    option = "--llm"
    """What it answers, and the flag that names it: for messages."""

    def __init__(
        self,
        url: str,
        key: str = "none",
        *,
        model: str,
        connect: Callable[[], Awaitable[tuple[str, str]]] | None = None,
        who: str = "",
        concurrency: int = 8,
        timeout: float = 120.0,
        attempts: int = 4,
        pause: float = 0.5,
        patience: float = 60.0,
        free: bool = False,
        returning: Callable[[], bool] | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        if concurrency < 1 or attempts < 1:
            raise BadInput(f"concurrency={concurrency!r}, attempts={attempts!r}: both must be at least 1")
        self.url = url
        self.model = model
        self._key = key
        self._connect = connect
        self.where = f"the server of {model!r} at {url}"
        self._who = who
        self._concurrency = concurrency
        self._timeout = timeout
        self._attempts = attempts
        self._pause = pause
        self._patience = patience
        self._free = free
        self._returning = returning
        self._streams = self._counts_streams = True
        self._limit = limit or limit_of(url, Rate())
        self._lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = weakref.WeakKeyDictionary()

    async def pay(
        self,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None,
        *,
        opened: bool = False,
        slower: float = 1.0,
    ) -> tuple[dict[str, Any], Cost]:
        """Send one request until it is answered: `{"choices": [...]}` (see `replies`) and the cost.

        `opened`: the model begins inside of its thinking. `slower`: how many times as long as usual an answer may take.

        Raises:
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
            CallFailed: refused (`Refused` for its form), or still failing after all attempts.
        """
        problem: Problem | None = None
        attempt = 0
        while attempt < self._attempts:
            attempt += 1
            if problem is not None:
                pause = problem.wait(self._pause * 2 ** (attempt - 2))
                if pause > self._patience:
                    raise CallFailed(
                        f"{problem.text}; it asks to wait {pause:.0f} s, which is too long", retryable=True
                    )
                _LOG.info("%s; trying again in %.1f s (%d of %d)", problem.text, pause, attempt, self._attempts)
                await asyncio.sleep(pause)
            async with pace_of(self.url, self._concurrency).turn(self._who) as turn:
                try:
                    return await self._try(body, on_text, turn, opened, slower)
                except Exception as error:
                    try:
                        problem = judge(error, self.where, answers=self.answers, option=self.option, key=self._key)
                    except PrerequisiteError:
                        if not await self._came_back():  # a server that starts does not know its adapters yet
                            raise
                        attempt, problem = attempt - 1, None
                        continue
                if problem.overloaded:
                    turn.overloaded()
                if problem.retry_after is not None and problem.retry_after <= self._patience:
                    self._limit.hold(problem.retry_after)
                if problem.down and await self._came_back():
                    attempt, problem = attempt - 1, None
        assert problem is not None
        if problem.down:
            raise PrerequisiteError(
                f"{problem.text} ({self._attempts} attempts)",
                remedy=f"start the server, or check the address given with {self.option}; then resume the run",
            )
        raise CallFailed(f"{problem.text} ({self._attempts} attempts)", retryable=True)

    async def send(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, *, opened: bool = False, slower: float = 1.0
    ) -> dict[str, Any]:
        """Send one request once; raises whatever the client library raises."""
        at = (self.url, self._key) if self._connect is None else await self._connect()
        create = self._client(self._timeout, at).with_options(timeout=self._timeout * slower).chat.completions.create
        if on_text is not None and self._streams:
            try:
                return await from_stream(await self._stream(create, body), body.get("n", 1), on_text, opened=opened)
            except NoStream:
                self._streams = False
        value = from_completion(await create(**body), opened=opened)
        if on_text is not None and value["choices"]:
            on_text(value["choices"][0]["text"])
        return value

    async def _stream(self, create: Any, body: dict[str, Any]) -> Any:
        """The chunks of a reply, with what it cost at the end where the server takes that wish."""
        import openai

        if self._counts_streams:
            try:
                return await create(**body, stream=True, stream_options={"include_usage": True})
            except openai.BadRequestError as error:
                if "stream_options" not in str(error):
                    raise
                self._counts_streams = False
        return await create(**body, stream=True)

    def _client(self, timeout: float, at: tuple[str, str] | None = None) -> openai.AsyncOpenAI:
        """The connections of the running event loop; `at`: the base URL and the key, where they are not those that were given."""
        url, key = at or (self.url, self._key)
        return self._lines.setdefault(asyncio.get_running_loop(), _Line()).at(url, key, timeout)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None and line.client is not None:
            await line.client.close()

    async def _try(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, turn: Turn, opened: bool, slower: float
    ) -> tuple[dict[str, Any], Cost]:
        admitted = await self._limit.admit(reckoned(body))
        begun = time.monotonic()
        try:
            value = await self.send(body, on_text, opened=opened, slower=slower)
        except Exception:
            admitted.tokens = 0  # what it cost is not known, and mostly nothing
            raise
        seconds = time.monotonic() - begun
        cost = cost_of(body, value, seconds, money=0.0 if self._free else None)
        admitted.tokens = cost.input_tokens + cost.output_tokens
        turn.done(seconds, cost.output_tokens // max(1, len(value["choices"])))
        return value, cost

    async def _came_back(self) -> bool:
        """Wait while a server of ours is started again; False where it is not."""
        if self._returning is None or not await asyncio.to_thread(self._returning):
            return False
        _LOG.warning("%s is being started again; waiting for it", self.where)
        begun = time.monotonic()
        while await asyncio.to_thread(self._returning):
            if time.monotonic() - begun > _LONGEST_RESTART:
                return False
            await asyncio.sleep(0.25)
        return True


class _Line:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.client: openai.AsyncOpenAI | None = None
        self._at = ("", "")

    def at(self, url: str, key: str, timeout: float) -> openai.AsyncOpenAI:
        import openai

        if self.client is None or self._at != (url, key):
            self.client = openai.AsyncOpenAI(
                base_url=url, api_key=key, timeout=timeout, max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(mounts=direct_routes(url)),
            )  # fmt: skip
            self._at = (url, key)
        return self.client
