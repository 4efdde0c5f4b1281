"""The errors a user can meet: what was wrong, why, and what to do about it.

Three kinds, told apart because three different people mend them:

- `PrerequisiteError`: the user's set-up (a server that is down, a model that is not there, a full disk).
- `BadInput`: the user's input (an empty prompt, a budget of 0).
- `CallFailed`: one model call did not give a usable answer. It is stored as a failure and never as a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["BadInput", "CallFailed", "InloopError", "Interrupted", "PrerequisiteError", "RunnerError"]


class InloopError(Exception):
    """Base of every error that inloop raises on purpose; printed without a traceback."""

    def __reduce__(self) -> tuple[Any, ...]:
        # by what it holds, not by the arguments that made it: an error that cannot be read again breaks a pool of processes
        return _again, (type(self), self.args, self.__dict__)


class PrerequisiteError(InloopError):
    """Something is wrong with the user's set-up; the message names the remedy."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem}\n  What to do: {remedy}")
        self.problem = problem
        self.remedy = remedy


class BadInput(InloopError, ValueError):
    """The input cannot be used; the message names the input, the reason and the remedy."""


class CallFailed(InloopError):
    """A model call gave no usable answer.

    `retryable` is True for what may pass by itself (a 429, a 5xx, a dropped connection) and False for what
    will not (a 400, a 401, a reply that cannot be parsed after its own repairs). `texts`: the replies that came and were not
    usable, for a caller who can use a part of them.
    """

    def __init__(self, message: str, *, retryable: bool = False, texts: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.texts = tuple(texts)


class Interrupted(InloopError):
    """Ctrl-C or SIGTERM stopped a run between two steps. `remedy` is the command that goes on with it, where there is one."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class RunnerError(InloopError):
    """A graph broke one of the rules that LangGraph leaves unchecked (see `runtime.machine.runner`)."""


def _again(kind: type[InloopError], args: tuple[Any, ...], fields: dict[str, Any]) -> InloopError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error
