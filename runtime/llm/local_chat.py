"""A chat model that we serve ourselves while it is used: llama.cpp in a child process (see `runtime.serving.llama_server`).

The server is started by the first request that the call ledger cannot answer, and started again if it died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..serving import LocalServer
from ..transport import Sender
from .chat import OpenAIChat

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["LocalChat"]

_CONTEXT = 4096


class LocalChat(OpenAIChat):
    """A GGUF file served by ourselves: started by the first request that the ledger cannot answer.

    One request at a time on one slot, so that a seed gives the same text whatever else is asked (see `runtime.serving.llama_server`).
    `model_path` and `adapter_path` are called when the server is started, and may fetch the file.
    """

    def __init__(
        self,
        *,
        store: Store,
        model: str,
        revision: str,
        model_path: Callable[[], Path],
        adapter_path: Callable[[], Path] | None = None,
        threads: int | None = None,
        n_ctx: int = _CONTEXT,
        timeout: float = 600.0,
        small: bool = False,
        tuned_to: str = "",
        thinking_tokens: int = 8192,
    ) -> None:
        sender = Sender(
            "http://127.0.0.1 (started by inloop)", model=model, connect=self.connect, who=store.run_id, concurrency=1,
            timeout=timeout, free=True,
        )  # fmt: skip
        super().__init__(
            sender, store=store, revision=revision, many=False, small=small, tuned_to=tuned_to,
            thinking_tokens=min(thinking_tokens, n_ctx // 2),
        )  # fmt: skip
        self._paths = model_path, adapter_path
        self._threads = threads
        self._n_ctx = n_ctx
        self._server: LocalServer | None = None

    async def connect(self) -> tuple[str, str]:
        """The running server; started, or started again if it died."""

        def start() -> tuple[str, str]:
            if self._server is None:
                model, adapter = self._paths
                self._server = LocalServer(
                    model(), adapter() if adapter else None, threads=self._threads, n_ctx=self._n_ctx
                )
            return self._server.start(), self._server.api_key

        return await asyncio.to_thread(start)

    @property
    def server(self) -> LocalServer | None:
        """The server, once it was needed."""
        return self._server

    async def aclose(self) -> None:
        """Close the connections and stop the server."""
        await super().aclose()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
