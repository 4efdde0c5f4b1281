"""A task for LLM2LLM: how urgent a message to a help desk is, whatever name the desk has for it."""

from pydantic import Field

from inloop.records import Row
from inloop.tools.tasks import NoAnswer, Task


class Priority(Task):
    kind: str = "priority"
    template: str = "rows/student_classification"
    question: str = "How soon must the help desk look at this message?"
    names: dict[str, tuple[str, ...]] = Field(
        default={"urgent": ("critical", "p1"), "normal": ("medium", "p2", "p3"), "low": ("whenever", "p4")}
    )

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.names)

    def read(self, said: str, row: Row | None = None) -> str:
        word = said.strip().lower().removesuffix(".")
        for label, others in self.names.items():
            if word in (label, *others):
                return label
        raise NoAnswer(f"{said[:60]!r} is no priority: {', '.join(self.names)}.")

    def row(self, name: str, text: str, label: str, **meta: object) -> Row:
        checked = super().row(name, text, label, **meta)
        return checked.model_copy(update={"label": self.read(label)})

    def prompt(self, text: str) -> str:
        return f"{self.question}\n{text}\nPriority:"


task = Priority()
