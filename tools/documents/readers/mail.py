"""E-mail: a message (.eml) or a box of them (.mbox), a section a message; the text part, else the HTML one."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime

from ....runtime.errors import BadInput
from .encodings import decoded
from .html import put_page
from .outline import Hints, Outline, Reading, meta_of

__all__ = ["read_box", "read_message"]

_BEGIN = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
_HEADER = re.compile(rb"^[A-Za-z][A-Za-z0-9-]*:", re.MULTILINE)


def read_message(data: bytes, name: str, hints: Hints) -> Reading:
    """A message: its subject is the title; from, to and date are `meta`.

    Raises:
        BadInput: it is no message.
    """
    outline = Outline()
    message = _parsed(data, name)
    notes = _put(message, outline, name)
    meta = {label: _header(message, label) for label in ("from", "to", "cc")}
    return outline.reading(
        title=_header(message, "subject"), notes=notes, meta=meta_of({**meta, "date": _date(message)})
    )


def read_box(data: bytes, name: str, hints: Hints) -> Reading:
    """A box of messages: a section a message, under its subject, with who wrote it and when as its first line. Raises as `read_message`."""
    outline = Outline()
    notes: list[str] = []
    messages = [part for part in _BEGIN.split(data) if part.strip()]
    for part in messages:
        message = _parsed(re.sub(rb"^>(>*From )", rb"\1", part, flags=re.MULTILINE), name)
        outline.heading(2, _header(message, "subject") or "(no subject)")
        who = [_header(message, "from"), _date(message)]
        outline.block(", ".join(filter(None, who)))
        notes += _put(message, outline, name)
    return outline.reading(notes=dict.fromkeys(notes))


def _parsed(data: bytes, name: str) -> EmailMessage:
    head = re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]
    if not _HEADER.search(head[:10_000]) or b"\0" in head:
        raise BadInput(f"{name!r} is no e-mail: it begins without the lines that say from whom it is.")
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _header(message: EmailMessage, label: str) -> str:
    try:
        return " ".join(str(message.get(label) or "").split())
    except (
        ValueError,
        IndexError,
        AttributeError,
        TypeError,
        LookupError,
    ):  # a header that the standard library trips over
        return ""


def _date(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(_header(message, "date")).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def _put(message: EmailMessage, outline: Outline, name: str) -> list[str]:
    """The words of a message, in paragraphs; what is attached is noted."""
    try:
        plain, page = message.get_body(("plain",)), message.get_body(("html",))
        attached = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    except (KeyError, ValueError, AttributeError, TypeError, LookupError) as error:
        raise BadInput(f"the e-mail {name!r} is damaged ({type(error).__name__}: {str(error)[:100]}).") from None
    text = _text(plain, name) if plain is not None else ""
    if text.strip():
        for block in re.split(r"\n[ \t]*\n", text):
            outline.block(block)
    elif page is not None:
        put_page(_text(page, name), outline, name)
    return (
        [f"not read, attached: {', '.join(attached[:5])}{' and more' if len(attached) > 5 else ''}"] if attached else []
    )


def _text(part: MIMEPart, name: str) -> str:
    data = part.get_payload(decode=True)
    charset = part.get_content_charset() or ""
    if not isinstance(data, bytes):
        return ""
    return decoded(data, name, declared=charset)[0]
