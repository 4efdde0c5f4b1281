"""Answers from an index behind the chat API of OpenAI: `/v1/chat/completions`, `/v1/models` and `/health` as an ASGI application.

The last message of the user is the question; what was said before it is not read. The answer's text carries numbers in brackets and
under it the quotations; the same citations stand in the field `citations`, and `answered` says whether there is an answer. Parameters
of sampling change nothing. An error is an object as OpenAI's, so that its clients raise what they always raise.

Invariants: a page in a browser gets nothing, since other hosts' names and other types than JSON are refused and no origin is allowed;
with a key every path but `/health` asks for it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ...graphs.rag import Answering, RagTask
from ...runtime.answers import Citation, CitedAnswer
from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.http import is_loopback
from .answer import STANCES
from .reasons import REASONS

__all__ = ["MODEL", "chat_app"]

MODEL = "inloop-ask"
_MOST_BYTES = 1_000_000


def chat_app(answering: Answering, *, key: str = "") -> Starlette:
    """The application; with a `key` clients must send it, without one they must be on this machine."""
    routes = [
        Route("/health", _health),
        Route("/v1/models", _models),
        Route("/v1/models/{model:path}", _models),
        Route("/v1/chat/completions", _completions, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http_error, InloopError: _inloop_error, Exception: _unexpected}
    app = Starlette(routes=routes, middleware=[Middleware(_Guarded, key=key)], exception_handlers=handlers)
    app.state.answering = answering
    app.state.created = int(time.time())
    return app


class _Guarded:
    """Lets in who has the key, or without one who calls this machine by a name of its own."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self.app
        if scope["type"] == "http":
            request = Request(scope)
            given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
            if (
                self.key
                and request.url.path != "/health"
                and not secrets.compare_digest(given.encode(), self.key.encode())
            ):
                app = _error(
                    401, "the key is missing or wrong: send it as Authorization: Bearer KEY.", code="invalid_api_key"
                )
            elif not self.key and not is_loopback(request.url.hostname or ""):
                app = _error(403, f"this server answers this machine alone, and was called {request.url.hostname!r}.")
        await app(scope, receive, send)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _models(request: Request) -> Response:
    model = {"id": MODEL, "object": "model", "created": request.app.state.created, "owned_by": "inloop"}
    asked = request.path_params.get("model")
    if asked not in (None, MODEL):
        return _unknown(str(asked))
    return JSONResponse({"object": "list", "data": [model]} if asked is None else model)


