"""Running pip, the ordinary client of the package registry: with its progress, and with its own reason when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["PipFailed", "pip"]


class PipFailed(Exception):
    """pip ended with an error; the message is the reason that it gave."""


def pip(
    arguments: Sequence[str],
    *,
    python: Path | None = None,
    temporary: Path | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Run `pip ARGUMENTS` and wait.

    Args:
        arguments: the sub-command and its options.
        python: act on the environment of this Python instead of our own.
        temporary: pip's temporary folder; on the disk of the target, a finished file is renamed and never half there.
        tell: called with the bytes done and in all of the file that is being downloaded.

    Raises:
        PipFailed: pip's last error line.
    """
    command = [sys.executable, "-m", "pip", *(["--python", str(python)] if python else [])]
    command += [*arguments, "--no-input", "--disable-pip-version-check"]
    environment = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    said: list[str] = []
    # pip before 24.1 has no "raw"; what installs from local files has no bar at all
    for bar in ("raw", "off"):
        said.clear()
        with subprocess.Popen(
            [*command, "--progress-bar", bar],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
        ) as running:
            assert running.stdout is not None
            try:
                for line in running.stdout:
                    words = line.split()
                    if len(words) == 4 and words[0] == "Progress" and words[1].isdigit() and words[3].isdigit():
                        tell(int(words[1]), int(words[3]))
                    elif line.strip():
                        said.append(line.strip())
            except BaseException:
                running.kill()
                raise
        if running.returncode == 0:
            return
        if not any("invalid choice: 'raw'" in line for line in said):
            break
    raise PipFailed(
        next((line for line in reversed(said) if line.startswith("ERROR")), said[-1] if said else "no output")
    )
