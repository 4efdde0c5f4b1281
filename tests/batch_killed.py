"""`python batch_killed.py URL STORE N`: asks N questions through batches; to be killed."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from inloop.runtime.llm.batch_book import BatchBook
from inloop.runtime.llm.batch_places import BatchApi
from inloop.runtime.llm.batches import BatchSender
from inloop.runtime.llm.chat import OpenAIChat
from inloop.runtime.records import Message
from inloop.runtime.store import Store


async def ask(url: str, folder: Path, count: int) -> None:
    with Store(folder, "run") as store:
        sender = BatchSender(
            url, model="m", place=partial(BatchApi, url), book=BatchBook(store.location.tables("batches")), gather=0.3,
            poll=(0.02, 0.05),
        )  # fmt: skip
        async with OpenAIChat(sender, store=store) as chat:
            asked = [
                chat.complete([Message(role="user", content=f"question {place}")], seed=1) for place in range(count)
            ]
            for reply in await asyncio.gather(*asked):
                print(reply.text, flush=True)


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
