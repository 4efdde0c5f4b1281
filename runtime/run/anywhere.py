"""Async work from where there is no event loop, and from where one runs already."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Anywhere", "run"]

P = ParamSpec("P")
T = TypeVar("T")


class Anywhere(Generic[P, T]):
    """An async function that is called from a script, a notebook or a thread, and awaited by its `run`."""

    def __init__(self, run: Callable[P, Coroutine[Any, Any, T]]) -> None:
        self.run = run
        self.__doc__ = run.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it and wait for the result."""
        return run(self.run(*args, **kwargs))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run async work from a script or a notebook (whose own loop is running) and give its result."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, name="inloop-run")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
