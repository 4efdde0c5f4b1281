"""The lines of a batch's files, as OpenAI's batch API and `vllm run-batch` read and write them: one JSON object a request, one an answer.

https://platform.openai.com/docs/guides/batch, https://docs.vllm.ai/en/latest/examples/features/openai_batch/.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..transport import Garbage, ServerError

__all__ = ["ENDPOINT", "Answered", "answers_of", "file_of", "sent_as"]

ENDPOINT: Final = "/v1/chat/completions"
_UNDONE = ("batch_expired", "batch_cancelled")


class Answered(NamedTuple):
    """What came of one request: the chat completion, or the error in its place; `undone`: it was never tried."""

    completion: dict[str, Any] | None = None
    error: ServerError | None = None
    undone: bool = False


def sent_as(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request's body as it goes over the wire: what the client library takes beside its own fields is among them."""
    plain = {name: value for name, value in body.items() if name != "extra_body"}
    return plain | dict(body.get("extra_body") or {})


def file_of(requests: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """The file of requests, each under its id."""
    return b"".join(
        json.dumps(
            {"custom_id": id, "method": "POST", "url": ENDPOINT, "body": sent_as(body)}, ensure_ascii=False
        ).encode()
        + b"\n"
        for id, body in requests
    )


def answers_of(data: bytes) -> dict[str, Answered]:
    """The answers in a file by the ids of their requests. A line that is none is left out: a file may still be being written.

    Raises `Garbage` where not one line is an answer.
    """
    answers, lines = {}, [line for line in data.split(b"\n") if line.strip()]
    for line in lines:
        try:
            entry = json.loads(line)
            answers[str(entry["custom_id"])] = _answered(entry)
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
    if lines and not answers:
        raise Garbage(f"no answers of a batch in {lines[0][:120]!r}")
    return answers


def _answered(entry: dict[str, Any]) -> Answered:
    response, error = entry.get("response") or {}, entry.get("error")
    status, body = response.get("status_code", 200), response.get("body")
    if not error and status == 200 and isinstance(body, dict) and body.get("choices"):
        return Answered(completion=body)
    if isinstance(error, dict) and error.get("code") in _UNDONE:
        return Answered(undone=True)
    said = error or (body or {}).get("error") or body or {"message": "no answer"}
    said = said if isinstance(said, dict) else {"message": str(said)}
    return Answered(error=ServerError(said | {"code": status if status != 200 else said.get("code")}))
