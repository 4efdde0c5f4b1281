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

from ...runtime.run import Event, ModelsOpened, Progressed, RunStarted, TaskDone, TaskFailed, Warned
from .format import clip, printable, seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live as RichLive

__all__ = ["Lines", "Live", "Progress", "RunView", "progress"]


class RunView:
    """What is known of a run from its events: how many tasks there are, how many are done, what was said last.

    Args:
        tasks: what the loop calls its tasks, as in "12 of 40 questions".
        clock: seconds, for tests.
    """

    quiet: ClassVar[tuple[type[Event], ...]] = ()
    """Events whose lines the table shows better."""

    def __init__(self, tasks: str = "tasks", *, clock: Callable[[], float] = time.monotonic) -> None:
        self.run_id, self.unit = "", tasks
        self.expected = self.done = self.failed = 0
        self.latest = ""
        self._clock, self._started = clock, clock()

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
                self.run_id, self.expected = event.run_id, event.tasks
                return [f"run {event.run_id}"]
            case ModelsOpened():
                named = ", ".join(f"{role} {printable(model['id'])}" for role, model in event.models.items())
                return [f"models: {named}"] if named else []
            case Warned():
                return [f"warning: {printable(event.text)}"]
            case Progressed():
                self.latest = printable(event.text) + (f", {event.done} of {event.of}" if event.of else "")
                return [self.latest]
            case TaskFailed():
                self.failed += 1
                return [f"{event.task} failed: {printable(event.why)}"]
            case TaskDone():
                self.done += 1
                return [self.counted()] if self.expected > 1 else []
        return []

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
        left = (
            f" · about {seconds(self.elapsed / ended * (self.expected - ended))} left"
            if 0 < ended < self.expected
            else ""
        )
        counted = f"{self.counted()} · " if self.expected > 1 else ""
        parts.append(Text(clip(f"  {counted}{seconds(self.elapsed)}{left}", width - 1), style="dim"))
        if self.latest:
            parts.append(Text(clip(f"  {self.latest}", width - 1), style="dim"))
        parts.append(Text("  Ctrl-C stops after this step, twice at once; the run can be resumed.", style="dim"))
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
        for line in self.view.see(event):
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
            if not isinstance(event, self.view.quiet):
                self._console.print(Text(f"  {line}", style="yellow" if isinstance(event, Warned) else ""))


def progress(view: RunView, stream: TextIO, *, silent: bool = False) -> Progress:
    """What fits the stream: nothing when `silent`, a live table on a terminal, lines elsewhere."""
    if silent:
        return Progress(view)
    if stream.isatty():
        from rich.console import Console

        console = Console(file=stream, highlight=False)
        if not console.is_dumb_terminal:
            return Live(view, console)
    return Lines(view, stream)
