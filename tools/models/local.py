"""A model that runs in this process: loaded on the first call that the ledger cannot answer, fed by one batcher.

Invariants:

- Nothing heavy is imported before the first miss: a run that the ledger answers whole never imports torch.
- One item's failure is its own: it comes back as the item's outcome, and the rest of its batch is kept.
- Results do not depend on the company in a batch: subclasses run padded batches of one fixed shape, or of a shape that an item's own
  length decides (`buckets`), or that the size of the call decides (`shapes`). The number that scales these shapes is part of the ledger
  key where the user can set it.
- On a CPU one model computes at a time: two thread pools on the same cores are slower than one after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...runtime.batcher import Batcher, BatchStats
from ...runtime.errors import CallFailed, InloopError, PrerequisiteError
from ...runtime.records import Cost
from ...runtime.store import Call
from ...runtime.threads import wait_idly
from .weights import Weights

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store
from .device import quiet, torch_device

__all__ = ["LocalModel", "Served"]

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

# what one item of a batch came to, and its share of the time in seconds
Served = tuple[O | InloopError, float]

_COMPUTE: dict[str, threading.Lock] = {}
_COMPUTE_GUARD = threading.Lock()


class LocalModel(Generic[I, O]):
    """Base of the tools. A subclass gives `_load` and `_serve` (one batch, an outcome an item), both for the worker."""

    _batch_option = False
    """Whether the option `batch` of a spec says how much is computed at once."""

    def __init__(
        self,
        weights: Weights,
        store: Store,
        settings: Settings,
        *,
        max_batch: int,
        linger: float,
        waits: Callable[[I], bool] = lambda item: True,
    ) -> None:
        self.weights = weights
        self._store = store
        self._settings = settings
        self._loaded = False
        self._device = ""
        self._batcher: Batcher[I, Served[O]] = Batcher(
            self._run, name=weights.model, max_batch=max_batch, linger=linger, waits=waits
        )

    @property
    def model(self) -> str:
        """The model's name in the ledger: a hub id or a folder's name."""
        return self.weights.model

    @property
    def revision(self) -> str:
        """The hub commit, or the sha256 of the folder's files."""
        return self.weights.revision

    @property
    def stats(self) -> BatchStats:
        """How many items in how many batches, and the seconds inside the model."""
        return self._batcher.stats

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory; False after a run that the ledger answered."""
        return self._loaded

    async def aclose(self) -> None:
        """Finish what is queued and end the worker thread."""
        await self._batcher.aclose()

    def _load(self, device: str) -> None:
        raise NotImplementedError

    def _quiet(self) -> AbstractContextManager[None]:
        """Keeps loading from chatting on the standard error."""
        return quiet()

    def _serve(self, items: list[I]) -> list[O | InloopError]:
        raise NotImplementedError

    async def _once(
        self,
        call: Call,
        item: I,
        to_value: Callable[[O], Awaitable[Any]],
        *,
        cost: Cost,
        usable: Callable[[Any], bool] | None = None,
    ) -> Any:
        """The ledger's value of `call`, else what the model makes of `item`; `cost` is a call's, without its time."""

        async def compute() -> tuple[Any, Cost]:
            outcome, seconds = await self._batcher.submit(item)
            if isinstance(outcome, InloopError):
                raise outcome
            return await to_value(outcome), cost.model_copy(update={"seconds": seconds})

        value, _ = await self._store.ledger.once(call, compute, usable=usable)
        return value

    def _run(self, items: list[I]) -> list[Served[O]]:
        """One batch, in the worker thread."""
        if not self._loaded:
            self._start()
        started = time.perf_counter()
        with self._computing():
            try:
                outcomes = self._serve(items)
            except InloopError:
                raise
            except MemoryError as error:
                raise self._too_big(error) from error
            except Exception as error:
                if "out of memory" in str(error).lower():
                    raise self._too_big(error) from error
                # the whole batch failed for a reason nobody planned for: a failure of each call, never a result
                raise CallFailed(f"{self.model} failed with {type(error).__name__}: {error}") from error
        share = (time.perf_counter() - started) / len(items)
        return [(outcome, share) for outcome in outcomes]

    def _set_up(self) -> str:
        """Have torch ready; the device that the settings name. A subclass that computes with something else has its own."""
        try:
            import torch
        except ImportError as error:
            raise PrerequisiteError(
                f"torch is needed for {self.model} and cannot be imported: {error}",
                remedy="install inloop again; `inloop doctor` checks the rest.",
            ) from error
        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        return torch_device(self._settings.device)

    def _start(self) -> None:
        wait_idly()
        self._device = self._set_up()
        try:
            with self._computing(), self._quiet():
                self._load(self._device)
        except InloopError:
            raise
        except MemoryError as error:
            raise self._too_big(error) from error
        except Exception as error:
            raise PrerequisiteError(
                f"the model {self.weights.spec!r} cannot be loaded ({type(error).__name__}: {error})",
                remedy="see whether its files are complete (else fetch or export it again) and of the right kind;"
                " `inloop doctor` checks the machine.",
            ) from error
        self._loaded = True

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with _COMPUTE_GUARD:
            lock = _COMPUTE.setdefault(self._device, threading.Lock())
        with lock:
            yield

    def _too_big(self, error: Exception) -> PrerequisiteError:
        smaller = f"a smaller batch ('{self.weights.spec.partition('?')[0]}?batch=1'), " * self._batch_option
        return PrerequisiteError(
            f"{self.model} does not fit into the memory of {self._device} ({error})",
            remedy=f"give it {smaller}another device (INLOOP_DEVICE=cpu) or take a smaller model.",
        )
