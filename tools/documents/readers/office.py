"""What the files of office programs share: packages of XML in a ZIP file, their properties, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ....runtime.errors import BadInput, PrerequisiteError
from ....runtime.passages import Value
from .outline import meta_of

__all__ = ["OFFICE_REMEDY", "damaged", "properties"]

OFFICE_REMEDY = "install the extra: pip install 'inloop[office]'"
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a file of the formats before 2007 begins, and one that is locked with a password."""
_MOST = 1 << 30  # bytes of a package when it is unpacked: more is a bomb


@contextmanager
def damaged(name: str, kind: str, data: bytes) -> Iterator[None]:
    """Whatever a reader of such files raises is a `BadInput` that names the file."""
    import io
    import zipfile

    if data.startswith(_OLD):
        raise BadInput(
            f"the {kind} {name!r} is locked with a password, or of the format before 2007: save it anew without."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            size = sum(entry.file_size for entry in package.infolist())
        if size > _MOST:
            raise BadInput(f"the {kind} {name!r} would be {size / 1e6:.0f} MB when it is unpacked: split it.")
        yield
    except (BadInput, PrerequisiteError):
        raise
    except Exception as error:  # a file that is no such package makes the libraries raise whatever comes up
        raise BadInput(f"the {kind} {name!r} is damaged ({type(error).__name__}: {str(error)[:200]}).") from None


def properties(core: Any) -> tuple[str, dict[str, Value]]:
    """The title of a file, and who wrote it and when."""
    modified = getattr(core, "modified", None)
    author = getattr(core, "author", None) or getattr(core, "creator", None)
    subject = getattr(core, "subject", None)
    meta = {"author": author, "subject": subject, "modified": modified.date().isoformat() if modified else None}
    kept = {} if author in ("python-docx", "openpyxl", "Steve Canny") else {"author": author}
    return str(core.title or ""), meta_of({**meta, "author": None, **kept})
