"""Where batches are handed in: OpenAI's batch API (`/files`, `/batches`), which others speak too; or a folder whose files `vllm run-batch` answers."""

from __future__ import annotations

import asyncio
import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ..errors import PrerequisiteError
from ..storage import disk_problem, write_whole
from ..transport import Garbage
from .batch_lines import ENDPOINT, Answered, answers_of

if TYPE_CHECKING:
    import openai

__all__ = ["BatchApi", "BatchFailed", "BatchFolder", "BatchPlace", "Progress"]

_LOG = logging.getLogger(__name__)
_WINDOW: Final = "24h"
_ENDED = ("completed", "expired", "cancelled")
_SEEN = 2000  # of the newest batches of a place, those that are looked through


class BatchFailed(PrerequisiteError):
    """A batch that came to nothing as a whole."""


class Progress(NamedTuple):
    """How far a batch is: whether it ended, and how many of its requests are answered, as far as its place tells."""

    ended: bool
    answered: int = 0
    requests: int = 0


class BatchPlace(Protocol):
    """A place that takes batches. Its methods raise what its client library raises."""

    name: str
    """Which place it is, in the book."""
    where: str
    """The same in words."""

    async def hand_in(self, id: str, data: bytes) -> str:
        """Hand in a file of requests under our id; returns the id that the place gives it."""

    async def find(self, id: str) -> str:
        """The place's id of the batch that was handed in under ours; "" where there is none."""

    async def look(self, handed_in: str) -> Progress:
        """How far a batch is; raises `BatchFailed` where it came to nothing."""

    async def answers(self, handed_in: str) -> dict[str, Answered]:
        """What came of a batch that ended, by the ids of its requests."""


class BatchApi:
    """A server that speaks OpenAI's batch API; `client` gives the connections to it."""

    def __init__(self, url: str, client: Callable[[], openai.AsyncOpenAI]) -> None:
        self.name, self.where, self._client = url, f"the batch API at {url}", client

    async def hand_in(self, id: str, data: bytes) -> str:
        """See `BatchPlace`."""
        client = self._client()
        file = await client.files.create(file=(f"{id}.jsonl", data, "application/jsonl"), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window=_WINDOW, metadata={"inloop": id}
        )
        return batch.id

    async def find(self, id: str) -> str:
        """See `BatchPlace`; a server that does not list its batches has none."""
        import openai

        seen: set[str] = set()
        try:
            async for batch in self._client().batches.list(limit=100):
                if (getattr(batch, "metadata", None) or {}).get("inloop") == id:
                    return batch.id
                if batch.id in seen or len(seen) == _SEEN:
                    break
                seen.add(batch.id)
        except openai.NotFoundError:
            pass
        return ""

    async def look(self, handed_in: str) -> Progress:
        """See `BatchPlace`."""
        import openai

        try:
            batch = await self._client().batches.retrieve(handed_in)
        except openai.NotFoundError as error:
            raise BatchFailed(
                f"{self.where} does not know the batch {handed_in}, which was handed in there",
                remedy="give the key of the account that it is of; without it its requests are handed in anew when the run is resumed",
            ) from error
        if batch.status == "failed":
            said = [str(error.message) for error in (batch.errors and batch.errors.data) or []]
            raise BatchFailed(
                f"{self.where} refused the batch {handed_in}: {'; '.join(said)[:500] or 'it does not say why'}",
                remedy="mend what it says (the model's name, the limits of the account), then resume the run",
            )
        counts = batch.request_counts
        answered, requests = (counts.completed + counts.failed, counts.total) if counts is not None else (0, 0)
        return Progress(batch.status in _ENDED, answered, requests)

    async def answers(self, handed_in: str) -> dict[str, Answered]:
        """See `BatchPlace`."""
        client = self._client()
        batch = await client.batches.retrieve(handed_in)
        found: dict[str, Answered] = {}
        for file in (batch.error_file_id, batch.output_file_id):
            if file:
                found |= answers_of((await client.files.content(file)).content)
        return found


class BatchFolder:
    """A folder: `ID.jsonl` holds the requests, and `ID.answers.jsonl` the answers, which `vllm run-batch` writes."""

    def __init__(self, folder: Path, model: str) -> None:
        self.name, self.where, self._folder, self._model = f"file:{folder}", f"the folder {folder}", folder, model

    async def hand_in(self, id: str, data: bytes) -> str:
        """See `BatchPlace`; the log tells what is to be run."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_problem(error, self._folder) from error
        await asyncio.to_thread(write_whole, self._requests(id), data)
        words = [
            "vllm",
            "run-batch",
            "-i",
            str(self._requests(id)),
            "-o",
            str(self._answers(id)),
            "--model",
            self._model,
        ]
        _LOG.warning("to answer it, run: %s", shlex.join(words))
        return id

    async def find(self, id: str) -> str:
        """See `BatchPlace`."""
        return id if self._requests(id).is_file() else ""

    async def look(self, handed_in: str) -> Progress:
        """See `BatchPlace`: it ended where there is an answer for each request."""
        requests = await asyncio.to_thread(_lines, self._requests(handed_in))
        try:
            answered = len(await self.answers(handed_in))
        except (OSError, Garbage):
            answered = 0
        return Progress(answered >= requests, answered, requests)

    async def answers(self, handed_in: str) -> dict[str, Answered]:
        """See `BatchPlace`."""
        return answers_of(await asyncio.to_thread(self._answers(handed_in).read_bytes))

    def _requests(self, id: str) -> Path:
        return self._folder / f"{id}.jsonl"

    def _answers(self, id: str) -> Path:
        return self._folder / f"{id}.answers.jsonl"


def _lines(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError as error:
        raise PrerequisiteError(
            f"the requests of a batch cannot be read: {path} ({error.strerror})",
            remedy="put the file back; without it, and with its entry in the book of batches, its requests wait forever",
        ) from error
