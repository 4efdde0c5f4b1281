"""URLs that name a place and never a secret: one would end up in configs, reports and logs."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["check_no_secret", "is_url", "without_secret"]

_SECRETS = ("password", "passwd", "secret", "token", "key", "sig")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(text: object) -> bool:
    """Whether a text is a URL, and no path."""
    return isinstance(text, str) and _URL.match(text) is not None


def check_no_secret(url: str, remedy: str) -> None:
    """Refuse a URL that holds a password.

    Raises:
        ValueError: it does; the message is without it, and ends with the remedy.
    """
    if without_secret(url) != url:
        raise ValueError(f"a password in a URL would end up in configs, reports and logs; {remedy}")


def without_secret(url: str) -> str:
    """The URL without a password, in its address or among its options; what is no URL is given back as it is."""
    if not is_url(url):
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        parts = parts._replace(netloc=user.partition(":")[0] + at + host)
    given = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if not any(word in name.lower() for word in _SECRETS)]
    if len(kept) < len(given):
        parts = parts._replace(query=urlencode(kept))
    return url if parts == urlsplit(url) else parts.geturl()
