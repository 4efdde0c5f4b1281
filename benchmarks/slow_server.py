"""A chat server that sleeps instead of computing: `python slow_server.py SLOTS READING ANSWERING`; it prints its address.

So many requests at once; each sleeps `ANSWERING` seconds, and `READING` more where its beginning (its first message) is none of the last 20 that were
read. `GET /log` tells how many were answered, and how many of these found their beginning read. It takes no core, so that several stand
for servers on machines of their own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from typing import Any

_KEPT = 20


class SlowServer:
    """Answers over HTTP/1.1 with open connections."""

    def __init__(self, slots: int, reading: float, answering: float) -> None:
        self.reading, self.answering = reading, answering
        self.answered = self.hits = 0
        self._slots = asyncio.Semaphore(slots)
        self._read: OrderedDict[str, None] = OrderedDict()

    async def serve(self) -> None:
        """Serve until killed."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                value = await self._answer(lines[0].split()[1], json.loads(body) if body else {})
                data = json.dumps(value).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(f"content-length: {len(data)}\r\n\r\n".encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/models"):
            return {"object": "list", "data": [{"id": "slow", "object": "model"}]}
        if path == "/log":
            return {"answered": self.answered, "hits": self.hits}
        async with self._slots:
            beginning = str(asked["messages"][0]["content"])
            read = beginning in self._read
            self._read[beginning] = None
            self._read.move_to_end(beginning)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
            await asyncio.sleep(self.answering + (0 if read else self.reading))
        self.answered += 1
        self.hits += read
        message = {"role": "assistant", "content": f"about {asked['messages'][-1]['content']}"}
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 16, "total_tokens": 25}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "slow",
            "choices": [choice],
            "usage": usage,
        }


if __name__ == "__main__":
    asyncio.run(SlowServer(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])).serve())
