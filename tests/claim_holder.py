"""Processes that claim, to be killed and stopped; imported by these processes, so it is no test module.

`hold STORE NAME`: claims a name, says so, and keeps it. `count STORE FILE TIMES`: adds one to the number in a file, each time under a claim.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from inloop.runtime.store import Claims


async def hold(claims: Claims, name: str) -> None:
    await claims.join("a run")
    print(await claims.take(name), claims.owner.owner, flush=True)
    time.sleep(600)


async def count(claims: Claims, file: Path, times: int) -> None:
    for _ in range(times):
        while not await claims.take("the number"):
            await asyncio.sleep(0)
        number = int(file.read_text(encoding="ascii"))
        os.sched_yield()
        file.write_text(str(number + 1), encoding="ascii")
        await claims.release("the number")


if __name__ == "__main__":
    what, store, given, *times = sys.argv[1:]
    with Claims(store if "://" in store else Path(store)) as mine:
        asyncio.run(hold(mine, given) if what == "hold" else count(mine, Path(given), int(times[0])))