async def _completions(request: Request) -> Response:
    body = await _body(request)
    if body.get("model") != MODEL:
        return _unknown(str(body.get("model")))
    if body.get("n") not in (None, 1):
        raise _refused("n", f"n={body['n']!r}: there is one answer, ask for n=1.")
    if body.get("tools") or body.get("functions"):
        raise _refused("tools", "tools are called by nobody here: leave them out.")
    if (body.get("response_format") or {"type": "text"}) != {"type": "text"}:
        raise _refused("response_format", "the answer is text with quotations: leave response_format out.")
    question = _question(body.get("messages"))
    pending = asyncio.wrap_future(request.app.state.answering.ask(question))
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": MODEL}
    if body.get("stream"):
        events = _events(head, pending)
        return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
    answer = (await _while_connected(request, pending)).answer
    message = {"role": "assistant", "content": "".join(_pieces(answer)), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], **_cited(answer)})


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be JSON: send it with content-type application/json.")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _MOST_BYTES:
            raise HTTPException(413, f"the body has more than {_MOST_BYTES:,} bytes.")
    try:
        body = json.loads(data)
    except ValueError as error:
        raise HTTPException(400, f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is no JSON object.")
    return body


def _question(messages: Any) -> str:
    """The text of the user's last message, which may be in parts."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise _refused("messages", "messages is no list of messages.")
    content = next((each.get("content") for each in reversed(messages) if each.get("role") == "user"), None)
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise _refused("messages", "a message holds what is no text: documents are asked in words.")
        content = "\n".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str) or not content.strip():
        raise _refused("messages", "there is no message of the user with words in it.")
    return content


async def _while_connected(request: Request, pending: asyncio.Future[RagTask]) -> RagTask:
    """The answer; the work on it ends where the client leaves."""
    try:
        while not (await asyncio.wait([pending], timeout=1.0))[0]:
            if await request.is_disconnected():
                raise HTTPException(499, "the client has left.")
        return pending.result()
    finally:
        pending.cancel()


async def _events(head: dict[str, Any], pending: asyncio.Future[RagTask]) -> AsyncIterator[str]:
    """The answer as server-sent events: the role at once, then sentence by sentence what has been checked, then the quotations."""

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"

    try:
        yield chunk({"role": "assistant", "content": ""})
        while not (await asyncio.wait([pending], timeout=10.0))[0]:
            yield ": it is worked on\n\n"  # a comment, so that nothing between the two closes a silent connection
        answer = pending.result().answer
        for piece in _pieces(answer):
            yield chunk({"content": piece})
        yield chunk({}, "stop", **_cited(answer))
    except InloopError as error:
        yield f"data: {json.dumps({'error': _object(*_kind(error))})}\n\n"
    finally:
        pending.cancel()
    yield "data: [DONE]\n\n"


def _pieces(answer: CitedAnswer) -> Iterator[str]:
    """The text of an answer: its sentences with their numbers, or why there is none, then the quotations."""
    citations = answer.citations
    if answer.abstained is not None:
        citations = answer.abstained.citations
        yield f"No answer: {REASONS[answer.abstained.reason]}. {answer.abstained.explanation}"
    elif answer.kind == "claim":
        yield f"{STANCES.get(answer.stance or '', 'What the sources say of it:')} "
    for place, sentence in enumerate(answer.sentences):
        marks = "".join(f" [{citation.number}]" for citation in sentence.citations)
        checked = "" if sentence.verdict == "supported" else " (not checked)"
        yield f"{' ' if place else ''}{sentence.text}{marks}{checked}"
    for place, citation in enumerate(citations):
        yield f"{'' if place else chr(10)}\n[{citation.number}] {_place(citation)}: “{citation.quote}”"


def _place(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page is not None else ""
    return f"{citation.source or citation.document}{page}, characters {citation.start}-{citation.end}"


def _cited(answer: CitedAnswer) -> dict[str, Any]:
    """What an answer says beside its text."""
    citations = answer.citations if answer.abstained is None else answer.abstained.citations
    return {
        "answered": answer.answered,
        "stance": answer.stance,
        "citations": [citation.model_dump(mode="json") for citation in citations],
    }


def _unknown(model: str) -> Response:
    return _error(404, f"there is no model {model!r}; there is {MODEL!r}.", code="model_not_found")


def _refused(param: str, message: str) -> HTTPException:
    return HTTPException(400, json.dumps({"param": param, "message": message}))


async def _http_error(request: Request, error: HTTPException) -> Response:
    try:
        told = json.loads(error.detail)
    except ValueError:
        return _error(error.status_code, error.detail)
    return _error(error.status_code, told["message"], param=told["param"])


async def _inloop_error(request: Request, error: InloopError) -> Response:
    status, message = _kind(error)
    return _error(status, message)


async def _unexpected(request: Request, error: Exception) -> Response:
    return _error(500, f"unexpected {type(error).__name__}: {error}")


def _kind(error: InloopError) -> tuple[int, str]:
    """The status of an error, and what it says."""
    if isinstance(error, BadInput):
        return 400, str(error)
    if isinstance(error, PrerequisiteError):
        return 503, str(error)
    return (502 if isinstance(error, CallFailed) else 500), str(error)


def _object(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = {401: "authentication_error", 403: "permission_error"}.get(status, "invalid_request_error")
    return {"message": message, "type": kind if status < 500 else "server_error", "param": param, "code": code}


def _error(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Response:
    return JSONResponse({"error": _object(status, message, param=param, code=code)}, status_code=status)
