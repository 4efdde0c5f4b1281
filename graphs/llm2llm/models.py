"""The models of a run of LLM2LLM by role: the student, the teachers, and who checks their rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from ...agents.rows import ChatTeacher, Copies, Noise, OraclePool, Teacher
from ...evaluators.rows import ByStudent, KnownTexts, RowChecks, SecondModel, Verifier, open_checker
from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.protocols import Chat, Student
from ...runtime.session import Session
from ...runtime.settings import Settings
from ...runtime.store import Store
from ...tools.students import EmbeddingStudent, open_student
from ...tools.tasks import Task
from .arms import Arm
from .config import ORACLE, Llm2LlmConfig
from .data import Parts
from .events import TrainingTold

__all__ = ["Models"]

_PAPER_ROUGE = 0.95

_ABOUT = {
    "classification": "Say to which class a short text belongs.",
    "short_answer": "Answer a question with a short answer.",
    "multiple_choice": "Choose the right one of the choices and answer with its letter.",
    "extraction": "Read a text and give its facts as a JSON object.",
}


class Models:
    """Who takes part in a run; arms and repeats share them. Nothing is loaded or asked before it is needed.

    Roles: `student`; `teacher`, or `teacher 1` and so on where there are several; `verifier`; `classifier`, the student that checks
    labels where the run's own one does not read embeddings. A caller's own model takes its role.

    `wrote`: the names of the models that wrote the rows, where that was done before; they are then not opened to be asked.

    Raises:
        BadInput: an oracle among other teachers, or a verifier that there is not; before anything is paid.
    """

    def __init__(
        self, config: Llm2LlmConfig, task: Task, session: Session, *, wrote: Sequence[str] | None = None
    ) -> None:
        self.config, self.task, self.session = config, task, session
        marker = getattr(task, "marker", "")
        ending = f" The answer ends with {marker!r} and the result." if marker else ""
        self.about = (config.about or _ABOUT.get(task.kind, "Answer as the example shows.")) + ending
        many = len(config.teachers) > 1
        roles = [f"teacher {place}" if many else "teacher" for place in range(1, len(config.teachers) + 1)]
        brought = session.brought("models", ("student", *roles, "verifier", "classifier"))
        self.oracle = any(spec.startswith(ORACLE) for spec in config.teachers) and "teacher" not in brought
        """Whether rows are drawn from a pool of real ones."""
        if self.oracle and many:
            raise BadInput("an oracle is no teacher among others: give it alone, or leave it out.")
        self._brought_verifier = "verifier" in brought
        self.student = self._student("student", config.student)
        self._roles: dict[str, str] = {}
        self._teacher_roles, self._wrote = roles, wrote
        self._writers: list[Chat] | None = None
        self._verifiers = [self._parse(spec) for spec in config.verifiers]

    def open_chats(self) -> None:
        """Open who writes and who checks: what is wrong with one of them is said before a student is trained.

        Raises what `open_writers` raises, and `BadInput` where a writer would check itself.
        """
        self.open_writers()
        for kind, rest in self._verifiers:
            if kind in ("self", "chat"):
                self._second_models(kind, rest)

    def open_writers(self) -> list[Chat]:
        """The models that write rows; none for an oracle. A server without a model's name is asked for it now.

        Raises:
            BadInput: a spec that names no model.
            PrerequisiteError: a server that does not answer, a model that is not there.
        """
        if self._writers is None:
            pairs = [] if self.oracle else zip(self.config.teachers, self._teacher_roles, strict=True)
            self._writers = [self._chat(spec, role) for spec, role in pairs]
        return self._writers

    def _writer_names(self) -> Sequence[str]:
        return self._wrote if self._wrote is not None else [chat.model for chat in self.open_writers()]

    def embed(self) -> Callable[[Sequence[str]], Awaitable[list[list[float]]]] | None:
        """Unit vectors of texts, where the student or the verifier reads texts by them anyway."""
        judged = any(kind == "student" for kind, _ in self._verifiers)
        reader = self._reader() if judged else self.student
        return reader.embedder.texts if isinstance(reader, EmbeddingStudent) else None

    def teachers(self, arm: Arm, parts: Parts) -> tuple[Teacher, ...]:
        """Who writes rows for an arm."""
        if arm.rows == "none":
            return ()
        if arm.rows == "copies":
            return (Copies(),)
        if arm.rows == "noise":
            return (Noise(parts.seeds),)
        if arm.rows == "pool":
            return (OraclePool(parts.pool),)
        if self.oracle:
            return (OraclePool(parts.pool, embed=self.embed()),)
        style: Literal["ours", "paper"] = "paper" if arm.name == "paper" else "ours"
        temperature = 1.0 if arm.name == "paper" else self.config.temperature
        return tuple(
            ChatTeacher(chat, about=self.about, labels=self.task.classes, style=style, temperature=temperature)
            for chat in self.open_writers()
        )

    async def checks(self, arm: Arm, parts: Parts, seed: int) -> RowChecks:
        """What the rows of an arm must pass."""
        if arm.checks == "none":
            return RowChecks(self.task, None, too_long=self.student.too_long)
        paper = arm.checks == "paper"
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
        verifiers: list[Verifier] = []
        for kind, rest in self._verifiers:
            if kind == "student":
                verifiers.append(await self._by_student(parts, seed))
            elif kind == "file":
                verifiers.append(open_checker(Path(rest)))
            elif kind in ("self", "chat"):
                verifiers += self._second_models(kind, rest)
        return verifiers

    def _second_models(self, kind: str, rest: str) -> list[SecondModel]:
        """The writers themselves for "self", else the model that is named."""
        model, votes = rest.rsplit(",votes=", 1) if ",votes=" in rest else (rest, "1")
        if kind == "self":
            chats, votes = self.open_writers(), rest
            names: Sequence[str] = [chat.model for chat in chats]
        else:
            chats, names = [self._chat(model, "verifier")], self._writer_names()
        return [SecondModel(chat, self.task, about=self.about, votes=int(votes), writers=names) for chat in chats]

    def _parse(self, spec: str) -> tuple[str, str]:
        if spec == "auto" and self._brought_verifier:
            return "chat", spec
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
        """The student that sorts by embeddings: the run's own, or one beside it that all arms and repeats share."""
        if isinstance(self.student, EmbeddingStudent):
            return self.student
        return self._student("classifier", "embedding")

    def _student(self, role: str, spec: str) -> Student:
        def opener(spec: str, store: Store, settings: Settings) -> Student:
            return open_student(
                spec, self.task, settings, store, say=lambda text: self.session.emit(TrainingTold(text=text))
            )

        return self.session.open(role, opener, spec)

    def _chat(self, spec: str, role: str) -> Chat:
        """The model of a role; one that has a role already is not opened twice."""
        spec = "smollm2" if spec == "local" else spec
        if spec not in self._roles:
            alike = sum(name.partition(" ")[0] == role for name in self._roles.values())
            self._roles[spec] = f"{role} {alike + 1}" if alike else role
        return self.session.open(self._roles[spec], open_chat, spec)
