"""What a person sees while a run works: a live table on a terminal, plain lines everywhere else.

A `View` follows the events of a run and gives the lines that are worth keeping; `RunView` is that of prompt searches. `Lines` writes
these lines; `Live` keeps the view's table under them. Everything goes to the standard error, so that the standard output holds the result alone.
Text from prompts and models is stripped of control characters before it reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live as RichLive

__all__ = ["Lines", "Live", "Progress", "View", "progress"]


class View(Protocol):
    """What is known of a run from its events. `quiet`: events whose lines the table shows better; `table`: drawn for a width."""

    quiet: frozenset[str]

    @property
    def elapsed(self) -> float: ...
    def see(self, event: Mapping[str, Any]) -> list[str]: ...
    def table(self, width: int) -> RenderableType: ...


class Progress:
    """Shows nothing; the base of what shows something. Used as a context manager and called with each event."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.view.see(event)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class Lines(Progress):
    """One line for what matters, with the time since the start: for logs and pipes."""

    def __init__(self, view: View, stream: TextIO) -> None:
        super().__init__(view)
        self._stream = stream

    def __call__(self, event: Mapping[str, Any]) -> None:
        for line in self.view.see(event):
            print(f"[{self.view.elapsed:6.1f} s] {line}", file=self._stream, flush=True)


class Live(Progress):
    """Lines that stay, and under them a table that moves; the table goes when the run ends."""

    def __init__(self, view: View, console: Console) -> None:
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

    def __call__(self, event: Mapping[str, Any]) -> None:
        from rich.text import Text

        for line in self.view.see(event):
            if event.get("event") not in self.view.quiet:
                self._console.print(Text(f"  {line}", style="yellow" if event.get("event") == "warning" else ""))


def progress(view: View, stream: TextIO, *, silent: bool = False) -> Progress:
    """What fits the stream: nothing when `silent`, a live table on a terminal, lines elsewhere."""
    if silent:
        return Progress(view)
    if stream.isatty():
        from rich.console import Console

        console = Console(file=stream, highlight=False)
        if not console.is_dumb_terminal:
            return Live(view, console)
    return Lines(view, stream)
