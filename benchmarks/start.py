"""How long the command takes to say anything."""

from __future__ import annotations

import subprocess
import sys

from .figures import Figure, Options, seconds

__all__ = ["measure"]


def measure(options: Options) -> list[Figure]:
    """Seconds of `inloop --help`, as a process of its own."""
    command = [sys.executable, "-m", "inloop.app.cli.main", "--help"]

    def help_text() -> None:
        subprocess.run(command, capture_output=True, check=True)

    help_text()
    return [Figure.of("inloop --help", [seconds(help_text) for _ in range(max(5, options.repeats))], "s")]
