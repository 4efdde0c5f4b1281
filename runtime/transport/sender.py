"""Sending a chat request to a server: at its pace, again where that can help, and after a restart that is under way.

Invariants: what cannot pass is sent once; what may pass, a bounded number of times, with growing random pauses and not
before the `Retry-After` of the server, which holds back all others at that server too. A server of our own that is being
started again is waited for; the wait is no attempt. Where there are several servers of the model, what one of them could not
answer goes to the next at once; only when none is left that is up does a pause begin.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, CallFailed, PrerequisiteError
from ..http import direct_routes
from ..records import Cost
from .adaptive_limit import Turn
from .address import check_listed
from .balancer import Balancer, Server, prefix_of
from .price import Price
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
    """The way to one model, behind one server or several.

    Args:
        url: the server's base URL, which names it: in messages, and for the pace that all who talk to it share; or those of several.
        key: its key; the same for all.
        model: the model's name there.
        connect: gives the base URL and the key where they are known only once it runs; may start it.
        who: whose requests these are, for taking turns.
        concurrency: the most requests in flight at one server.
        timeout: seconds to wait for one answer.
        attempts: all tries of one request.
        pause: the first pause between two tries in seconds; it doubles.
        patience: the longest pause that is waited for.
        free: whether an answer costs nothing.
        price: of its tokens, where that is known.
        returning: whether the server at a URL is being started again (blocking, asked where nobody answers).
        limit: requests and tokens a minute of the server at a URL; default: none, but what `Retry-After` asks for.
        option: the flag that names it, for messages.
    """

    answers = "chat completion"
    option = "--llm"
    """What it answers, and the flag that names it: for messages."""

    def __init__(
        self,
        url: str | Sequence[str],
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
        returning: Callable[[str], bool] | None = None,
        limit: Callable[[str], RateLimit] = lambda url: limit_of(url, Rate()),
        option: str = "",
        price: Price | None = None,
    ) -> None:
        if concurrency < 1 or attempts < 1:
            raise BadInput(f"concurrency={concurrency!r}, attempts={attempts!r}: both must be at least 1")
        self.urls = (url,) if isinstance(url, str) else tuple(url)
        self.model = model
        self._key = key
        self._connect = connect
        self.where = f"the server{'s' * (len(self.urls) > 1)} of {model!r} at {' and '.join(self.urls)}"
        servers = [Server(each, model, limit(each)) for each in self.urls]
        self.balancer = Balancer(servers, most=concurrency, check=lambda url: check_listed(url, model, key))
        self.option = option or self.option
        self._who = who
        self._timeout = timeout
        self._attempts = attempts
        self._pause = pause
        self._patience = patience
        self.is_free, self._price = free, price
        self._returning = returning
        self._streams = self._counts_streams = True
        self._lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = weakref.WeakKeyDictionary()

    async def pay(
        self,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None,
        *,
        opened: bool = False,
        slower: float = 1.0,
        call: str = "",
    ) -> tuple[dict[str, Any], Cost]:
        """Send one request until it is answered: `{"choices": [...]}` (see `replies`) and the cost.

        `opened`: the model begins inside of its thinking. `slower`: how many times as long as usual an answer may take. `call`: the key
        of the ledger's call that it is for.

        Raises:
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
            CallFailed: refused (`Refused` for its form), or still failing after all attempts.
        """
        prefix, tokens = prefix_of(body), reckoned(body)
        tried: set[Server] = set()  # since the last pause
        attempt = 1
        while True:
            hopeless: PrerequisiteError | None = None
            taking = self.balancer.turn(self._who, prefix=prefix, tokens=tokens, tried=tried)
            async with taking as (server, turn):
                try:
                    answer = await self._try(server, tokens, body, on_text, turn, opened, slower)
                except Exception as error:
                    try:
                        problem = judge(error, server.where, answers=self.answers, option=self.option, key=self._key)
                    except PrerequisiteError as reason:
                        hopeless, problem = reason, Problem(reason.problem)
                    if problem.overloaded:
                        turn.overloaded()
                    if problem.retry_after is not None and problem.retry_after <= self._patience:
                        server.limit.hold(problem.retry_after)
                else:
                    server.answered()
                    return answer
            if not problem.busy:
                self.balancer.failed(server, problem.text, gone=problem.down or hopeless is not None)
            tried.add(server)
            if self.balancer.has_other(tried):
                _LOG.info("%s; another server gets the request", problem.text)
                continue
            # a server that starts does not know its adapters yet
            if (problem.down or hopeless is not None) and await self._came_back():
                tried.clear()
                continue
            if hopeless is not None:
                raise hopeless
            if attempt == self._attempts:
                break
            attempt += 1
            pause = problem.wait(self._pause * 2 ** (attempt - 2))
            if pause > self._patience:
                raise CallFailed(f"{problem.text}; it asks to wait {pause:.0f} s, which is too long", retryable=True)
            _LOG.info("%s; trying again in %.1f s (%d of %d)", problem.text, pause, attempt, self._attempts)
            await asyncio.sleep(pause)
            if len(tried) == len(self.balancer.servers):
                tried.clear()
        if problem.down:
            raise PrerequisiteError(
                f"{self._all_down() or problem.text} ({self._attempts} attempts)",
                remedy=f"start the server, or check the address given with {self.option}; then resume the run",
            )
        raise CallFailed(f"{problem.text} ({self._attempts} attempts)", retryable=True)

    async def send(
        self,
        url: str,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None,
        *,
        opened: bool = False,
        slower: float = 1.0,
    ) -> dict[str, Any]:
        """Send one request once to the server at `url`; raises whatever the client library raises."""
        at = (url, self._key) if self._connect is None else await self._connect()
        create = self._client(*at).with_options(timeout=self._timeout * slower).chat.completions.create
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

    def _client(self, url: str, key: str) -> openai.AsyncOpenAI:
        """The connections of the running event loop to one server."""
        return self._lines.setdefault(asyncio.get_running_loop(), _Line()).at(url, key, self._timeout)

    @property
    def url(self) -> str:
        """The base URL of the server, of several the first: it stands for all of them in the ledger."""
        return self.urls[0]

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each of several servers gave; nothing where there is one."""
        return self.balancer.spread if len(self.urls) > 1 else {}

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.balancer.aclose()
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.aclose()

    async def _try(
        self,
        server: Server,
        tokens: int,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None,
        turn: Turn,
        opened: bool,
        slower: float,
    ) -> tuple[dict[str, Any], Cost]:
        admitted = await server.limit.admit(tokens)
        begun = time.monotonic()
        try:
            value = await self.send(server.url, body, on_text, opened=opened, slower=slower)
        except Exception:
            admitted.tokens = 0  # what it cost is not known, and mostly nothing
            raise
        seconds = time.monotonic() - begun
        cost = self.priced(cost_of(body, value, seconds, money=None))
        admitted.tokens = cost.input_tokens + cost.output_tokens
        turn.done(seconds, cost.output_tokens // max(1, len(value["choices"])))
        return value, cost

    def priced(self, cost: Cost) -> Cost:
        """The cost with what its tokens come to in money, where that is known."""
        if not self.is_free and self._price is None:
            return cost
        return cost.model_copy(update={"money": 0.0 if self.is_free or self._price is None else self._price.of(cost)})

    def _all_down(self) -> str:
        """What each of several servers said last; "" for one."""
        said = [server.why for server in self.balancer.servers if server.why]
        return f"none of the {len(self.urls)} servers answers: {'; '.join(said)}" if len(self.urls) > 1 else ""

    async def _came_back(self) -> bool:
        """Wait while servers of ours are started again, until one is back; False where none is."""
        returning = await self._returning_now()
        if not returning:
            return False
        _LOG.warning("%s is being started again; waiting for it", self.where)
        begun = time.monotonic()
        while returning <= await self._returning_now():
            if time.monotonic() - begun > _LONGEST_RESTART:
                return False
            await asyncio.sleep(0.25)
        return True

    async def _returning_now(self) -> set[str]:
        if self._returning is None:
            return set()
        return {url for url in self.urls if await asyncio.to_thread(self._returning, url)}


class _Line:
    """The connections of one event loop, by server."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], openai.AsyncOpenAI] = {}

    def at(self, url: str, key: str, timeout: float) -> openai.AsyncOpenAI:
        import openai

        if (url, key) not in self._clients:
            self._clients[url, key] = openai.AsyncOpenAI(
                base_url=url, api_key=key, timeout=timeout, max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(mounts=direct_routes(url)),
            )  # fmt: skip
        return self._clients[url, key]

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.close()
