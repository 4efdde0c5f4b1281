"""Is the label of a written row right? Said by something other than the writer, who was sure of it.

The model: a verifier gives an `Opinion` of each row, an agreement from 0 to 1 or None where it could not tell. What counts as
enough is its `threshold`. None is never enough: a row that nobody could check is refused, and the table says so.

- `SecondModel`: another model answers the text without seeing the label; with several votes, the share that agrees. The same
  model as the writer is self-consistency, which is weaker, and its name says so.
- `ByStudent`: a classifier trained on the seeds alone. It vetoes what looks like another class; it must not demand what it knows
  already, for then nothing new could be learned.
- `Checker`: a function of the user's own.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.own_code import at_line, run_file
from ...runtime.protocols import Chat, Student
from ...runtime.records import Message, Record, Row
from ...runtime.session import settled
from ...tools.tasks import NoAnswer, Task

__all__ = ["ByStudent", "Checker", "Opinion", "SecondModel", "Verifier", "open_checker"]


class Opinion(Record):
    """What a verifier thinks of one row: `agreement` from 0 to 1, None where it could not tell, and why."""

    agreement: float | None
    said: str = ""


class Verifier(Protocol):
    """Gives an opinion of each row, in order. `threshold`: the agreement that is enough."""

    @property
    def name(self) -> str: ...
    @property
    def threshold(self) -> float: ...
    async def opinions(self, rows: Sequence[Row], *, seed: int) -> list[Opinion]: ...


class SecondModel:
    """A chat model that answers the row's text; `writers` are the models that write rows, to tell self-consistency apart.

    With one vote it is asked at temperature 0, with several at 0.7. `threshold`: the share of votes that must agree.
    """

    def __init__(
        self, chat: Chat, task: Task, *, about: str, votes: int = 1, threshold: float = 0.5, writers: Sequence[str] = ()
    ) -> None:
        if votes < 1 or not 0 < threshold <= 1:
            raise BadInput(
                f"votes={votes!r} must be 1 or more, and threshold={threshold!r} lie above 0 and not above 1."
            )
        if chat.model in writers and votes < 2:
            raise BadInput(
                f"{chat.model!r} writes the rows and cannot check itself with one vote: name another model, or ask it"
                " several times (--verifier self:5)."
            )
        self.chat, self.task, self.about, self.votes, self.threshold = chat, task, about, votes, threshold
        kind = "self-consistency of" if chat.model in writers else "answers of"
        self.name = f"{kind} {chat.model}" + (f", {votes} votes" if votes > 1 else "")

    async def opinions(self, rows: Sequence[Row], *, seed: int) -> list[Opinion]:
        """The share of the model's answers that are the row's; an answer that cannot be read counts against it."""
        return await settled([self._one(row, seed) for row in rows])

    async def _one(self, row: Row, seed: int) -> Opinion:
        labels = f"The possible answers: {', '.join(self.task.classes)}" if self.task.classes else ""
        sections = load("rows/verify_answer").messages(about=self.about, labels=labels, text=row.text)
        messages = [Message(role=role, content=re.sub(r"\n{3,}", "\n\n", text)) for role, text in sections]
        room = 32 + self.task.answer_tokens + (0 if self.task.classes else 256)
        try:
            reply = await self.chat.complete(
                messages, n=self.votes, seed=seed % 2**31, temperature=0.7 if self.votes > 1 else 0.0, max_tokens=room
            )
        except CallFailed as error:
            return Opinion(agreement=None, said=f"the verifier failed: {error}")
        answers = [self._answer(text, row) for text in reply.texts]
        right = sum(answer is not None and self.task.same(answer, row) for answer in answers)
        shown = ", ".join(dict.fromkeys("unreadable" if answer is None else answer for answer in answers))
        if not any(answer is not None for answer in answers):
            return Opinion(agreement=None, said=f"the verifier's answer cannot be read: {reply.text[:80]!r}")
        return Opinion(agreement=right / len(answers), said=f"answered {shown[:120]}")

    def _answer(self, reply: str, row: Row) -> str | None:
        """The answer in a reply: what stands behind the last "Answer:", or the whole of it, or the one label that it names."""
        marked = re.findall(r"answer(?: is)?\s*[:=]\s*(.+)", reply, re.IGNORECASE)
        for said in [*(marked[-1:]), reply.strip()]:
            candidate = said.strip().strip("*`\"' ")
            for form in dict.fromkeys([candidate, f"{getattr(self.task, 'marker', '')} {candidate}".strip()]):
                try:
                    return self.task.read(form, row)
                except NoAnswer:
                    continue
        named = [label for label in self.task.classes if re.search(rf"\b{re.escape(label)}\b", reply, re.IGNORECASE)]
        return named[0] if len(named) == 1 else None


class ByStudent:
    """A student that was trained on the seeds alone and gives probabilities.

    Agreement is the probability of the row's label over that of the likeliest one: 1 where it is the likeliest. The low
    `threshold` refuses what clearly looks like another class and lets through what is hard.
    """

    name = "a classifier trained on the seeds"

    def __init__(self, student: Student, *, threshold: float = 0.2) -> None:
        if not 0 < threshold <= 1:
            raise BadInput(f"threshold={threshold!r} must lie above 0 and not above 1.")
        self.student, self.threshold = student, threshold

    async def opinions(self, rows: Sequence[Row], *, seed: int) -> list[Opinion]:
        """By the fitted student's probabilities."""
        made = await self.student.predict([row.text for row in rows]) if rows else []
        found = []
        for row, prediction in zip(rows, made, strict=True):
            scores = prediction.scores
            if not scores:
                found.append(Opinion(agreement=None, said="the classifier gives no probabilities"))
                continue
            likeliest = max(scores, key=lambda label: scores[label])
            share = scores.get(row.label, 0.0) / scores[likeliest] if scores[likeliest] > 0 else None
            found.append(Opinion(agreement=share, said=f"looks like {likeliest}"))
        return found


class Checker:
    """A function of the user's own: of a `Row`, True or a number from 0 to 1 for right, False, or a text that says what is wrong."""

    threshold = 0.5

    def __init__(self, check: Callable[[Row], Any], name: str) -> None:
        self.check, self.name = check, name

    async def opinions(self, rows: Sequence[Row], *, seed: int) -> list[Opinion]:
        """The function's answers; an exception means that it could not tell."""
        return [await asyncio.to_thread(self._one, row) for row in rows]

    def _one(self, row: Row) -> Opinion:
        try:
            found = self.check(row)
        except Exception as error:  # a user's own code raises what it likes
            return Opinion(agreement=None, said=f"{self.name} failed: {type(error).__name__}: {error}{at_line(error)}")
        if isinstance(found, str):
            return Opinion(agreement=0.0, said=found[:200])
        if isinstance(found, bool | int | float) and 0 <= found <= 1:
            return Opinion(agreement=float(found), said="" if found else f"{self.name} says no")
        return Opinion(
            agreement=None, said=f"{self.name} returned {found!r:.60}, which is neither a truth value nor 0 to 1"
        )


def open_checker(path: Path) -> Checker:
    """The function `check(row)` of a Python file; the file is run. `BadInput` where there is no such function of one argument."""
    module = run_file(path, "the checker")
    check = getattr(module, "check", None)
    if not callable(check) or len(inspect.signature(check).parameters) != 1:
        raise BadInput(
            f"the checker {str(path)!r} must define a function check(row), which says whether the row is right."
        )
    return Checker(check, f"the checker {path.name}")
