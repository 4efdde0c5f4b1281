"""OpenAI-compatible servers on loopback, well-behaved and not, for tests of what talks to one.

`python servers.py SECONDS` is one in a process of its own that takes so long for each answer; it prints its address.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Behaviour = Callable[["Handler", Body], None]


def completion(texts: list[str], *, output_tokens: int | None = None, logprobs: bool = False) -> Body:
    """A chat completion as the OpenAI API describes it."""
    tokens = {"content": [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}
    reply: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": index,
                "finish_reason": "stop",
                "logprobs": tokens if logprobs else None,
                "message": {"role": "assistant", "content": text},
            }
            for index, text in enumerate(texts)
        ],
    }
    if output_tokens is not None:
        reply["usage"] = {"prompt_tokens": 7, "completion_tokens": output_tokens, "total_tokens": 7 + output_tokens}
    return reply


class Handler(BaseHTTPRequestHandler):
    """Hands each POST to the next behaviour of its server; the last one stays."""

    server: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        """The list of models, 503 while the server is loading."""
        self.server.seen.append({"path": self.path})
        if self.path in self.server.missing:
            self.json({"detail": "Not Found"}, 404)
        elif self.server.redirect:
            self.raw(b"", 307, {"location": self.server.redirect})
        elif self.server.loading:
            self.server.loading -= 1
            self.json({"error": {"message": "Loading model", "code": 503}}, 503)
        else:
            self.json(self.server.listing)

    def do_POST(self) -> None:
        """One request."""
        data = self.rfile.read(int(self.headers["content-length"]))
        body = {} if "multipart" in self.headers["content-type"] else json.loads(data)
        with self.server.lock:
            self.server.seen.append(body)
            self.server.at.append(time.monotonic())
            behaviours = self.server.behaviours
            behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        try:
            behaviour(self, body)
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send JSON."""
        self.raw(json.dumps(value).encode(), status, {"content-type": "application/json"} | (headers or {}))

    def raw(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send bytes."""
        self.send_response(status)
        for name, value in ({"content-length": str(len(data))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Endpoint(ThreadingHTTPServer):
    """A server with its own port; `seen` are the requests."""

    daemon_threads = True
    host = "127.0.0.1"

    def __init__(self, port: int = 0) -> None:
        super().__init__((self.host, port), Handler)
        self.behaviours: list[Behaviour] = [well]
        self.seen: list[Body] = []
        self.at: list[float] = []
        self.lock = threading.Lock()
        self.busy = self.busiest = 0
        self.loading = 0  # how many times it is asked for its models before it has one
        self.missing: tuple[str, ...] = ()  # paths that are not there
        self.redirect = ""  # where whoever gets something is sent
        self.listing: Any = {"object": "list", "data": [{"id": "served", "object": "model"}]}

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


def well(handler: Handler, body: Body) -> None:
    """Answers everything that it is asked."""
    texts = [f"{body['messages'][-1]['content']} {body.get('seed')} {i}" for i in range(body.get("n", 1))]
    if body.get("stream"):
        stream(texts[0])(handler, body)
    else:
        handler.json(completion(texts, output_tokens=5 * len(texts), logprobs=bool(body.get("logprobs"))))


def fails(status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any) -> Behaviour:
    """Answers with an HTTP error."""
    return lambda handler, body: handler.json({"error": {"message": message} | error}, status, headers)


def says(*texts: str, output_tokens: int | None = 5) -> Behaviour:
    """Answers with these texts, however many were asked for."""
    return lambda handler, body: handler.json(completion(list(texts), output_tokens=output_tokens))


def thinks(
    text: str,
    *,
    tokens: int = 40,
    form: str = "reasoning_content",
    thinking: str = "Hmm. Let me see.",
    logprobs: bool = False,
) -> Behaviour:
    """Thinks for `tokens` before it answers: in a field of that name, or in the text where `form` holds a "..." for the thinking."""

    def behave(handler: Handler, body: Body) -> None:
        enough = (body.get("max_tokens") or body.get("max_completion_tokens") or 0) > tokens
        message: Body = {"role": "assistant", "content": text if enough else None}
        if "..." in form:
            message["content"] = form.replace("...", thinking) + text if enough else form.partition("...")[0] + thinking
        else:
            message[form] = thinking
        reply = completion([""], output_tokens=tokens)
        reply["choices"][0] |= {"message": message, "finish_reason": "stop" if enough else "length"}
        if logprobs and body.get("logprobs"):
            pieces = [("Hmm.", ("Yes", "No")), (" ", ("a", "b")), (text, ("Yes", "No", "Maybe"))]
            reply["choices"][0]["logprobs"] = {"content": [
                {"token": token, "logprob": -0.1, "bytes": None,
                 "top_logprobs": [{"token": t, "logprob": -1.0 - place, "bytes": None} for place, t in enumerate(top)]}
                for token, top in pieces
            ]}  # fmt: skip
        handler.json(reply)

    return behave


def replies(finish_reason: str = "stop", **message: Any) -> Behaviour:
    """Answers with a message as it is given."""

    def behave(handler: Handler, body: Body) -> None:
        reply = completion([""], output_tokens=5)
        reply["choices"][0] |= {
            "message": {"role": "assistant", "content": None} | message,
            "finish_reason": finish_reason,
        }
        handler.json(reply)

    return behave


def stream(text: str, *, cut: bool = False) -> Behaviour:
    """Streams a text word by word; `cut`: and closes the connection half-way."""

    def behave(handler: Handler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        words = [f"{word} " for word in text.split()]
        for piece in words[: len(words) // 2] if cut else [*words, None]:
            delta = {} if piece is None else {"content": piece}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if piece is None else None}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        if not cut:
            handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    return behave


def hangs_up(handler: Handler, body: Body) -> None:
    """Closes the connection without an answer."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def half_an_answer(handler: Handler, body: Body) -> None:
    """Announces more bytes than it sends."""
    data = json.dumps(completion(["whole"])).encode()
    handler.raw(data[:40], headers={"content-type": "application/json", "content-length": str(len(data))})
    handler.close_connection = True


GARBAGE: dict[str, Behaviour] = {
    "html": lambda handler, body: handler.raw(b"<html>a proxy</html>", headers={"content-type": "text/html"}),
    "no json": lambda handler, body: handler.raw(b"{oops", headers={"content-type": "application/json"}),
    "binary": lambda handler, body: handler.raw(b"\xff\xfe\x00", headers={"content-type": "application/json"}),
    "other json": lambda handler, body: handler.json({"hello": "world"}),
    "a list": lambda handler, body: handler.json([1, 2]),
    "no choices": lambda handler, body: handler.json(completion([])),
    "null choices": lambda handler, body: handler.json(completion([]) | {"choices": None}),
    "odd choices": lambda handler, body: handler.json(completion([]) | {"choices": ["x", 1]}),
    "no message": lambda handler, body: handler.json(completion([]) | {"choices": [{"index": 0}]}),
    "half": half_an_answer,
    "hangs up": hangs_up,
    "empty": lambda handler, body: handler.raw(b""),
}


@contextlib.contextmanager
def serving() -> Iterator[Endpoint]:
    """A server that runs."""
    endpoint = Endpoint()
    threading.Thread(target=endpoint.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.shutdown()
        endpoint.server_close()


@contextlib.contextmanager
def process(seconds: float, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a server in a process of its own, and the process, which may be killed."""
    command = [sys.executable, __file__, str(seconds), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child.stdout.readline().strip(), child
        finally:
            child.kill()


def main(seconds: float, port: int) -> None:
    """Serve until killed."""

    def behave(handler: Handler, body: Body) -> None:
        time.sleep(seconds)
        well(handler, body)

    endpoint = Endpoint(port)
    endpoint.behaviours = [behave]
    print(endpoint.url, flush=True)
    endpoint.serve_forever()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
