"""Which file system a folder is on: SQLite's write-ahead log needs memory that all its processes share, which those of several machines do not."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["network_file_system"]

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|lustre|gpfs|beegfs|ceph|glusterfs|afs|9p|virtiofs|orangefs|ocfs2|gfs2|wekafs|panfs"
    r"|fuse\.(?!fuse-overlayfs|mergerfs|bindfs).+"
)
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(folder: Path, mounts: Path = _MOUNTS) -> str:
    """The kind of network file system that `folder` (or what of its path there is) lies on, such as "nfs4"; "" for a local one, or where nobody tells.

    `mounts`: Linux's table of them; other systems have none.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place, found = folder.resolve(), (Path("/"), "")
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        at = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        if place.is_relative_to(at) and len(at.parts) >= len(
            found[0].parts
        ):  # of two at one place, the later one hides the other
            found = (at, kind)
    return found[1] if _NETWORK.fullmatch(found[1]) else ""
