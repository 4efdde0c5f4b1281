"""How far a run of OPT2I is, as its events tell it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import RenderableType

from ...graphs.opt2i import (
    AblationDone,
    BaselineDone,
    GainLooked,
    HeldOutDone,
    IterationDone,
    QuestionsWritten,
    Reviewed,
    Trial,
    TrialScored,
    evaluator_name,
)
from ...runtime.session import Event, TaskDone, TaskFailed, Warned
from ..cli import RunView, amount, clip, counted, points, printable, seconds, signed
from .format import proof_words, review_words

__all__ = ["SearchView", "TaskView"]


_BARS = "▁▂▃▄▅▆▇█"


_SHOWN = 12


@dataclass
class TaskView:
    """How far one user's text is: `first` is the score of that text, `curve` the best after each iteration (0-1)."""

    id: str
    text: str = ""
    iteration: int = 0
    first: float | None = None
    best: float | None = None
    best_text: str = ""
    curve: list[float] = field(default_factory=list)
    state: str = "waiting"

    @property
    def gain(self) -> float | None:
        """Points gained over the user's text, on the seeds that are optimised on."""
        return None if self.best is None or self.first is None else (self.best - self.first) * 100

    def sparkline(self, width: int = 16) -> str:
        """The last `width` best scores as small bars, from 0 to 1."""
        return "".join(_BARS[min(int(v * len(_BARS)), len(_BARS) - 1)] for v in self.curve[-width:])


class SearchView(RunView):
    """The searches of a run, with their scores."""

    quiet = (IterationDone,)  # the table shows the iterations: as lines they would only scroll by

    def __init__(
        self, *, prompts: int, iterations: int, baselines: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__("prompts", clock=clock)
        self.prompts, self.iterations, self.baselines = prompts, iterations, baselines
        self.tasks: dict[str, TaskView] = {}
        self.candidates = self.images = 0

    @property
    def begun(self) -> bool:
        """Whether a prompt is under way."""
        return bool(self.tasks)

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping."""
        if not event.task or isinstance(event, Warned | TaskFailed):
            return super().see(event)
        task = self.tasks.setdefault(event.task, TaskView(event.task))
        label = f"{task.id}: " if self.prompts > 1 else ""
        return [label + line for line in self._of_task(task, event)]

    def _of_task(self, task: TaskView, event: Event) -> list[str]:
        match event:
            case QuestionsWritten():
                task.state = "working"
                by = f", written by {printable(event.questioner)}" if event.questioner else ""
                return [counted(len(event.questions), "question") + by]
            case TrialScored():
                return self._trial(task, event.trial)
            case IterationDone():
                return self._iteration(task, event)
            case GainLooked():
                return [proof_words(event.look)]
            case Reviewed():
                return ["reviewed" + (": " + said if (said := review_words(event.review)) else "")]
            case HeldOutDone():
                task.state = "checking"
                # a prompt that was perfect at once spent nothing that a baseline could spend too
                onward = "; now the baselines" if self.baselines and task.iteration else ""
                return [f"on unseen seeds: {points(event.user)} → {points(event.best)}{onward}"]
            case BaselineDone():
                gains = ", ".join(
                    f"{evaluator_name(name)} {signed(None if gain is None else gain * 100)}"
                    for name, gain in event.gains.items()
                )
                return [f"baseline {printable(event.way)}: {gains}"]
            case AblationDone():
                return [f"{counted(len(event.effects), 'phrase')} left out in turn"]
            case TaskDone():
                task.state = "done"
                self.done += 1
                ended = f"done ({self.done} of {self.prompts}): {points(task.first)} → {points(task.best)}"
                return [ended] if self.prompts > 1 else []
        return []

    def _trial(self, task: TaskView, trial: Trial) -> list[str]:
        task.state = "working"
        self.candidates += 1
        self.images += len(trial.images)
        value, text, lines = trial.objective, printable(trial.text), []
        if trial.iteration == 0:
            task.text, task.first = text, value
            lines.append(f"your prompt scores {points(value)}: {text}")
        if value is not None and (task.best is None or value > task.best):
            if task.best is not None:
                lines.append(f"better, {points(value)} ({signed((value - task.best) * 100)}): {text}")
            task.best, task.best_text = value, text
        return lines

    def _iteration(self, task: TaskView, event: IterationDone) -> list[str]:
        task.iteration = event.iteration
        if event.objective is not None:
            task.best = event.objective if task.best is None else max(task.best, event.objective)
        if task.best is not None:
            task.curve.append(task.best)
        ended = f"iteration {task.iteration} of {self.iterations}: best {points(task.best)}"
        return [ended] if task.iteration else []

    def spent(self) -> str:
        """What was scored so far, in words."""
        return f"{amount(self.candidates)} candidates · {amount(self.images)} images" if self.candidates else ""

    def table(self, width: int) -> RenderableType:
        """The texts that are worked on, with their scores, and what was spent."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        # the object that rich draws is asked anew four times a second, while events come from the same thread
        tasks = list(self.tasks.values())
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=bool(tasks), header_style="dim", expand=False)
        for heading, justify in (
            ("", "left"),
            ("prompt", "left"),
            ("iteration", "right"),
            ("best", "right"),
            ("gain", "right"),
        ):
            table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("", no_wrap=True)
        working = [t for t in tasks if t.state != "done"]
        room = max(16, width - 58)
        for task in (working or tasks)[:_SHOWN]:
            mark = {"done": "✓", "working": "●", "checking": "◆"}.get(task.state, "·")
            gain = task.gain
            table.add_row(
                Text(mark, style="green" if task.state == "done" else "cyan"),
                Text(clip(task.best_text or task.text or task.id, room)),
                "unseen seeds" if task.state == "checking" else f"{task.iteration}/{self.iterations}",
                Text(points(task.best) if task.best is not None else "", style="bold"),
                Text(signed(gain) if gain is not None else "", style="green" if gain and gain > 0 else "dim"),
                Text(task.sparkline(), style="cyan"),
            )
        parts: list[RenderableType] = [Text(""), table]
        if len(working) > _SHOWN:
            parts.append(Text(f"   and {len(working) - _SHOWN} more", style="dim"))
        many = f"{self.done} of {self.prompts} prompts done · " if self.prompts > 1 else ""
        foot = f"  {seconds(self.elapsed)} · {many}{self.spent()}".rstrip(" ·")
        parts.append(Text(clip(foot, width - 1), style="dim"))
        parts.append(Text("  Ctrl-C stops after this step, twice at once; the run can be resumed.", style="dim"))
        return Group(*parts)
