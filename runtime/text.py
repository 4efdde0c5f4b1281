"""Texts as files, models and users give them: their bytes, their lines, their JSON, and what nobody can write down again.

- A line ends at a line feed, a carriage return, or both. `str.splitlines` cuts at ten characters more (U+2028, U+0085, form feeds), which
  stand inside of prompts, replies and JSON strings.
- Half a letter (a lone surrogate, as JSON's `\ud83d` or a broken file name gives it) can be in no file, data base or request. It
  becomes U+FFFD where a text comes in, as in any decoder.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any, NoReturn

from .errors import BadInput

__all__ = ["decoded", "is_blank", "json_bytes", "json_of", "lines_of", "read_text", "whole"]

_HALF = re.compile("[\ud800-\udfff]")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the mark at the beginning of a file; those of UTF-32 begin with those of UTF-16, and come first."""


def lines_of(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    return [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]


def whole(text: str) -> str:
    """The text with U+FFFD for each half of a letter; two halves that belong together are one letter."""
    if not _HALF.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def is_blank(text: str) -> bool:
    """Whether there is nothing to be seen in it: blanks, controls, and signs of no width."""
    return all(unicodedata.category(sign)[0] in "CZ" for sign in text)


def json_of(text: str, *, constants: bool = True) -> Any:
    """The value of a JSON text, its texts `whole`; `ValueError` where it is none, or nested too deeply.

    `constants`: whether NaN and Infinity, which Python's JSON has and JSON has not, are read; then they are None, what is not known.
    """
    try:
        value = json.loads(text, parse_constant=(lambda name: None) if constants else _no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # without an escape there is nothing to mend in a text that was decoded
    return _mended(value) if "\\u" in text else value


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """A value as JSON in UTF-8, letters as they are; half a letter as its escape, which reads back."""
    # the escape that Python writes for a surrogate is that of JSON
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


def decoded(data: bytes, what: str) -> str:
    """The text of a file's bytes, in UTF-8, or in UTF-16 or UTF-32 with their mark; `what` names the file.

    Raises:
        BadInput: another encoding.
    """
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        likely = "UTF-16" if b"\0" in data[:1000] else "Latin-1 or Windows-1252"
        raise BadInput(
            f"{what} is not UTF-8 text ({error.reason} at byte {error.start}), but perhaps {likely}: save it as UTF-8, such as by"
            f" iconv -f {likely.split()[0].upper()} -t UTF-8."
        ) from None


def read_text(path: Path) -> str:
    """The text of a file, with line feeds as its line ends.

    Raises:
        BadInput: it cannot be read, or is no text in UTF-8, UTF-16 or UTF-32.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # a name that no file can have
        raise BadInput(f"{str(path)!r} cannot be read: {error}.") from None
    return re.sub(r"\r\n?", "\n", decoded(data, repr(str(path))))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole(key): _mended(entry) for key, entry in value.items()}
    return [_mended(entry) for entry in value] if isinstance(value, list) else value
