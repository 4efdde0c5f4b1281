"""A plain Python function in the place of a model.

A function is called once at a time, in a thread of its own; an async one is awaited. What it computes with may be named by
two attributes of the function, `model` and `revision`: then its results are kept in the call ledger, and no later run calls it
for the same again. Without both nobody could tell an altered function from the old one, so its results are kept for the
run alone, where they count for the budget and a resumed run finds them.

    def paint(prompt: str, seed: int) -> PIL.Image.Image: ...
    paint.model, paint.revision = "me/watercolours", "2"
"""

from __future__ import annotations

import asyncio
import inspect
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...runtime.batcher import Batcher
from ...runtime.errors import CallFailed, InloopError
from ...runtime.records import Cost
from ...runtime.store import Call

if TYPE_CHECKING:
    from ...runtime.store import Store

__all__ = ["FunctionModel"]


class FunctionModel:
    """Base of what adapts a plain function to a protocol. `kind` is that of its calls in the ledger."""

    kind = ""

    def __init__(self, function: Callable[..., Any], store: Store) -> None:
        self.function, self.store = function, store
        named = function if hasattr(function, "__qualname__") else type(function)
        self.name = str(getattr(function, "name", "") or f"{named.__module__}:{named.__qualname__}")
        model, revision = getattr(function, "model", None), getattr(function, "revision", None)
        self.is_identified = bool(model and revision)
        self.model = str(model or self.name)
        self.revision = str(revision) if self.is_identified else f"run {store.run_id or uuid.uuid4().hex}"
        self._calls: Batcher[tuple[Any, ...], Any] = Batcher(self._run, name=self.model, max_batch=1, linger=0.0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know."""
        if self.is_identified:
            return ()
        return (f"{self.name} names no model and revision: its results are kept for this run alone.",)

    async def aclose(self) -> None:
        """Finish what is queued and end the thread."""
        await self._calls.aclose()

    async def once(
        self,
        arguments: Callable[[], tuple[Any, ...]],
        inputs: Any,
        keep: Callable[[Any], Any],
        *,
        cost: Cost,
        usable: Callable[[Any], bool] | None = None,
    ) -> Any:
        """The ledger's value for `inputs`, else what `keep` makes of the function's result for `arguments()`.

        Raises:
            CallFailed: the function raised, or `keep` found its result unusable.
        """

        async def compute() -> tuple[Any, Cost]:
            given = await asyncio.to_thread(arguments)
            started = time.perf_counter()
            try:
                if inspect.iscoroutinefunction(self.function):
                    result = await self.function(*given)
                else:
                    result = await self._calls.submit(given)
                value = await asyncio.to_thread(keep, result)
            except InloopError:
                raise
            except Exception as error:
                raise CallFailed(f"{self.name} failed with {type(error).__name__}: {error}") from error
            return value, cost.model_copy(update={"seconds": time.perf_counter() - started})

        call = Call(kind=self.kind, model=self.model, revision=self.revision, params={}, inputs=inputs)
        value, _ = await self.store.ledger.once(call, compute, usable=usable)
        return value

    def _run(self, batch: list[tuple[Any, ...]]) -> list[Any]:
        return [self.function(*arguments) for arguments in batch]
