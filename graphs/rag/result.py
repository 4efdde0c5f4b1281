"""What the RAG loop leaves behind: the answer of each question, with every decision on the way to it.

`result.json` of a run folder is a `RagResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...runtime.answers import Abstention, Checked, CitedAnswer
from ...runtime.display import plot_bars
from ...runtime.folder import RunResult, Task
from ..trace import Decision, Seen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...runtime.display import Cell

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

    @property
    def ending(self) -> str:
        """What the question came to, in words: an answer that was checked or not, or why there is none."""
        if self.answer.abstained is not None:
            return f"no answer: {self.answer.abstained.reason.replace('_', ' ')}"
        checked = all(sentence.verdict == "supported" for sentence in self.answer.sentences)
        return "answered" if checked else "answered, not checked"


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

    def finding(self) -> str:
        """The answer to the one question, or how many of several were answered, and how many of those without a check."""
        if len(self.tasks) == 1:
            [task] = self.tasks
            return f"{task.question} {task.answer.text if task.answer.answered else task.ending.capitalize()}"
        unchecked = sum(task.ending == "answered, not checked" for task in self.tasks)
        answered = sum(task.answer.answered for task in self.tasks)
        words = f"{answered} of {len(self.tasks) + len(self.failed)} questions answered"
        return f"{words}, {unchecked} of them not checked" if unchecked else words

    def rows(self) -> list[dict[str, Cell]]:
        """One row a question: its answer with what it quotes, or why there is none."""
        return [
            {
                "id": task.id,
                "question": task.question,
                "answer": task.answer.text if task.answer.answered else None,
                "ending": task.ending,
                "quotes": "; ".join(
                    f"[{citation.number}] {citation.document}: {citation.quote}" for citation in task.answer.citations
                ),
                "sentences refused": sum(sentence.verdict == "unsupported" for sentence in task.checked),
                "passages": len(task.seen),
                "seconds": task.seconds,
            }
            for task in self.tasks
        ]

    def plot(self) -> Figure:
        """How many questions came to what, as bars."""
        counts = Counter(task.ending for task in self.tasks)
        return plot_bars({**counts, "failed": len(self.failed)}, title="Questions by what they came to")
