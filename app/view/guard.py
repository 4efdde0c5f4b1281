"""Who may look: whoever has the token, from a page of this very server, under a name of this machine.

A server on loopback can be reached by every page in a browser of this machine. So each request needs the token (in the address once, then in a
cookie that other sites do not send), calls the machine by a name of its own (a name that somebody else points at 127.0.0.1 gets nothing),
and, where it changes something, comes from this origin. Pages may load nothing from elsewhere and run nothing but their own script.
"""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...runtime.http import is_loopback

__all__ = ["Guarded"]

_HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guarded:
    """The middleware; `token` is what `?token=` or the cookie must hold."""

    def __init__(self, app: ASGIApp, *, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        refused = self._refused(Request(scope))
        await (refused or self.app)(scope, receive, headed)

    def _refused(self, request: Request) -> Response | None:
        """What is answered instead, or None."""
        if not is_loopback(request.url.hostname or ""):
            return PlainTextResponse("this server answers to names of this machine alone.", 403)
        given = request.query_params.get("token")
        cookie = f"inloop-view-{request.url.port or 80}"
        if given is not None and request.method == "GET":
            if not self._is_token(given):
                return PlainTextResponse("the token is wrong: open the address that `inloop view` printed.", 403)
            rest = urlencode([pair for pair in parse_qsl(request.url.query) if pair[0] != "token"])
            onward = RedirectResponse(f"{request.url.path}?{rest}" if rest else request.url.path, 303)
            onward.set_cookie(cookie, self.token, httponly=True, samesite="strict")
            return onward
        if not self._is_token(request.cookies.get(cookie, "")):
            return PlainTextResponse("no token: open the address that `inloop view` printed.", 403)
        if request.method not in ("GET", "HEAD"):
            own = f"{request.url.scheme}://{request.headers.get('host', '')}"
            if request.headers.get("origin") != own:
                return PlainTextResponse("this comes from another page.", 403)
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                return PlainTextResponse("the body must be JSON.", 415)
        return None

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())
