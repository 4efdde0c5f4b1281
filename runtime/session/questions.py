"""What a run asks people, and what they answer: in the store's database, so that either may be in any process that sees it, at any time.

A question has a key made of the id of LangGraph's interrupt and of how many answers to that interrupt were taken in before, since a node
that cannot take an answer asks again under the same id. The run asks and takes; somebody else answers.

Invariants: a question is answered once, by the first who answers; an answer is on the disk before `answer` returns, and stays there until
the run has taken it in. A run that was killed meanwhile is given the same answer again, which LangGraph takes for the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import BadInput
from ..records import Record
from ..storage import Connection, Tables, database_at
from ..store import StoreLocation

__all__ = ["QUESTIONS_TABLES", "Pending", "Questions"]

T = TypeVar("T")
QUESTIONS_TABLES = Tables(
    name="questions",
    what="the questions of the runs",
    version=1,
    lost="what was answered is asked again",
    repeatable=True,
    statements="""
CREATE TABLE IF NOT EXISTS questions (
    run TEXT NOT NULL, key TEXT NOT NULL, interrupt TEXT NOT NULL, task TEXT NOT NULL, question TEXT NOT NULL, asked REAL NOT NULL,
    answer TEXT, who TEXT, answered REAL, taken REAL, PRIMARY KEY (run, key))
""",
)
_POLL = 0.3  # seconds


class Pending(Record):
    """A question that waits: its key, the task that it is of, and what the graph asked; `answered`: there is an answer, not yet taken in."""

    key: str
    task: str
    question: Any
    asked: float
    answered: bool = False


class Questions:
    """The questions of a run, by its id."""

    def __init__(self, store: StoreLocation, run: str) -> None:
        self.run = run
        self._database = database_at(store.tables(QUESTIONS_TABLES.name), QUESTIONS_TABLES)

    async def aside(self, work: Callable[[], T]) -> T:
        """What `work` on these questions gives, without keeping the event loop waiting."""
        return work() if self._database.quick else await asyncio.to_thread(work)

    def ask(self, interrupt: str, task: str, question: Any) -> str:
        """Put a question that the graph asks; its key. Asked again after a stop it is the same one."""
        with self._database.work() as connection:
            (taken,) = connection.execute(
                "SELECT COUNT(*) FROM questions WHERE run = ? AND interrupt = ? AND taken IS NOT NULL",
                (self.run, interrupt),
            ).fetchone()
            key = f"{interrupt}-{taken}"
            connection.execute(
                "INSERT INTO questions (run, key, interrupt, task, question, asked) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (run, key) DO NOTHING",
                (self.run, key, interrupt, task, json.dumps(question), time.time()),
            )
            # a task asks one thing at a time: what it asked before was taken in by a process that was killed before it could note so
            self._settled(connection, task, but=key)
        return key

    def settle(self, task: str) -> None:
        """Note that a task asks nothing any more: it is at its end."""
        if self._database.there():
            with self._database.work() as connection:
                self._settled(connection, task)

    def waiting(self) -> list[Pending]:
        """The questions that no answer was taken in for, the oldest first."""
        if not self._database.there():
            return []
        with self._database.work() as connection:
            rows = connection.execute(
                "SELECT key, task, question, asked, answer IS NOT NULL FROM questions WHERE run = ? AND taken IS NULL ORDER BY asked, key",
                (self.run,),
            ).fetchall()
        return [
            Pending(key=key, task=task, question=json.loads(question), asked=asked, answered=bool(answered))
            for key, task, question, asked, answered in rows
        ]

    def answer(self, key: str, answer: Any, *, who: str = "") -> None:
        """Answer a question. The same answer twice is one.

        Raises:
            BadInput: there is no such question, or it was answered otherwise already.
        """
        text = json.dumps(answer, sort_keys=True)
        with self._database.work() as connection:
            connection.execute(
                "UPDATE questions SET answer = ?, who = ?, answered = ? WHERE run = ? AND key = ? AND answer IS NULL AND taken IS NULL",
                (text, who, time.time(), self.run, key),
            )
            row = self._row(connection, key)
        if row is None:
            raise BadInput(f"the run does not ask {key!r}: load the page again to see what it asks.")
        if row[0] != text:
            raise BadInput(
                f"the question {key!r} was answered already: load the page again to see what the run asks now."
            )

    def answer_to(self, key: str) -> tuple[bool, Any]:
        """Whether there is an answer, and the answer."""
        with self._database.work() as connection:
            row = self._row(connection, key)
        return (False, None) if row is None or row[0] is None else (True, json.loads(row[0]))

    def first_answer(self, key: str, answer: Any) -> Any:
        """What counts: `answer`, unless somebody was quicker."""
        with contextlib.suppress(BadInput):
            self.answer(key, answer)
            return answer
        return self.answer_to(key)[1]

    async def wait(self, key: str) -> Any:
        """The answer, as soon as somebody gives it."""
        while True:
            there, answer = await self.aside(lambda: self.answer_to(key))
            if there:
                return answer
            await asyncio.sleep(_POLL)

    def take(self, key: str, answer: Any) -> None:
        """Note that the run has taken an answer in, wherever it came from."""
        now = time.time()
        with self._database.work() as connection:
            connection.execute(
                "UPDATE questions SET answer = COALESCE(answer, ?), answered = COALESCE(answered, ?), taken = ? WHERE run = ? AND key = ?",
                (json.dumps(answer, sort_keys=True), now, now, self.run, key),
            )

    def stamp(self) -> str:
        """What changes whenever something is asked, answered or taken in."""
        if not self._database.there():
            return ""
        with self._database.work() as connection:
            counts = "COUNT(*), COUNT(answer), COUNT(taken)"
            return str(connection.execute(f"SELECT {counts} FROM questions WHERE run = ?", (self.run,)).fetchone())

    def _row(self, connection: Connection, key: str) -> Any:
        return connection.execute("SELECT answer FROM questions WHERE run = ? AND key = ?", (self.run, key)).fetchone()

    def _settled(self, connection: Connection, task: str, but: str = "") -> None:
        connection.execute(
            "UPDATE questions SET taken = ? WHERE run = ? AND task = ? AND key <> ? AND taken IS NULL",
            (time.time(), self.run, task, but),
        )
