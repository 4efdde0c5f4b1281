"""`inloop ask` without a question: a session that keeps the models loaded.

On a terminal questions are typed, with the keys and the history of `readline`, and Ctrl-C or Ctrl-D ends it. Through a pipe there is a
question a line; with `--json` an answer is one JSON object on a line of its own.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import InloopError
from ...runtime.store import StoreLocation
from ..cli import fail_with, json_text, log_to_stderr, printable, progress
from .answer import answer_data, answer_lines
from .ask_view import AskView

if TYPE_CHECKING:
    from ...graphs.rag import Answering, RagConfig
    from ...runtime.settings import Settings

__all__ = ["hold_session"]

_PROMPT = "ask> "
_MOST_REMEMBERED = 1000


def hold_session(config: RagConfig, settings: Settings, *, json_output: bool) -> int | None:
    """Answer until there is no more question; the exit code, or None where none was there to begin with.

    Raises what `Answering` raises when the index and the models are opened.
    """
    typed = sys.stdin.isatty()
    lines = _typed(StoreLocation.named_by(settings).local / "ask_history") if typed else _piped()
    first = None if typed else next(lines, None)
    if first is None and not typed:
        return None
    from ...graphs.rag import Answering

    log_to_stderr(settings)
    # Ctrl-C is the session's own: at once and without a run to go on with
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Answering(config, settings) as answering:
            if typed:
                print(
                    f"  {printable(config.index)}: ask, or state what is to be checked; Ctrl-D ends.", file=sys.stderr
                )
            if not json_output:
                print("\n".join(f"  note: {printable(note)}" for note in answering.notes), file=sys.stderr)
            if first is not None:
                _answer(answering, config, first, json_output)
            for line in lines:
                _answer(answering, config, line, json_output)
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def _answer(answering: Answering, config: RagConfig, question: str, json_output: bool) -> None:
    """Print one answer, or why there is none: a failure of one question does not end the session."""
    view = AskView(config.model_copy(update={"questions": (question,)}))
    view.how_to_stop = "Ctrl-C ends the session."
    try:
        with progress(view, sys.stderr, silent=json_output) as show:
            pending = answering.ask(question, on_event=show)
            try:
                task = pending.result()
            finally:
                pending.cancel()
    except InloopError as error:
        fail_with(error, as_json=json_output, question=question)
        return
    if json_output:
        print(json_text({**answer_data(task.answer), "seconds": task.seconds}), flush=True)
    else:
        print("\n".join(answer_lines(task.answer)), flush=True)


def _typed(history: Path) -> Iterator[str]:
    """What is typed, line by line; kept for the next session in a file that only its owner reads."""
    with _remembered(history):
        while True:
            try:
                line = input(_PROMPT)
            except EOFError:
                print(file=sys.stderr)
                return
            if line.strip():
                yield line


def _piped() -> Iterator[str]:
    try:
        while line := sys.stdin.readline():
            if line.strip():
                yield line.strip()
    except OSError:  # a standard input that cannot be read holds no question
        return


@contextlib.contextmanager
def _remembered(history: Path) -> Iterator[None]:
    try:
        import readline
    except ImportError:  # on Windows the console has a history of its own
        yield
        return
    readline.set_history_length(_MOST_REMEMBERED)
    with contextlib.suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            history.touch(mode=0o600)
            readline.write_history_file(history)
