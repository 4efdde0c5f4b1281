"""Bytes as text: by their mark, by what is said of them, as UTF-8, or as the encoding in which they spell a language.

Invariants: what is said of a file (in it, or by a person) is followed where the bytes bear it out, else noted; valid UTF-8
beyond ASCII is UTF-8 whatever is said, for no other text looks like it by chance; a binary file is refused.
"""

from __future__ import annotations

import codecs
import unicodedata

import regex

from ....runtime.errors import BadInput

__all__ = ["DECLARED", "decoded", "known_encoding"]

DECLARED = regex.compile(
    rb"""<(?:meta\b[^>]*?\bcharset\s*=\s*["']?\s*|\?xml\b[^>]*?\bencoding\s*=\s*["'])([\w.:-]+)""", regex.I
)
"""How HTML and XML say their encoding, in their first bytes."""

_PRINTED = bytes({9, 10, 12, 13, 27, *range(32, 256)})
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
_ALIASES = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
            "euc_kr": "cp949", "iso8859-9": "cp1254", "tis-620": "cp874", "iso8859-11": "cp874"}  # fmt: skip
"""Encodings that are read by a larger one, as browsers do (WHATWG Encoding, 2024)."""

_SIGNS = frozenset(" €£¥§°©®™«»‹›“”„‘’‚–—…•·×÷±²³¹½¼¾µ†‡ªº¿¡\u00ad´`¨")
_WITHIN = regex.compile(r"\p{L}[¿¡³²¹£¥¼½¾§©®¢¤¦±×÷«»¨¸¯]\p{L}")
"""Signs within words: a letter of another encoding."""

_ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáàâçéêíóôõúü", "àèéìíòóùú", "åäöéü", "åæøéòêèôü", "áðéíóúýþæö",
               "áéëïíóöüèàĳ", "äöõüšž"),  # German, French, Spanish, Portuguese, Italian, Swedish, Danish, Icelandic, Dutch, Estonian
    "cp1250": ("áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "áäčďéíĺľňóôŕšťúýž", "ăâîşţ", "čćđšž"),
    "cp1254": ("âçğıîöşüû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž"),
}  # fmt: skip
"""What letters languages write beside a to z, by the encoding that has them; of two that fit, the first one is taken."""


def known_encoding(label: str) -> str | None:
    """The encoding with this name, as Python calls it; None for one that there is not."""
    try:
        name = codecs.lookup(label.strip().lower()).name
        b"a".decode(name)
    except (LookupError, ValueError, UnicodeError):
        return None
    return _ALIASES.get(name, name)


def decoded(data: bytes, name: str, *, encoding: str = "", declared: str = "") -> tuple[str, tuple[str, ...]]:
    """The text of a file, with Unix line ends, and what to note about its encoding.

    `encoding` is what a person says of it, `declared` what it says of itself.

    Raises:
        BadInput: it is a binary file.
    """
    text, notes = _text(data, name, encoding, declared)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = text[:5000]
    odd = sum(unicodedata.category(letter) in ("Cn", "Co", "Cc") or letter == "\ufffd" for letter in start)
    if odd - start.count("\n") - start.count("\t") - start.count("\f") > 0.1 * len(start):
        raise BadInput(f"{name!r} is a binary file, whatever its name says.")
    return text, notes


def _text(data: bytes, name: str, encoding: str, declared: str) -> tuple[str, tuple[str, ...]]:
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return data.removeprefix(mark if marked == "utf-8" else b"").decode(marked, "replace"), ()
    head = data[:65536]
    if (wide := _wide(head)) is not None:
        return data.decode(wide, "replace"), (f"read as {wide.upper()}, which it does not say",)
    if b"\0" in head or len(head.translate(None, _PRINTED)) > 0.02 * len(head):
        raise BadInput(f"{name!r} is a binary file, whatever its name says.")
    said = [(known_encoding(label), label, by) for label, by in ((encoding, "given"), (declared, "declared")) if label]
    unicode = _strictly(data, "utf-8")
    if unicode is not None and (data.isascii() or not any(by == "given" for _, _, by in said)):
        wrong = [f"{by} as {label}, but it is UTF-8" for known, label, by in said if known not in ("utf-8", None)]
        stateful = [
            text for known, _, _ in said if known in ("iso2022_jp", "hz", "utf-7") and (text := _strictly(data, known))
        ]
        return stateful[0] if stateful else unicode, () if data.isascii() or stateful else tuple(wrong)
    for known, _, _ in said:
        if known is not None and (text := _strictly(data, known)) is not None:
            return text, ()
    text, reading = _guessed(data) if unicode is None else (unicode, "read as UTF-8")
    wrong = [f"{by} as {label}, which it is not" for _, label, by in said]
    remedy = "" if encoding else "; give --encoding where that is wrong"
    return text, (f"{', '.join(wrong) or 'not UTF-8'}: {reading}{remedy}",)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: in texts that are mostly ASCII every other byte is 0."""
    half = max(1, len(head) // 2)
    first, second = head[0::2].count(0) / half, head[1::2].count(0) / half
    if len(head) >= 8 and max(first, second) > 0.6 and min(first, second) < 0.02:
        return "utf-16-le" if second > first else "utf-16-be"
    return None


def _guessed(data: bytes) -> tuple[str, str]:
    """Text that is in no encoding that it should be in: UTF-8 with a few lines in another one, or another one as a whole."""
    lines = data.split(b"\n")
    broken = [place for place, line in enumerate(lines) if _strictly(line, "utf-8") is None]
    if any(not line.isascii() and place not in set(broken) for place, line in enumerate(lines)):
        text = "\n".join(
            line if (line := _strictly(raw, "utf-8")) is not None else raw.decode("cp1252", "replace") for raw in lines
        )
        return text, f"{len(broken)} lines are not UTF-8 and were read as Windows-1252, the first is {broken[0] + 1}"
    encoding = _latin(data[:200_000]) or _detected(data[:200_000])
    return data.decode(encoding, "replace"), f"read as {encoding}"


def _latin(data: bytes) -> str | None:
    """The encoding in which the letters beyond ASCII, few as they are in Latin script, are those of one language, or else of several."""
    several = None
    for encoding, alphabets in _ALPHABETS.items():
        text = _strictly(data, encoding)
        if text is None or _WITHIN.search(text):
            continue
        beyond = [letter.lower()[0] for letter in text if not letter.isascii() and letter not in _SIGNS]
        letters = {letter for letter in beyond if not letter.isascii()}
        if len(beyond) > sum(letter.isascii() and letter.isalpha() for letter in text):
            continue
        if any(letters <= set(alphabet) for alphabet in alphabets):
            return encoding
        if several is None and letters <= set("".join(alphabets)):
            several = encoding
    return several


def _detected(data: bytes) -> str:
    import charset_normalizer

    best = charset_normalizer.from_bytes(data).best()
    return _ALIASES.get(best.encoding.replace("_", "-"), best.encoding) if best is not None else "cp1252"
