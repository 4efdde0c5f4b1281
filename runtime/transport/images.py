"""Sending a request for pictures to an OpenAI-compatible images API: `POST /images/generations`, paced and retried as chat requests are."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import urllib.error
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from ..errors import CallFailed
from ..http import open_url
from ..records import Cost
from .replies import Garbage
from .sender import Sender

if TYPE_CHECKING:
    from .adaptive_limit import Turn
    from .balancer import Server

__all__ = ["ImageSender"]

_MOST = 64 * 2**20
"""Bytes of one picture that is fetched by its address."""


class ImageSender(Sender):
    """The way to a server that paints; a value is `{"pictures": [base64, ...]}`."""

    answers = "picture"
    option = "--images"

    async def send(self, url: str, body: dict[str, Any], on_text: Any = None, **options: Any) -> dict[str, Any]:
        """Send one request once to the server at `url`; raises whatever the client library raises."""
        answer = await self._client(url, self._key).images.with_raw_response.generate(**body)
        value = answer.http_response.json()
        data = value.get("data") if isinstance(value, dict) else None
        if not isinstance(data, list):
            raise Garbage(f"no list of pictures in {str(value)[:120]!r}")
        return {"pictures": [await self._picture(entry, url) for entry in data]}

    async def _try(
        self,
        server: Server,
        tokens: int,
        body: dict[str, Any],
        on_text: Any,
        turn: Turn,
        opened: bool,
        slower: float,
    ) -> tuple[dict[str, Any], Cost]:
        begun = time.monotonic()
        value = await self.send(server.url, body)
        seconds = time.monotonic() - begun
        turn.done(seconds, 0)
        count = len(value["pictures"])
        return value, Cost(calls=1, images=count, seconds=seconds, money=0.0 if self.is_free else None)

    async def _picture(self, entry: Any, server: str) -> str:
        """The bytes of an entry in base64: as they are sent, or fetched from the address that is."""
        if isinstance(entry, dict) and entry.get("b64_json"):
            try:
                data = base64.b64decode(str(entry["b64_json"]).rpartition("base64,")[2], validate=True)
            except binascii.Error as error:
                raise Garbage(f"a picture that is no base64 ({error})") from None
        elif isinstance(entry, dict) and entry.get("url"):
            data = await asyncio.to_thread(self._fetched, str(entry["url"]), server)
        else:
            raise Garbage(f"neither b64_json nor url in {str(entry)[:120]!r}")
        return base64.b64encode(data).decode("ascii")

    def _fetched(self, url: str, server: str) -> bytes:
        if url.startswith("data:") and "base64," in url:
            return base64.b64decode(url.partition("base64,")[2])
        whole = urljoin(f"{server}/", url)
        if urlsplit(whole).scheme not in ("http", "https"):  # a server must not have files of this machine read
            raise CallFailed(f"{self.where} gave the address {url[:80]!r} for a picture, which is none of http")
        try:
            with open_url(whole, timeout=self._timeout) as answer:
                data: bytes = answer.read(_MOST + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise Garbage(f"the address of a picture that answers {error.code}") from None
        except OSError as error:
            raise Garbage(f"the address of a picture that cannot be fetched ({error})") from None
        if len(data) > _MOST:
            raise CallFailed(f"{self.where} gave a picture of more than {_MOST // 2**20} MB")
        return data
