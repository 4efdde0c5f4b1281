"""What a person sees while a run works: a live table on a terminal, plain lines everywhere else.

A `RunView` follows the events of a run and gives the lines that are worth keeping; a loop that has more to show sub-classes it. `Lines`
writes these lines; `Live` keeps the view's table under them. Everything goes to the standard error, so that the standard output holds the result alone.
Text from prompts and models is stripped of control characters before it reaches a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, TextIO

from ...runtime.session import (
    Event,
    ModelsOpened,
    Progressed,
    RunStarted,
    TaskDone,
    TaskFailed,
    Warned,
    WorkerJoined,
    WorkerLeft,
)
from .format import amount, clip, counted, seconds
from .streams import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live as RichLive

__all__ = ["Lines", "Live", "Progress", "RunView", "progress"]

_PAUSE = 10.0
"""Seconds between two lines that count the same thing."""
_FEW = 20
"""Tasks of which each is worth a line when it is done."""


class Pace:
    """How fast a count grows, and the time that is left.

    It is measured from the first count on: what it took to load the models says nothing about the rest.
    """

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._shown = float("-inf")

    def words(self, done: int, of: int, what: str, *, now: float) -> str:
        """As in "41 of 101 pictures, 2.0 a second, 30 s left"; `now` in seconds."""
        before, begun = self._first = self._first or (done, now)
        rate = (done - before) / (now - begun) if now > begun else 0.0
        pace = f", {rate:.1f} a second" if rate >= 1 else f", {rate:.1g} a second" if rate else ""
        left = f", {seconds((of - done) / rate)} left" if rate and done < of else ""
        return f"{amount(done)} of {amount(of)} {what}{pace}{left}"

    def due(self, *, now: float) -> bool:
        """Whether the last line was long enough ago."""
        if now - self._shown < _PAUSE:
            return False
        self._shown = now
        return True


class RunView:
    """What is known of a run from its events: how many tasks there are, how many are done, what was said last.

    Args:
        tasks: what the loop calls its tasks, as in "12 of 40 questions"; "": they are not worth counting.
        clock: seconds, for tests.
    """

    quiet: ClassVar[tuple[type[Event], ...]] = ()
    """Events whose lines the table shows better."""

    def __init__(self, tasks: str = "tasks", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run_id, self.unit = "", tasks
        self.how_to_stop = "Ctrl-C stops after this step, twice at once; the run can be resumed."
        self.expected = self.done = self.failed = self._before = 0
        self.latest = ""
        self._clock, self._started = clock, clock()
        self._paces: dict[str, Pace] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since this process took the run up."""
        return self._clock() - self._started

    @property
    def begun(self) -> bool:
        """Whether something was done that a resumed run would not do again."""
        return bool(self.done or self.latest)

    def see(self, event: Event) -> list[str]:
        """Take one event in; the lines that are worth keeping. An event of an unknown kind changes nothing."""
        match event:
            case RunStarted():
                known, self.run_id, self.expected = self.run_id, event.run_id, event.tasks
                self.failed, self._before = 0, self.done  # of a shared run that goes on: what failed is tried again
                return [f"run {event.run_id}"] if known != event.run_id else []
            case WorkerJoined():
                return [f"worker {printable(event.name)} joined"]
            case WorkerLeft():
                return [f"worker {printable(event.name)} left: {counted(event.tasks, 'task')} done by it"]
            case ModelsOpened():
                named = ", ".join(f"{role} {printable(model['id'])}" for role, model in event.models.items())
                return [f"models: {named}"] if named else []
            case Warned():
                return [f"warning: {printable(event.text)}"]
            case Progressed(done=int(done), of=int(of)):
                return self._paced(printable(event.text), done, of)
            case Progressed():
                self.latest = printable(event.text)
                return [self.latest]
            case TaskFailed():
                self.failed += 1
                return [f"{event.task} failed: {printable(event.why)}"]
            case TaskDone():
                self.done += 1
                if self.expected > _FEW and self.unit:
                    return self._paced(self.unit, self.done, self.expected)
                return [self.counted()] if self.expected > 1 and self.unit else []
        return []

    def _paced(self, what: str, done: int, of: int) -> list[str]:
        """A line now and then, and one at the end; the table shows each."""
        now, pace = self._clock(), self._paces.setdefault(what, Pace())
        self.latest = pace.words(done, of, what, now=now)
        return [self.latest] if done == of or pace.due(now=now) else []

    def counted(self) -> str:
        """How many tasks are done and failed, of how many."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.expected} {self.unit}{failed}"

    def table(self, width: int) -> RenderableType:
        """A bar of the tasks with the time that is left, and what was said last."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        ended = self.done + self.failed
        parts: list[RenderableType] = [Text("")]
        if self.expected > 1:
            parts.append(ProgressBar(total=self.expected, completed=ended, width=min(60, width - 4)))
        pace = self.elapsed / new if (new := ended - self._before) > 0 else 0.0
        left = f" · about {seconds(pace * (self.expected - ended))} left" if pace and ended < self.expected else ""
        counted = f"{self.counted()} · " if self.expected > 1 and self.unit else ""
        parts.append(Text(clip(f"  {counted}{seconds(self.elapsed)}{left}", width - 1), style="dim"))
        if self.latest:
            parts.append(Text(clip(f"  {self.latest}", width - 1), style="dim"))
        parts.append(Text(f"  {self.how_to_stop}", style="dim"))
        return Group(*parts)


class Progress:
    """Shows nothing; the base of what shows something. Used as a context manager and called with each event."""

    def __init__(self, view: RunView) -> None:
        self.view = view

    def __call__(self, event: Event) -> None:
        self.view.see(event)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class Lines(Progress):
    """One line for what matters, with the time since the start: for logs and pipes."""

    def __init__(self, view: RunView, stream: TextIO) -> None:
        super().__init__(view)
        self._stream = stream

    def __call__(self, event: Event) -> None:
        lines = self.view.see(event)
        if isinstance(event, ModelsOpened) and event.models:  # what a table shows by moving
            lines = [*lines, "models are loaded when they are first asked: the first result takes the longest"]
        for line in lines:
            print(f"[{self.view.elapsed:6.1f} s] {line}", file=self._stream, flush=True)


class Live(Progress):
    """Lines that stay, and under them a table that moves; the table goes when the run ends."""

    def __init__(self, view: RunView, console: Console) -> None:
        super().__init__(view)
        self._console = console
        self._live: RichLive | None = None

    def __enter__(self) -> Live:
        from rich.live import Live as RichLive

        self._live = RichLive(
            get_renderable=lambda: self.view.table(self._console.width),
            console=self._console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        from rich.text import Text

        for line in self.view.see(event):
            counts = isinstance(event, Progressed) and event.of is not None  # the table shows it
            if not counts and not isinstance(event, self.view.quiet):
                self._console.print(Text(f"  {line}", style="yellow" if isinstance(event, Warned) else ""))


def progress(view: RunView, stream: TextIO, *, silent: bool = False, plain: bool = False) -> Progress:
    """What fits the stream: nothing when `silent`, a live table on a terminal, lines elsewhere or where it must be `plain`."""
    if silent:
        return Progress(view)
    if stream.isatty() and not plain:
        from rich.console import Console

        console = Console(file=stream, highlight=False)
        if not console.is_dumb_terminal:
            return Live(view, console)
    return Lines(view, stream)
