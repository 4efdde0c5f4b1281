"""A process that writes to an index and says what was acknowledged, to be killed at any moment.

`python index_killed.py URL JOB START`: JOB is upsert, delete or optimise; a line `done N` follows each finished step.
"""

import asyncio
import sys

from inloop.runtime.passages import Passage
from inloop.tools.index.conformance.checks import LetterEmbedder
from inloop.tools.index.open import open_index

SIZE = 200


def batch(number):
    """The passages of step `number`; half of them come again in the next step, with the same words."""
    places = range(number * SIZE // 2, number * SIZE // 2 + SIZE)
    return [Passage(id=f"p{n:06}", document=f"d{n // 50}", text=f"passage {n} about apples " * 20) for n in places]


async def main(url, job, start):
    index = await open_index(url, text=LetterEmbedder())
    print("ready", flush=True)
    for number in range(start, start + 10_000):
        if job == "delete":
            await index.delete([passage.id for passage in batch(number)[: SIZE // 2]])
        else:
            await index.upsert(batch(number))
        if job == "optimise":
            await index.optimise()
        print(f"done {number}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
