"""A server of the images API in a process of its own: `python image_server.py [WAYS]`; it prints its address.

It paints two colours, one of the prompt and one of the seed. WAYS, joined by commas: `no-seed` refuses a seed, `deaf` passes over it,
`url` answers with addresses, `plain` refuses to be asked for a format, `strict` refuses fields beyond OpenAI's own but for the seed.
Some prompts have their own fate: forbidden, flaky, busy, slow, nothing, broken, file. `GET /log` gives the requests that came.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


def picture(prompt: str, seed: int, size: str = "32x32") -> bytes:
    """A PNG that prompt and seed decide."""
    from PIL import Image

    width, height = map(int, size.split("x"))
    colours = [tuple(hashlib.sha256(repr(part).encode()).digest()[:3]) for part in (prompt, seed)]
    image = Image.new("RGB", (width, height), colours[0])
    image.paste(colours[1], (0, 0, width // 2, height))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ways: frozenset[str] = frozenset()
    seen: ClassVar[list[dict[str, Any]]] = []
    files: ClassVar[dict[str, bytes]] = {}
    luck = itertools.count(1000)

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/files/"):
            self._send(self.files[self.path], "image/png")
        elif self.path == "/log":
            self._json(self.seen)
        else:
            self._json({"object": "list", "data": [{"id": "painter-1", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt, before = body["prompt"], [each["prompt"] for each in self.seen]
        self.seen.append({**body, "path": self.path, "key": self.headers.get("authorization")})
        if self.path != "/v1/images/generations":
            return self._refuse("no such door", status=404)
        for field in ("seed", "response_format"):
            if field in body and ("no-seed" if field == "seed" else "plain") in self.ways:
                return self._refuse(f"Unknown parameter: '{field}'.", param=field, code="unknown_parameter")
        unknown = sorted({*body} - {"model", "prompt", "n", "size", "response_format", "seed"})
        if unknown and "strict" in self.ways:
            return self._refuse(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
        if "forbidden" in prompt:
            return self._refuse("Your request was rejected by the safety system.", code="content_policy_violation")
        if prompt == "busy" or (prompt == "flaky" and "flaky" not in before):
            return self._refuse("overloaded", status=503)
        if prompt == "slow":
            time.sleep(3)
        if prompt == "nothing":
            return self._json({"created": 1, "data": []})
        if prompt == "broken":
            return self._json({"created": 1, "data": [{"b64_json": base64.b64encode(b"no picture").decode()}]})
        if prompt == "file":
            return self._json({"created": 1, "data": [{"url": Path(__file__).as_uri()}]})
        seed = next(self.luck) if "deaf" in self.ways or "seed" not in body else body["seed"]
        data = picture(prompt, seed, body.get("size", "32x32"))
        if "url" in self.ways:
            name = f"/files/{len(self.files)}.png"
            self.files[name] = data
            return self._json(
                {"created": 1, "data": [{"url": f"http://{self.headers['host']}{name}", "revised_prompt": "?"}]}
            )
        return self._json({"created": 1, "data": [{"b64_json": base64.b64encode(data).decode()}], "metrics": {"x": 1}})

    def _refuse(self, message: str, *, status: int = 400, **error: Any) -> None:
        self._json({"error": {"message": message, **error}}, status)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, data: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError):  # clients that hang up are part of the tests
            self.wfile.write(data)


@contextmanager
def painting(*ways: str) -> Iterator[str]:
    """The base URL of such a server in another process."""
    command = [sys.executable, str(Path(__file__)), ",".join(ways)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    _Handler.ways = frozenset(sys.argv[1].split(",")) if len(sys.argv) > 1 else frozenset()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()
