"""`inloop work` for whoever starts workers: the standard input is the lease, so that no worker outlives the one who started it.

`python -m inloop.app.work.led RUN ...` stops as after SIGTERM when its standard input ends, which it does even after a SIGKILL of who holds the other end.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

__all__: list[str] = []


def _end_with_input() -> None:
    while os.read(0, 1024):  # not by sys.stdin, whose lock would be in the way of the end of Python
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, name="lease", daemon=True).start()
    sys.argv[1:1] = ["work"]
    runpy.run_module("inloop.app.cli.main", run_name="__main__", alter_sys=True)
