"""A chat model for work that can wait: requests go out in batches, and their answers are fetched when a batch ended.

The model: a request is a *line*, named after the call of the ledger that it is for and its body. Lines that come within seconds of
each other go into one batch. A line that stands in a batch already is waited for and not handed in again, whoever handed it in: a
run that was killed goes on with its batches.

Invariants: see `batch_book`. What was not tried before a batch's time was over, and what may pass by itself, goes into the next
batch, a bounded number of times; what a server refuses is told as it is of any request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import uuid
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from ..errors import CallFailed, PrerequisiteError
from ..gatherer import Gatherer
from ..records import Cost
from ..transport import Garbage, Price, Problem, Refused, Sender, ServerError, cost_of, from_completion, judge
from .batch_book import BatchBook
from .batch_lines import Answered, file_of, sent_as
from .batch_places import BatchFailed, BatchPlace

__all__ = ["BatchSender"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MOST, _ROOM = 50_000, 150_000_000
"""Requests of one batch, and the bytes of their bodies: below OpenAI's 200 MB."""


class BatchSender(Sender):
    """The way to a place that takes batches.

    Args:
        place: makes the place, of what gives the connections to it.
        book: of the store.
        gather: seconds without a new request after which those that came go out.
        poll: the first and the longest pause between two looks at a batch, in seconds.
        outage: seconds for which a place may be out of reach while its batches are waited for.
        attempts: in how many batches a request is tried.
    """

    def __init__(
        self,
        url: str,
        key: str = "none",
        *,
        model: str,
        place: Callable[[Callable[[], Any]], BatchPlace],
        book: BatchBook,
        gather: float = 5.0,
        poll: tuple[float, float] = (2.0, 60.0),
        outage: float = 3600.0,
        attempts: int = 3,
        timeout: float = 120.0,
        free: bool = False,
        price: Price | None = None,
    ) -> None:
        super().__init__(url, key, model=model, timeout=max(timeout, 600.0), attempts=attempts, free=free, price=price)
        self._place = place(lambda: self._client(url, key))
        self.where = f"{self._place.where} for {model!r}"
        self._book, self._poll, self._outage = book, poll, outage
        self._gatherer: Gatherer[_Request, _Outcome] = Gatherer(
            self._hand_in, most=_MOST, linger=gather, quiet=True, room=_ROOM, size=lambda line: line.size
        )
        self._waits: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[str, asyncio.Task[dict[str, Answered] | None]]
        ] = weakref.WeakKeyDictionary()

    async def pay(
        self,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None,
        *,
        opened: bool = False,
        slower: float = 1.0,
        call: str = "",
    ) -> tuple[dict[str, Any], Cost]:
        """One request's answer, from the batch that it stands in or from the next one; as `Sender.pay`.

        Raises:
            PrerequisiteError: the place is out of reach, refuses the key, or refuses the batch as a whole.
            CallFailed: the request was refused (`Refused` for its form), or not answered in any batch.
        """
        line = self.line(body, call)
        problem = Problem("")
        for _ in range(self._attempts):
            answered, batch = await self._answered(line)
            try:
                if answered.completion is not None:
                    return self._value(answered.completion, body, on_text, opened=opened)
                if answered.error is not None:
                    raise answered.error
                problem = Problem(f"{self.where} did not come to the request before the time of its batch was over")
            except (Garbage, ServerError) as error:
                try:
                    problem = judge(error, self.where, answers=self.answers, option=self.option, key=self._key)
                except Refused:
                    raise  # it stays in its batch: asked again, it is refused again, at once
                except Exception:
                    await asyncio.to_thread(self._book.forget, line.id, batch)
                    raise
            await asyncio.to_thread(self._book.forget, line.id, batch)
            _LOG.info("%s; it goes into the next batch", problem.text)
        raise CallFailed(f"{problem.text} ({self._attempts} batches)", retryable=True)

    def line(self, body: dict[str, Any], call: str) -> _Request:
        """The request by the name that it has in files and in the book."""
        text = json.dumps([call, sent_as(body)], sort_keys=True)
        return _Request(f"inloop-{hashlib.sha256(text.encode()).hexdigest()[:48]}", body, len(text))

    async def aclose(self) -> None:
        """Stop waiting, and close the connections of the running event loop; batches go on at their places."""
        for task in self._waits.pop(asyncio.get_running_loop(), {}).values():
            task.cancel()
        await super().aclose()

    def _value(
        self, completion: dict[str, Any], body: dict[str, Any], on_text: Callable[[str], None] | None, *, opened: bool
    ) -> tuple[dict[str, Any], Cost]:
        from openai.types.chat import ChatCompletion

        value = from_completion(ChatCompletion.construct(**completion), opened=opened)
        cost = self.priced(cost_of(body, value, 0.0, money=None))
        if on_text is not None and value["choices"]:
            on_text(value["choices"][0]["text"])
        return value, cost

    async def _answered(self, line: _Request) -> _Outcome:
        """What came of a line, and our id of the batch that it stood in."""
        batch = await asyncio.to_thread(self._book.find, line.id)
        if batch is not None and batch.place == self._place.name:
            try:
                answers = await self._wait(batch.id)
            except BatchFailed:
                await asyncio.to_thread(self._book.forget, line.id, batch.id)
                raise
            if answers is not None:
                return _Outcome(answers.get(line.id, Answered(undone=True)), batch.id)
        return await self._gatherer.submit(line)

    async def _hand_in(self, lines: list[_Request]) -> Sequence[_Outcome | Exception]:
        """The outcomes of lines that go out as one batch."""
        id = f"inloop-{uuid.uuid4().hex}"
        await asyncio.to_thread(self._book.write, id, self._place.name, [line.id for line in lines])
        data = await asyncio.to_thread(file_of, [(line.id, line.body) for line in lines])
        handed_in = ""
        for attempt in range(self._attempts):
            try:
                handed_in = await self._place.hand_in(id, data)
                break
            except PrerequisiteError:
                raise
            except Exception as error:
                problem = self._judged(error)
                if attempt == self._attempts - 1:
                    raise PrerequisiteError(
                        problem.text, remedy="see whether it can be reached, then resume the run"
                    ) from error
                await asyncio.sleep(problem.wait(self._pause * 2**attempt))
                # what was handed in may have been taken, and only the word of it lost
                if handed_in := await self._patiently(lambda: self._place.find(id)):
                    break
        await asyncio.to_thread(self._book.handed_in, id, handed_in)
        many = f"{len(lines)} request{'s' * (len(lines) != 1)}"
        _LOG.warning("%s went to %s as %s; a run that is stopped goes on with them", many, self._place.where, handed_in)
        try:
            answers = await self._wait(id)
        except BatchFailed:
            for line in lines:
                await asyncio.to_thread(self._book.forget, line.id, id)
            raise
        return [_Outcome((answers or {}).get(line.id, Answered(undone=True)), id) for line in lines]

    async def _wait(self, id: str) -> dict[str, Answered] | None:
        """The answers of a batch once it ended, waited for once for all; None where it never was handed in."""
        waits = self._waits.setdefault(asyncio.get_running_loop(), {})
        if id not in waits or waits[id].cancelled():
            waits[id] = asyncio.get_running_loop().create_task(self._ended(id))
        return await asyncio.shield(waits[id])

    async def _ended(self, id: str) -> dict[str, Answered] | None:
        first, longest = self._poll
        while True:
            batch = await asyncio.to_thread(self._book.read, id)
            if batch is None:
                return None
            if not batch.is_under_way:
                break
            await asyncio.sleep(first)
        handed_in = batch.handed_in
        if not handed_in:  # whoever wrote it down was killed before or after it was taken
            handed_in = await self._patiently(lambda: self._place.find(id))
            if not handed_in:
                return None
            await asyncio.to_thread(self._book.handed_in, id, handed_in)
        pause = first
        while True:
            progress = await self._patiently(lambda: self._place.look(handed_in))
            if progress.ended:
                return await self._patiently(lambda: self._place.answers(handed_in))
            _LOG.info("%s: %d of %d requests are answered", handed_in, progress.answered, progress.requests)
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What a place says, asked again through an outage."""
        begun, attempt = time.monotonic(), 0
        while True:
            try:
                return await ask()
            except PrerequisiteError:
                raise
            except Exception as error:
                problem = self._judged(error)
                if time.monotonic() - begun > self._outage:
                    raise PrerequisiteError(
                        f"{problem.text}, for {self._outage / 60:.0f} minutes",
                        remedy="see whether it can be reached, then resume the run: its batches are not handed in again",
                    ) from error
                await asyncio.sleep(min(self._poll[1], problem.wait(self._pause * 2 ** min(attempt, 10))))
                attempt += 1

    def _judged(self, error: Exception) -> Problem:
        """The problem behind an error of the place itself, where asking again can help; else it raises."""
        try:
            return judge(error, self.where, answers="batch", option=self.option, key=self._key)
        except (CallFailed, PrerequisiteError) as refusal:
            if isinstance(refusal, PrerequisiteError) and getattr(error, "status_code", 0) not in (404, 405):
                raise
            said = refusal.problem if isinstance(refusal, PrerequisiteError) else str(refusal)
            raise PrerequisiteError(
                f"{self.where} takes no batch: {said}", remedy="leave batch+ out, or name a place that takes batches"
            ) from error


class _Request(NamedTuple):
    """A request under its id in files; `size` of its body in bytes, about."""

    id: str
    body: dict[str, Any]
    size: int


class _Outcome(NamedTuple):
    answered: Answered
    batch: str
