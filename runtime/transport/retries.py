"""Which errors of an OpenAI-compatible server may pass by themselves, and what to tell about the others.

`judge` returns a `Problem` where another try can help, and raises where it cannot: `PrerequisiteError` for what the
user has to mend (the key, the address, the credit), `Refused` for a request that the server does not take as it is,
`CallFailed` for the rest.
"""

from __future__ import annotations

import email.utils
import json
import random
import time

from ..errors import CallFailed, PrerequisiteError
from ..http import connection_remedy, without_key, words_of
from .replies import Garbage, ServerError

__all__ = ["Problem", "Refused", "judge"]

_RETRIED = {408, 409, 425, 429}
_TRANSPORTS = {"httpx", "httpx2", "httpcore", "httpcore2", "anyio", "h11", "ssl"}


class Refused(CallFailed):
    """The server refused the form of the request (400, 422): in its own `words`, and the `parameter` that it names, if it does."""

    def __init__(self, message: str, *, words: str = "", parameter: str = "") -> None:
        super().__init__(message)
        self.words = words
        self.parameter = parameter


class Problem:
    """Something that may pass by itself.

    `down`: nobody listens there at all; `overloaded`: it had too much to do; `busy`: it says so itself (429, 503).
    """

    def __init__(
        self,
        text: str,
        *,
        retry_after: float | None = None,
        down: bool = False,
        overloaded: bool = False,
        busy: bool = False,
    ) -> None:
        self.text = text
        self.retry_after = retry_after
        self.down = down
        self.overloaded = overloaded or busy
        self.busy = busy

    def wait(self, pause: float) -> float:
        """Seconds to wait, at least `pause`/2: random, so that many clients do not come back together."""
        return max(self.retry_after or 0.0, pause * (0.5 + random.random() / 2))


def judge(
    error: Exception, where: str, *, answers: str = "chat completion", option: str = "--llm", key: str = ""
) -> Problem:
    """The problem behind an error of a request to the server `where`, if trying again can help; else it raises.

    `answers` is what should have come, `option` the flag that names the server, `key` what no message may hold.
    """
    import openai

    if isinstance(error, Garbage):
        return Problem(f"{where} answered something that is no {answers}: {error}")
    if isinstance(error, openai.APITimeoutError):
        return Problem(f"{where} did not answer in time", overloaded=True)
    if isinstance(error, openai.APIConnectionError):
        if remedy := connection_remedy(error):
            raise PrerequisiteError(f"{where} cannot be reached ({error.__cause__})", remedy=remedy) from error
        cause = error.__cause__
        name = type(cause).__name__ if cause is not None else "connection error"
        return Problem(f"{where} cannot be reached or broke off ({name}: {cause})", down=name == "ConnectError")
    if isinstance(error, openai.APIStatusError):
        # the library keeps what stands under "error", or all of it where that is no object
        body = error.body if error.body else error.response.text
        return _judge_status(
            error, where, error.status_code, body, error.response.headers.get("retry-after"), option, key
        )
    if isinstance(error, ServerError):
        return _judge_status(error, where, error.status, str(error), None, option, key)
    if isinstance(error, (openai.APIError, json.JSONDecodeError, UnicodeDecodeError)):
        return Problem(f"{where} answered something that is no {answers}: {without_key(str(error), key)[:200]}")
    if type(error).__module__.partition(".")[0] in _TRANSPORTS:  # these break through while a stream is read
        return Problem(f"{where} broke off in the middle of its answer ({type(error).__name__}: {error})")
    raise error


def _judge_status(
    error: Exception, where: str, status: int, body: object, after: str | None, option: str, key: str
) -> Problem:
    words = without_key(words_of(body) or str(error), key)
    text = f"{where} answered {status}: {words[:300]}"
    if status in (401, 403):
        raise PrerequisiteError(
            text, remedy="set the key of this server in INLOOP_API_KEY (or OPENAI_API_KEY) and check its rights"
        ) from error
    if status == 404:
        raise PrerequisiteError(
            text,
            remedy=f"check the address (it usually ends in /v1) and the model's name: {option} http://HOST:PORT/v1#MODEL",
        ) from error
    if status == 429 and "insufficient_quota" in f"{body} {error}":
        raise PrerequisiteError(
            text, remedy="the account has no credit left: top it up, or use another model"
        ) from error
    if status in _RETRIED or status >= 500:
        return Problem(text, retry_after=_retry_after(after), busy=status in (429, 503))
    if status in (400, 422):
        parameter = body.get("param") if isinstance(body, dict) else None
        raise Refused(
            f"{text}. Mend the request (its length, n, max_tokens, schema): it will not be tried again",
            words=words, parameter=str(parameter or ""),
        ) from error  # fmt: skip
    raise CallFailed(text) from error


def _retry_after(header: str | None) -> float | None:
    """Seconds from a Retry-After header, which is a number or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
