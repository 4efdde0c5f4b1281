"""A finished run as one file that can be mailed: its folder and the blobs that it shows, in a zip.

The archive is laid out as a folder of runs is (`RUN/result.json`, `.store/blobs/ab/cdef...`), so unpacking it is reading it: any
tool that knows zip will do, into an empty folder or among other runs. Left out are the lock, the checkpoints and the ledger, which
only going on with a run needs. The same run gives the same bytes.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import BadInput, PrerequisiteError
from ..storage import disk_problem
from ..store import BlobStore
from .references import files_of, missing_blobs, shown_blobs
from .run_folder import RunFolder

__all__ = ["pack"]

_WHEN = (1980, 1, 1, 0, 0, 0)


def pack(folder: RunFolder, blobs: BlobStore, to: Path) -> int:
    """Write the archive; how many blobs are in it.

    Raises:
        BadInput: the run has no result yet, or `to` exists.
        PrerequisiteError: a blob that the run shows is not in the store, or the archive cannot be written.
    """
    folder.result()
    if to.exists():
        raise BadInput(f"{str(to)!r} exists: give another name, or remove it.")
    if missing := missing_blobs(folder.path, blobs):
        raise PrerequisiteError(
            f"{len(missing)} of the {len(shown_blobs(folder.path))} blobs of {folder.id!r} are not in the store {blobs.place!r}",
            remedy="name the store that the run was made with (INLOOP_STORE), or pack it on the machine that made it.",
        )
    shown = sorted(shown_blobs(folder.path))
    try:
        with zipfile.ZipFile(to, "x", zipfile.ZIP_DEFLATED) as archive:
            for path in files_of(folder.path):
                inside = (Path(folder.id) / path.relative_to(folder.path)).as_posix()
                archive.writestr(zipfile.ZipInfo(inside, _WHEN), path.read_bytes(), zipfile.ZIP_DEFLATED)
            for sha in shown:
                name = f".store/blobs/{sha[:2]}/{sha[2:]}"
                archive.writestr(zipfile.ZipInfo(name, _WHEN), blobs.get(sha))
    except OSError as error:
        to.unlink(missing_ok=True)
        raise disk_problem(error, to) from error
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return len(shown)
