"""How far a run of OPT2I is, as its events tell it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType

from ..cli import amount, clip, counted, points, printable, seconds, signed
from .format import evaluator_name

__all__ = ["TaskView", "RunView"]


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


class RunView:
    """The state of a run as its events tell it; `see` gives the lines that are worth keeping."""

    quiet = frozenset({"iteration"})  # the table shows the iterations: as lines they would only scroll by

    def __init__(self, *, prompts: int, iterations: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.prompts = prompts
        self.iterations = iterations
        self.run_id = ""
        self.tasks: dict[str, TaskView] = {}
        self.candidates = 0
        self.images = 0
        self._clock = clock
        self._began = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since this process took the run up."""
        return self._clock() - self._began

    @property
    def done(self) -> int:
        """How many of the texts are finished."""
        return sum(task.state == "done" for task in self.tasks.values())

    def see(self, event: Mapping[str, Any]) -> list[str]:
        """Take one event in. An event of an unknown name changes nothing: a newer graph may tell more."""
        name = str(event.get("event", ""))
        handler = getattr(self, f"_on_{name}", None)
        lines: list[str] = handler(event) if handler else []
        return lines

    def _task(self, event: Mapping[str, Any]) -> TaskView:
        id = str(event.get("task", ""))
        return self.tasks.setdefault(id, TaskView(id))

    def _label(self, task: TaskView) -> str:
        return f"{task.id}: " if self.prompts > 1 else ""

    def _on_run_started(self, event: Mapping[str, Any]) -> list[str]:
        self.run_id = str(event.get("run_id", ""))
        return [f"run {self.run_id}"]

    def _on_models(self, event: Mapping[str, Any]) -> list[str]:
        named = event.get("models", event)
        parts = []
        for role, model in named.items():
            if isinstance(model, Mapping) and "id" in model:
                parts.append(f"{role} {printable(str(model['id']))}")
        return ["models: " + ", ".join(parts)] if parts else []

    def _on_graph(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        task.state = "working"
        questions = event.get("questions", ())
        count = len(questions) if isinstance(questions, list | tuple) else questions
        by = event.get("questioner")
        return [
            f"{self._label(task)}{counted(count, 'question')}" + (f", written by {printable(str(by))}" if by else "")
        ]

    def _on_trial(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        trial = event.get("trial") or {}
        task.state = "working"
        self.candidates += 1
        self.images += len(trial.get("images") or ())
        value = trial.get("objective")
        text = printable(str(trial.get("text", "")))
        lines = []
        if trial.get("iteration", event.get("iteration")) == 0:
            task.text, task.first = text, value
            lines.append(f"{self._label(task)}your prompt scores {points(value)}: {text}")
        if value is not None and (task.best is None or value > task.best):
            if task.best is not None:
                lines.append(
                    f"{self._label(task)}better, {points(value)} ({signed((value - task.best) * 100)}): {text}"
                )
            task.best, task.best_text = value, text
        return lines

    def _on_iteration(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        task.iteration = int(event.get("iteration", task.iteration))
        objective = event.get("objective")
        if isinstance(objective, int | float):
            task.best = float(objective) if task.best is None else max(task.best, float(objective))
        if task.best is not None:
            task.curve.append(task.best)
        if task.iteration == 0:
            return []
        return [f"{self._label(task)}iteration {task.iteration} of {self.iterations}: best {points(task.best)}"]

    def _on_heldout(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        task.state = "checking"
        before, after = event.get("user"), event.get("best")
        return [f"{self._label(task)}on unseen seeds: {points(before)} → {points(after)}; now the baselines"]

    def _on_baseline(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        gains = event.get("gains") or {}
        said = ", ".join(f"{evaluator_name(n)} {signed(None if g is None else g * 100)}" for n, g in gains.items())
        return [f"{self._label(task)}baseline {printable(str(event.get('way', '')))}: {said}"]

    def _on_task_done(self, event: Mapping[str, Any]) -> list[str]:
        task = self._task(event)
        task.state = "done"
        if self.prompts == 1:
            return []
        return [f"{self._label(task)}done ({self.done} of {self.prompts}): {points(task.first)} → {points(task.best)}"]

    def _on_warning(self, event: Mapping[str, Any]) -> list[str]:
        return [f"warning: {printable(str(event.get('text', '')))}"]

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
