"""What the RAG loop leaves behind: the answer of each question, with every decision on the way to it.

`result.json` of a run folder is a `RagResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from ...runtime.answers import Abstention, Checked, CitedAnswer
from ...runtime.run import RunResult, Task
from ..trace import Decision, Seen

__all__ = ["RagResult", "RagTask"]


class RagTask(Task):
    """One question from its route to its answer; `checked`: every sentence that was written, also those that did not stand."""

    question: str
    answer: CitedAnswer
    queries: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    checked: tuple[Checked, ...] = ()
    decisions: tuple[Decision, ...] = ()
    seconds: float = 0.0


class RagResult(RunResult[RagTask]):
    """The whole run; `index`: the URL of what was searched."""

    loop: str = "rag"
    index: str

    @property
    def answers(self) -> tuple[CitedAnswer, ...]:
        """One for each question, in order; of a question that failed, an abstention that says why."""
        by_id = {task.id: task.answer for task in self.tasks}
        for place, question in enumerate(self.config["questions"], start=1):
            if (why := self.failed.get(f"q{place}")) is not None:
                abstained = Abstention(reason="failed", explanation=why)
                by_id[f"q{place}"] = CitedAnswer(question=question, abstained=abstained)
        return tuple(by_id[f"q{place}"] for place in range(1, len(by_id) + 1))
