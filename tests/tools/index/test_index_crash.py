"""LanceDB under a kill -9 in the middle of a write, and under two writers."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from index_killed import SIZE, batch

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.tools.index.conformance.checks import LetterEmbedder
from inloop.tools.index.lancedb import LanceIndex
from inloop.tools.index.open import open_index

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("Stemmer", reason="the extra rag is not installed: pip install 'inloop[rag]'")

SCRIPT = Path(__file__).parents[2] / "index_killed.py"


def writer(url, job, start):
    child = subprocess.Popen(
        [sys.executable, str(SCRIPT), url, job, str(start)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    return child


def kill_amid(child, after, delay):
    """The last step that was acknowledged before a SIGKILL, `delay` seconds into the step after number `after`."""
    last = None
    for line in child.stdout:
        last = int(line.split()[1])
        if last >= after:
            break
    time.sleep(delay)
    child.kill()
    for line in child.stdout:  # acknowledged before the kill reached it
        last = int(line.split()[1])
    child.wait()
    return last


async def whole(url):
    """The ids in the index, each once; every way of searching works, and so does the next write."""
    index = await open_index(url, text=LetterEmbedder())
    ids = [passage.id async for passage in index.iterate()]
    assert len(ids) == len(set(ids)) == await index.count()
    for mode in ("dense", "bm25", "hybrid"):
        [hits] = await index.search(["apples"], k=5, mode=mode)
        assert len(hits) == 5 and len({hit.passage.id for hit in hits}) == 5
    probe = Passage(id="probe", document="probe", text="a probe")
    await index.upsert([probe])
    assert await index.get(["probe"]) == [probe] and await index.delete(["probe"]) == 1
    await index.close()
    return set(ids)


@pytest.mark.slow
@pytest.mark.parametrize("job", ["upsert", "optimise"])
async def test_killed_while_it_puts_in(job, tmp_path):
    url, rng, start = f"lancedb://{tmp_path}/index", random.Random(job), 0
    for _ in range(4):
        last = kill_amid(writer(url, job, start), start + 2, rng.uniform(0, 0.15))
        ids = await whole(url)
        acknowledged = {p.id for number in range(last + 1) for p in batch(number)}
        unacknowledged = {p.id for p in batch(last + 1)} - acknowledged
        assert acknowledged <= ids, "nothing acknowledged is lost"
        assert ids - acknowledged in (set(), unacknowledged), "a write is whole or not there"
        start = last + 1


@pytest.mark.slow
async def test_killed_while_it_deletes(tmp_path):
    url, rng, start = f"lancedb://{tmp_path}/index", random.Random(0), 0
    index = await open_index(url, text=LetterEmbedder())
    everything = [passage for number in range(0, 60, 2) for passage in batch(number)]
    await index.upsert(everything)
    await index.close()
    for _ in range(4):
        last = kill_amid(writer(url, "delete", start), start + 2, rng.uniform(0, 0.05))
        ids = await whole(url)
        gone = {p.id for number in range(last + 1) for p in batch(number)[: SIZE // 2]}
        doubtful = {p.id for p in batch(last + 1)[: SIZE // 2]}
        assert not gone & ids, "what was deleted stays deleted"
        left = {p.id for p in everything} - gone
        assert ids in (left, left - doubtful), "a delete is whole or not there"
        start = last + 1


@pytest.mark.slow
async def test_two_processes_that_write_at_once(tmp_path):
    url = f"lancedb://{tmp_path}/index"
    first, second = writer(url, "upsert", 0), writer(url, "upsert", 3)  # their batches overlap
    ends = [kill_amid(first, 8, 0), kill_amid(second, 12, 0)]
    ids = await whole(url)
    wanted = {p.id for number in range(ends[0] + 1) for p in batch(number)}
    wanted |= {p.id for number in range(3, ends[1] + 1) for p in batch(number)}
    assert wanted <= ids


async def test_a_second_writer_waits_or_is_told_who_writes(tmp_path):
    first = LanceIndex("lancedb:x", tmp_path / "index", text=LetterEmbedder())
    second = LanceIndex("lancedb:x", tmp_path / "index", text=LetterEmbedder(), patience=0.1)
    await first.upsert([Passage(id="1", document="d", text="one")])
    async with first._writing():
        with pytest.raises(PrerequisiteError, match=r"process \d+ on .* is writing to the index"):
            await second.upsert([Passage(id="2", document="d", text="two")])
        with pytest.raises(PrerequisiteError, match="is writing"):
            await second.delete(["1"])
        assert await second.count() == 1, "reading waits for nobody"
    patient = LanceIndex("lancedb:x", tmp_path / "index", text=LetterEmbedder())
    async with first._writing():
        waiting = asyncio.create_task(patient.upsert([Passage(id="2", document="d", text="two")]))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting
    assert await second.count() == 2 and await first.count() == 2
    for index in (first, second, patient):
        await index.close()


async def test_a_reader_sees_what_another_process_made(tmp_path):
    reader = await open_index(f"lancedb://{tmp_path}/index", text=LetterEmbedder())
    assert await reader.search(["one"]) == [[]] and await reader.count() == 0
    writer_ = await open_index(f"lancedb://{tmp_path}/index", text=LetterEmbedder())
    await writer_.upsert([Passage(id="1", document="d", text="one")])
    [hits] = await reader.search(["one"])
    assert [hit.passage.id for hit in hits] == ["1"] and await reader.count() == 1
    for index in (reader, writer_):
        await index.close()


async def test_a_broken_folder_is_told(tmp_path):
    index = await open_index(f"lancedb://{tmp_path}/index", text=LetterEmbedder())
    await index.upsert([Passage(id="1", document="d", text="one")])
    await index.close()
    for path in (tmp_path / "index" / "passages.lance" / "_versions").iterdir():
        path.write_bytes(b"broken")
    index = await open_index(f"lancedb://{tmp_path}/index", text=LetterEmbedder())
    with pytest.raises(PrerequisiteError, match="LanceDB cannot work on"):
        await index.count()
    await index.close()
    (tmp_path / "index" / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(PrerequisiteError, match=r"manifest\.json cannot be read"):
        await open_index(f"lancedb://{tmp_path}/index")
