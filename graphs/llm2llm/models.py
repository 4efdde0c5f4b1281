"""The models that a run of LLM2LLM opens: the student, the teachers, and who checks their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from ...agents.rows import ChatTeacher, Copies, Noise, OraclePool, Teacher
from ...evaluators.rows import ByStudent, KnownTexts, RowChecks, SecondModel, Verifier, open_checker
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import Chat, Student
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.students import EmbeddingStudent, open_student
from ...tools.tasks import Task
from .arms import Way
from .config import _ORACLE, Llm2LlmConfig
from .data import Parts

__all__ = ["Bench"]


_PAPER_ROUGE = 0.95


_ABOUT = {
    "classification": "Say to which class a short text belongs.",
    "short_answer": "Answer a question with a short answer.",
    "multiple_choice": "Choose the right one of the choices and answer with its letter.",
    "extraction": "Read a text and give its facts as a JSON object.",
}


class Bench:
    """The opened models of one run, shared by its ways and repeats. Nothing is loaded or asked before it is needed."""

    def __init__(
        self,
        config: Llm2LlmConfig,
        task: Task,
        store: Store,
        settings: Settings,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.config, self.task, self.store, self.settings = config, task, store, settings
        marker = getattr(task, "marker", "")
        ending = f" The answer ends with {marker!r} and the result." if marker else ""
        self.about = (config.about or _ABOUT.get(task.kind, "Answer as the example shows.")) + ending
        self.student: Student = open_student(config.student, task, settings, store, say=say)
        self.chats: dict[str, Chat] = {}
        self._judge: Student | None = None
        writers = [spec for spec in config.teachers if not spec.startswith(_ORACLE)]
        self._writers = [self._chat(spec) for spec in writers]
        if len(writers) < len(config.teachers) > 1:
            raise BadInput("an oracle is no teacher among others: give it alone, or leave it out.")
        # a wrong one must be refused before anything is paid
        self._checking = [self._parse(spec) for spec in config.verifiers]

    @property
    def oracle(self) -> bool:
        """Whether rows are drawn from a pool of real ones."""
        return not self._writers

    def embed(self) -> Callable[[Sequence[str]], Awaitable[list[list[float]]]] | None:
        """Unit vectors of texts, where the student or the verifier reads texts by them anyway."""
        judged = any(kind == "student" for kind, _ in self._checking)
        reader = self._reader() if judged else self.student
        return reader.embedder.texts if isinstance(reader, EmbeddingStudent) else None

    def teachers(self, way: Way, parts: Parts) -> tuple[Teacher, ...]:
        """Who writes rows for a way."""
        if way.rows == "none":
            return ()
        if way.rows == "copies":
            return (Copies(),)
        if way.rows == "noise":
            return (Noise(parts.seeds),)
        if way.rows == "pool":
            return (OraclePool(parts.pool),)
        if self.oracle:
            return (OraclePool(parts.pool, embed=self.embed()),)
        style: Literal["ours", "paper"] = "paper" if way.name == "paper" else "ours"
        temperature = 1.0 if way.name == "paper" else self.config.temperature
        return tuple(
            ChatTeacher(chat, about=self.about, labels=self.task.classes, style=style, temperature=temperature)
            for chat in self._writers
        )

    async def checks(self, way: Way, parts: Parts, seed: int) -> RowChecks:
        """What the rows of a way must pass."""
        if way.checks == "none":
            return RowChecks(self.task, None, too_long=self.student.too_long)
        paper = way.checks == "paper"
        known = KnownTexts(
            rouge=_PAPER_ROUGE if paper else self.config.rouge,
            cosine=self.config.cosine,
            embed=None if paper else self.embed(),
        )
        for group, rows in (("seeds", parts.seeds), ("dev", parts.dev), ("test", parts.test)):
            await known.add(group, [row.text for row in rows])
        if paper:
            return RowChecks(self.task, known, leaks=False, too_long=self.student.too_long)
        return RowChecks(
            self.task, known, verifiers=await self.verifiers(parts, seed), agreement=self.config.agreement,
            too_long=self.student.too_long,
        )  # fmt: skip

    async def verifiers(self, parts: Parts, seed: int) -> list[Verifier]:
        """Those of the config; "auto": none for an oracle, the classifier for classes, else self-consistency."""
        found: list[Verifier] = []
        for kind, rest in self._checking:
            if kind == "student":
                found.append(await self._by_student(parts, seed))
            elif kind == "file":
                found.append(open_checker(Path(rest)))
            elif kind == "self":
                names = [chat.model for chat in self._writers]
                found += [
                    SecondModel(chat, self.task, about=self.about, votes=int(rest), writers=names)
                    for chat in self._writers
                ]
            elif kind == "chat":
                model, votes = rest.rsplit(",votes=", 1) if ",votes=" in rest else (rest, "1")
                names = [chat.model for chat in self._writers]
                found.append(
                    SecondModel(self._chat(model), self.task, about=self.about, votes=int(votes), writers=names)
                )
        return found

    def _parse(self, spec: str) -> tuple[str, str]:
        if spec == "auto":
            spec = "none" if self.oracle else "student" if self.task.classes else "self:3"
        if spec in ("none", "student"):
            if spec == "student" and not self.task.classes:
                raise BadInput(f"--verifier student needs a task with classes; {self.task.kind} has open answers.")
            return spec, ""
        if spec == "self" or spec.startswith("self:"):
            votes = spec.partition(":")[2] or "3"
            if not votes.isdecimal() or int(votes) < 2 or self.oracle:
                raise BadInput(
                    f"--verifier {spec!r}: write self:VOTES with 2 votes or more, and a teacher that is a model."
                )
            return "self", votes
        if spec.endswith(".py"):
            open_checker(Path(spec))
            return "file", spec
        votes = spec.rsplit(",votes=", 1)[1] if ",votes=" in spec else "1"
        if not votes.isdecimal() or int(votes) < 1:
            raise BadInput(f"--verifier {spec!r}: give votes=N with a number from 1.")
        return "chat", spec

    async def _by_student(self, parts: Parts, seed: int) -> Verifier:
        student = self._reader().fresh()
        await student.fit(parts.seeds, seed)
        return ByStudent(student)

    def _reader(self) -> Student:
        """The student that sorts by embeddings: the run's own, or one beside it that all ways and repeats share."""
        if isinstance(self.student, EmbeddingStudent):
            return self.student
        if self._judge is None:
            self._judge = open_student("embedding", self.task, self.settings, self.store)
        return self._judge

    def _chat(self, spec: str) -> Chat:
        spec = "smollm2" if spec == "local" else spec
        if spec not in self.chats:
            self.chats[spec] = open_chat(spec, self.store, self.settings)
        return self.chats[spec]

    def models(self) -> dict[str, dict[str, str]]:
        """Who takes part, by role."""
        named = {"student": {"id": self.student.model, "revision": self.student.revision}}
        for place, chat in enumerate(self._writers, start=1):
            named[f"teacher {place}" if len(self._writers) > 1 else "teacher"] = {
                "id": chat.model,
                "revision": chat.revision,
            }
        for chat in self.chats.values():
            if chat not in self._writers:
                named["verifier"] = {"id": chat.model, "revision": chat.revision}
        return named

    def notes(self) -> list[str]:
        """What the servers could not do, and what must be said about the teacher."""
        said = [note for chat in self.chats.values() for note in getattr(chat, "notes", ())]
        if self.oracle:
            said.append(
                "the teacher was an oracle: its rows are unseen real rows. The figures show that the loop works, not what a teacher is worth"
            )
        return said

    async def close(self) -> None:
        """Stop servers and free the models."""
        for chat in self.chats.values():
            await close(chat)
        for student in (self._judge, self.student):
            if student is not None:
                await student.aclose()
