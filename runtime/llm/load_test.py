"""How fast a language model's server is, or several together: tokens a second and latency at several numbers of concurrent requests.

The prompts differ from their first word on, so that a prefix cache helps nobody, and every request asks for the same number
of tokens. Of several servers a request goes to the one with the fewest in flight. They are warmed up with one request each.
Failures are counted and are no part of the figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, PrerequisiteError
from ..http import direct_routes
from ..records import Record
from ..transport import THINKING, estimate

if TYPE_CHECKING:
    import openai

__all__ = ["Level", "measure"]

_THINGS = "harbour meadow kitchen glacier market library desert orchard station canyon bridge garden".split()


class Level(Record):
    """One number of concurrent requests. Seconds; `first`: until the first token (median), `median` and `p95`: of the whole answer.

    `tokens_per_second` is of all requests together; `failed` requests are in none of the figures.
    """

    concurrent: int
    requests: int
    failed: int
    tokens_per_second: float
    first: float
    median: float
    p95: float
    counted: bool
    """Whether the server counted its tokens; else they are an estimate."""
    reason: str = ""


async def measure(
    url: str | Sequence[str],
    model: str,
    *,
    key: str = "",
    levels: Sequence[int] = (1, 8, 32),
    tokens: int = 64,
    rounds: int = 2,
    timeout: float = 600.0,
    tell: Callable[[Level], None] = lambda level: None,
) -> list[Level]:
    """Measure each level with `rounds` requests a place, at one server or at several as one; `tell` gets each level when it is done.

    Raises:
        BadInput: a level, a number of tokens or of rounds below 1.
        PrerequisiteError: not one request was answered.
    """
    if min([*levels, tokens, rounds, 1]) < 1 or not levels:
        raise BadInput(f"levels={list(levels)!r}, tokens={tokens!r}, rounds={rounds!r}: all must be at least 1")
    urls = [url] if isinstance(url, str) else list(url)
    done: list[Level] = []
    number = iter(range(10**9))
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(each, key, timeout)) for each in urls]
        busy = dict.fromkeys(clients, 0)
        await asyncio.gather(*(_one(client, model, next(number), tokens) for client in clients))
        for concurrent in levels:
            room, begun = asyncio.Semaphore(concurrent), time.perf_counter()

            async def limited(room: asyncio.Semaphore = room) -> _Timed:
                async with room:
                    client = min(busy, key=busy.__getitem__)
                    busy[client] += 1
                    try:
                        return await _one(client, model, next(number), tokens)
                    finally:
                        busy[client] -= 1

            got = await asyncio.gather(*(limited() for _ in range(concurrent * rounds)))
            wall = time.perf_counter() - begun
            good = [each for each in got if each.problem == ""]
            if not good:
                raise PrerequisiteError(
                    f"the server{'s' * (len(urls) > 1)} at {' and '.join(map(repr, urls))} answered none of {len(got)} requests, {concurrent} at a time:"
                    f" {got[0].problem}",
                    remedy="check the address, the model's name and the key (INLOOP_API_KEY)",
                )
            whole = sorted(each.seconds for each in good)
            level = Level(
                concurrent=concurrent,
                requests=len(got),
                failed=len(got) - len(good),
                tokens_per_second=sum(each.tokens for each in good) / wall,
                first=statistics.median(each.first for each in good),
                median=statistics.median(whole),
                p95=whole[min(len(whole) - 1, int(0.95 * len(whole)))],
                counted=all(each.counted for each in good),
                reason=next((each.problem for each in got if each.problem), ""),
            )
            tell(level)
            done.append(level)
    return done


def _client(url: str, key: str, timeout: float) -> openai.AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(
        base_url=url, api_key=key or "none", max_retries=0, timeout=timeout,
        http_client=openai.DefaultAsyncHttpxClient(mounts=direct_routes(url)),
    )  # fmt: skip


class _Timed:
    def __init__(self) -> None:
        self.seconds = self.first = 0.0
        self.tokens = 0
        self.counted = False
        self.problem = ""


async def _one(client: Any, model: str, number: int, tokens: int) -> _Timed:
    import openai

    timed, text, begun = _Timed(), "", time.perf_counter()
    thing = _THINGS[number % len(_THINGS)]
    question = f"{number}: describe a {thing} at length, in many sentences, and do not stop."
    try:
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}], max_tokens=tokens, temperature=0.7,
            stream=True, stream_options={"include_usage": True},
        )  # fmt: skip
        async for chunk in stream:
            delta = chunk.choices[0].delta if chunk.choices else None
            # thinking costs what an answer costs
            for piece in (getattr(delta, name, None) for name in ("content", *THINKING)):
                if isinstance(piece, str) and piece:
                    timed.first = timed.first or time.perf_counter() - begun
                    text += piece
            if getattr(chunk, "usage", None) is not None:
                timed.tokens, timed.counted = int(chunk.usage.completion_tokens), True
    except (openai.OpenAIError, OSError) as error:
        timed.problem = f"{type(error).__name__}: {str(error)[:200]}"
    except Exception as error:
        # the transport's errors break through while a stream is read
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "httpcore", "httpcore2", "anyio"):
            raise
        timed.problem = f"{type(error).__name__}: {str(error)[:200]}"
    timed.seconds = time.perf_counter() - begun
    if not timed.counted:
        timed.tokens = estimate(text)
    if not timed.problem and not text:
        timed.problem = "an empty answer"
    return timed
