"""A server on loopback that speaks OpenAI's batch API: files, batches, their answers and errors, and a list of batches in pages."""

from __future__ import annotations

import contextlib
import email
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers import completion

Body = dict[str, Any]


def answered(body: Body) -> Body:
    """The answer to one request: what it asked, and which answer it is."""
    texts = [f"{body['messages'][-1]['content']} {body.get('seed')} {place}" for place in range(body.get("n", 1))]
    return {
        "response": {"status_code": 200, "request_id": "r", "body": completion(texts, output_tokens=5 * len(texts))},
        "error": None,
    }


def refused(status: int, message: str) -> Body:
    """The error in the place of one request's answer."""
    return {
        "response": {"status_code": status, "request_id": "r", "body": {"error": {"message": message, "code": None}}},
        "error": None,
    }


EXPIRED: Body = {
    "response": None,
    "error": {
        "code": "batch_expired",
        "message": "This request could not be executed before the completion window expired.",
    },
}


class BatchServer(ThreadingHTTPServer):
    """Its batches end when `open` is set; `answer` gives the entry of one request. `seen` are the bodies of all requests that were handed in."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.open = threading.Event()
        self.open.set()
        self.answer: Callable[[Body], Body] = answered
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Body] = {}
        self.seen: list[Body] = []
        self.fail_next: list[int] = []  # statuses that the next requests are answered with
        self.lose_next = 0  # batches that are taken without a word of it
        self.refuse = ""  # why batches fail as a whole
        self.status = "completed"
        self._numbers = itertools.count(1)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed are part of the tests."""

    def keep(self, data: bytes) -> str:
        with self.lock:
            id = f"file-{next(self._numbers)}"
            self.files[id] = data
        return id

    def begin(self, asked: Body) -> Body:
        with self.lock:
            id = f"batch_{next(self._numbers)}"
            requests = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
            self.seen += [request["body"] for request in requests]
            batch = self.batches[id] = {
                "id": id, "object": "batch", "endpoint": asked["endpoint"], "errors": None, "completion_window": asked["completion_window"],
                "input_file_id": asked["input_file_id"], "status": "validating", "created_at": int(time.time()),
                "output_file_id": None, "error_file_id": None, "metadata": asked.get("metadata"),
                "request_counts": {"total": len(requests), "completed": 0, "failed": 0},
            }  # fmt: skip
        return batch

    def look(self, id: str) -> Body:
        batch = self.batches[id]
        if self.refuse:
            batch |= {"status": "failed", "errors": {"object": "list", "data": [{"code": "x", "message": self.refuse}]}}
        elif self.open.is_set() and not batch["output_file_id"] and not batch["error_file_id"]:
            kinds: dict[bool, list[bytes]] = {True: [], False: []}
            for line in self.files[batch["input_file_id"]].splitlines():
                request = json.loads(line)
                entry = {"id": "batch_req", "custom_id": request["custom_id"], **self.answer(request["body"])}
                kinds[bool(entry["response"]) and entry["response"]["status_code"] == 200].append(
                    json.dumps(entry).encode()
                )
            good, bad = kinds[True][::-1], kinds[False]  # the order of answers is open
            if good:
                batch["output_file_id"] = self.keep(b"\n".join(good))
            if bad:
                batch["error_file_id"] = self.keep(b"\n".join(bad))
            batch["status"] = self.status
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        return batch


class _Handler(BaseHTTPRequestHandler):
    server: BatchServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        if self.server.fail_next:
            return self._json({"error": {"message": "not now"}}, self.server.fail_next.pop(0))
        url = urlsplit(self.path)
        parts = url.path.removeprefix("/v1/").split("/")
        if parts[0] == "files" and parts[-1] == "content":
            return self._send(self.server.files[parts[1]], "application/octet-stream")
        if parts == ["batches"]:  # the newest first, two a page
            after = parse_qs(url.query).get("after", [""])[0]
            ids = list(self.server.batches)[::-1]
            ids = ids[ids.index(after) + 1 :] if after else ids
            data = [self.server.batches[id] for id in ids[:2]]
            return self._json(
                {"object": "list", "data": data, "has_more": len(ids) > 2, "last_id": data[-1]["id"] if data else None}
            )
        if parts[0] == "batches" and parts[1] in self.server.batches:
            return self._json(self.server.look(parts[1]))
        return self._json({"error": {"message": f"no {self.path}"}}, 404)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        if self.server.fail_next:
            return self._json({"error": {"message": "not now"}}, self.server.fail_next.pop(0))
        if self.path == "/v1/files":
            form = email.message_from_bytes(f"content-type: {self.headers['content-type']}\r\n\r\n".encode() + data)
            fields = {
                part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
                for part in form.get_payload()
            }  # type: ignore[union-attr, arg-type]
            assert fields["purpose"] == b"batch"
            id = self.server.keep(fields["file"])
            return self._json(
                {
                    "id": id,
                    "object": "file",
                    "bytes": 1,
                    "created_at": 1,
                    "filename": "f",
                    "purpose": "batch",
                    "status": "processed",
                }
            )
        if self.path == "/v1/batches":
            batch = self.server.begin(json.loads(data))
            if self.server.lose_next:
                self.server.lose_next -= 1
                self.close_connection = True
                return None
            return self._json(batch)
        return self._json({"error": {"message": f"no {self.path}"}}, 404)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def batching() -> Iterator[BatchServer]:
    """A server that runs."""
    server = BatchServer()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
