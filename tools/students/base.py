"""What all students share: they are named by what made them, kept in the store, and trained once.

The name (`revision`) of a trained student is the sha256 of its base model, recipe, task, rows and seed. Its folder in the
store carries that name and appears when it is whole (made under another name, then renamed), so what is there is
finished; `fit` with the same rows and seed takes it from there, after a crash and in a second run too.

A folder holds `student.json` (what made it, with the sha256 of each other file) and the weights.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Prediction, Record, Row, Training
from ...runtime.storage import disk_problem, draft_of, open_locked, write_whole
from ...runtime.store import canonical_json, file_sha256
from ..tasks import Task

if TYPE_CHECKING:
    from ...runtime.protocols import Student
    from ...runtime.settings import Settings
    from ...runtime.store import Store
from ..training import Say

__all__ = ["CARD", "StoredStudent", "check_lengths", "read_card"]

CARD = "student.json"

_ONE_AT_A_TIME = threading.Lock()  # two trainings on the same cores are slower than one after the other


class StoredStudent(ABC):
    """Base of the students. A subclass gives `_train` (in a worker thread), `_predict`, and loads its weights when needed.

    `base` and `base_revision` name the base model, `recipe` is everything that training depends on.
    """

    kind: ClassVar[str]

    def __init__(
        self, task: Task, store: Store, settings: Settings, *, base: str, base_revision: str, recipe: Record, say: Say
    ) -> None:
        self.task, self.recipe, self.base = task, recipe, base
        self._store, self._settings, self._say = store, settings, say
        self._base_revision = base_revision
        self.spec = ""  # how to open it again
        self._made: tuple[str, Path] | None = None  # the trained student's revision, and its folder

    @property
    def model(self) -> str:
        """The kind of student and its base model."""
        return f"{self.kind}:{self.base}"

    @property
    def revision(self) -> str:
        """The sha256 of all that made it: the base, the recipe and the task; once fitted also the rows and the seed."""
        return self._made[0] if self._made is not None else _sha256(self._parts())

    @property
    def fitted(self) -> bool:
        """Whether it can answer: after `fit` or `load`."""
        return self._made is not None

    @property
    def folder(self) -> Path:
        """Where the trained weights are; `BadInput` before `fit` or `load`."""
        if self._made is None:
            raise BadInput(f"the student {self.model!r} is not trained yet: call fit or load first.")
        return self._made[1]

    def check(self, rows: Sequence[Row]) -> list[Row]:
        """The rows in the task's form. Raises `BadInput` for rows that cannot be learned or read; it names them."""
        checked = self.task.check(rows)
        check_lengths(self, checked)
        return checked

    def too_long(self, row: Row) -> str:
        """Why a row is longer than the student reads; empty where it is not."""
        return ""

    async def fit(self, rows: Sequence[Row], seed: int) -> Training:
        """Train from the base model on `rows`; taken from the store where that was done before.

        Cancelled, it ends at the next step and goes on from its last checkpoint when it is called again.

        Raises:
            BadInput: rows that do not fit the task or the model.
            PrerequisiteError: a package or a model is missing, not enough memory or disk.
        """
        checked = self.check(rows)
        learned = [[self.task.prompt(row.text), self.task.completion(row)] for row in checked]
        revision = _sha256([*self._parts(), learned, seed])
        place = self._store.location.local / "students" / revision[:40]
        self._forget()
        if not (place / CARD).is_file():
            prepared = await self._prepare(checked)
            stop = threading.Event()
            try:
                await asyncio.to_thread(self._make, checked, seed, revision, place, prepared, stop)
            except asyncio.CancelledError:
                stop.set()
                raise
            training = Training.model_validate(read_card(place)["training"])
        else:
            training = Training.model_validate(read_card(place)["training"]).model_copy(update={"seconds": None})
        self._made = (revision, place)
        return training

    async def predict(self, texts: Sequence[str], *, scores: bool = True) -> list[Prediction]:
        """What the student says to each text, in order. `scores`: with the probability of each label, where the task has labels;
        without, they may be missing, and a student that writes its answers need not compute them.

        Raises:
            BadInput: not trained yet, or a text that is empty or longer than the model reads.
        """
        for text in texts:
            if not text.strip():
                raise BadInput(f"the text {text!r} is empty: give words.")
        _ = self.folder
        return await self._predict(texts, scores)

    def save(self, folder: Path) -> None:
        """Copy the trained student to `folder`, which is there whole or not at all; what was there is replaced."""
        folder = Path(folder)
        draft = draft_of(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(self.folder, draft)
            if folder.exists() and not (folder / CARD).is_file() and any(folder.iterdir()):
                raise BadInput(f"{str(folder)!r} holds something else: give a folder of its own for the student.")
            shutil.rmtree(folder, ignore_errors=True)
            draft.replace(folder)
        except OSError as error:
            raise disk_problem(error, folder) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def load(self, folder: Path) -> None:
        """Take the trained weights of `folder`, which `save` wrote.

        Raises:
            BadInput: no student there, one of another kind or task, or a file that was changed.
        """
        folder = Path(folder)
        card = read_card(folder)
        if card.get("kind") != self.kind:
            raise BadInput(f"{str(folder)!r} holds a student of the kind {card.get('kind')!r}, not {self.kind!r}.")
        if card.get("task_sha256") != self.task.sha256:
            raise BadInput(f"the student in {str(folder)!r} was trained for another task: {card.get('task')!r}.")
        for name, sha in card["files"].items():
            if not (folder / name).is_file() or file_sha256(folder / name, self._settings.cache_dir) != sha:
                raise BadInput(f"the file {str(folder / name)!r} is missing or was changed: train the student again.")
        self._forget()
        self._made = (str(card["revision"]), folder)

    def fresh(self) -> Self:
        """Another student of this kind, base, recipe and task, untrained."""
        other = type(self)(**self._again())
        other.spec = self.spec
        return other

    async def aclose(self) -> None:
        """Let the weights go."""
        self._forget()

    def adopt(self, folder: Path, made_of: Any, training: Training) -> None:
        """Become the student whose weights were put into `folder`, a draft in the store, by something else than `fit`.

        `made_of` is JSON that names what made it; see `tools.students.soups`.
        """
        revision = _sha256([*self._parts(), made_of])
        place = self._store.location.local / "students" / revision[:40]
        self._keep(folder, place, revision, training)
        self._forget()
        self._made = (revision, place)

    @abstractmethod
    def _train(
        self, rows: Sequence[Row], seed: int, work: Path, out: Path, prepared: Any, stop: threading.Event
    ) -> Training:
        """Train and write the weights into the empty folder `out`; `work` outlasts a crash, for checkpoints."""

    @abstractmethod
    async def _predict(self, texts: Sequence[str], scores: bool) -> list[Prediction]: ...

    @abstractmethod
    def _again(self) -> dict[str, Any]:
        """The arguments that made this student."""

    async def _prepare(self, rows: Sequence[Row]) -> Any:
        """What training needs that has to be awaited."""
        return None

    def _forget(self) -> None:
        """Drop what was loaded of the trained weights."""
        self._made = None

    def _parts(self) -> list[Any]:
        return [self.kind, self._base_revision, self.recipe.model_dump(mode="json"), self.task.sha256]

    def _make(
        self, rows: Sequence[Row], seed: int, revision: str, place: Path, prepared: Any, stop: threading.Event
    ) -> None:
        work = place.parent / ".work" / place.name
        draft = work / f"out.{os.getpid()}"
        try:
            with _ONE_AT_A_TIME, _locked(work / "lock"):
                if not (place / CARD).is_file():  # else another one was at it, and we waited for it
                    shutil.rmtree(draft, ignore_errors=True)
                    draft.mkdir()
                    training = self._train(rows, seed, work, draft, prepared, stop)
                    self._keep(draft, place, revision, training)
                shutil.rmtree(work, ignore_errors=True)
        except OSError as error:
            raise disk_problem(error, place) from error

    def _keep(self, draft: Path, place: Path, revision: str, training: Training) -> None:
        files = {path.relative_to(draft).as_posix(): path for path in sorted(draft.rglob("*")) if path.is_file()}
        for path in files.values():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        card = {
            "kind": self.kind,
            "spec": self.spec,
            "base": self.base,
            "base_revision": self._base_revision,
            "recipe": self.recipe.model_dump(mode="json"),
            "task": self.task.model_dump(mode="json"),
            "task_sha256": self.task.sha256,
            "revision": revision,
            "training": training.model_dump(mode="json"),
            "files": {name: file_sha256(path) for name, path in files.items()},
        }
        write_whole(draft / CARD, (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not (place / CARD).is_file():
                shutil.rmtree(place, ignore_errors=True)
                draft.replace(place)
        except OSError:
            if not (place / CARD).is_file():  # else another one made the same meanwhile
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def check_lengths(student: Student, rows: Sequence[Row], name: str = "") -> None:
    """Raises `BadInput` naming the rows that the student cannot read whole; `name` says which rows they are."""
    long = [(row.id, why) for row in rows if (why := student.too_long(row))]
    if long:
        named = ", ".join(f"{identity!r} ({why})" for identity, why in long[:5])
        raise BadInput(
            f"{len(long)} of {len(rows)} {name}{' ' if name else ''}rows are too long for {student.model!r}:"
            f" {named}{', ...' if len(long) > 5 else ''}. Shorten or drop them, or allow more: ?length=N behind the student's name."
        )


def read_card(folder: Path) -> dict[str, Any]:
    """The `student.json` of a folder. Raises `BadInput` where there is none that can be read."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(folder)!r} holds no trained student ({CARD}: {error}).") from None
    if not isinstance(card, dict) or not {"kind", "revision", "files", "training"} <= set(card):
        raise BadInput(f"{str(folder / CARD)!r} is not what inloop writes: train the student again.")
    return card


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = open_locked(path, patience=24 * 3600)
    if descriptor is None:
        raise PrerequisiteError(
            f"another process has been training this student for a day ({path})",
            remedy="end that process, and run the command again: it goes on from the last checkpoint.",
        )
    try:
        yield
    finally:
        os.close(descriptor)


def _sha256(parts: Any) -> str:
    return hashlib.sha256(canonical_json(parts, "what a student is made of").encode("ascii")).hexdigest()
