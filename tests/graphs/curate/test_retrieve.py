"""What is wanted: in the folder itself, in a pool of pictures, in an index; and a number of pictures drawn evenly."""

import csv
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from curated import ColorClip, go
from PIL import Image

from inloop.graphs.curate import curate, read_rows, undone
from inloop.graphs.curate.balance import drawn_evenly
from inloop.graphs.curate.decisions import Decisions
from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings

COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache")


def picture(color, seed):
    """A ground of one colour and something that is different on each."""
    image = Image.new("RGB", (72, 72), COLORS[color])
    rng = np.random.default_rng(seed)
    spot = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((30, 30), Image.Resampling.BICUBIC)
    image.paste(spot, (int(rng.integers(42)), int(rng.integers(42))))
    return image


def fill(folder, colors, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number, color in enumerate(colors, start=first):
        picture(color, number).save(folder / f"{color} {number:03}.png")
    return folder


def clean(folder, settings, **options):
    return curate(folder, settings=settings, models={"clip": ColorClip}, **{"threshold": 0.97, **options})


def rows_of(result):
    return {row.id: row for row in read_rows(result.blobs(), result.tasks[0])}


@pytest.fixture
def own(tmp_path):
    return fill(tmp_path / "own", ["red"] * 6)


@pytest.fixture
def pool(tmp_path, own):
    """Ten of each colour, one of them the same bytes as one of the folder's own."""
    folder = fill(tmp_path / "pool", ["red", "green", "blue"] * 10, first=100)
    (folder / "again.png").write_bytes((own / "red 000.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def test_what_a_pool_has_like_the_folder_joins_it_and_copies_of_its_pictures_do_not(own, pool, settings, tmp_path):
    to = tmp_path / "clean"
    test = fill(tmp_path / "test", [])
    (test / "leak.png").write_bytes((pool / "red 100.png").read_bytes())
    result = clean(own, settings, pool=pool, test=test, to=to)
    rows, found = rows_of(result), result.tasks[0].retrieval
    assert all(rows[f"red {number:03}.png"].kept for number in range(6))
    joined = {id: row for id, row in rows.items() if id.startswith("pool/")}
    assert rows.keys() - joined.keys() == {f"red {number:03}.png" for number in range(6)}
    assert all(id.startswith("pool/red") or id == "pool/again.png" for id in joined)
    assert joined["pool/again.png"].reason == "same bytes" and joined["pool/again.png"].copy_of == "red 000.png"
    assert joined["pool/red 100.png"].reason == "leak"
    assert all(row.like in rows and row.likeness > 0.5 for row in joined.values())
    assert (found.of, found.found, found.stay) == (32, len(joined), sum(row.kept for row in joined.values()))
    assert found.stay >= 5 and any("1 pictures of the pool cannot be read" in note for note in result.notes)
    links = [path for path in (to / "pictures" / "pool").iterdir() if path.is_symlink()]
    assert {path.name for path in links} == {id.removeprefix("pool/") for id, row in joined.items() if row.kept}
    assert all(path.resolve() == pool / path.name for path in links)
    with (to / "table.csv").open(encoding="utf-8", newline="") as table:
        told = {row["picture"]: row for row in csv.DictReader(table)}
    assert {told[f"pool/{link.name}"]["file"] for link in links} == {str(pool / link.name) for link in links}
    assert told["red 001.png"]["file"] == ""
    undone(to)
    assert not to.exists() and len(list(pool.iterdir())) == 32


def test_killed_while_it_reads_the_pool_it_goes_on_there(own, pool, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    runs, log, to = tmp_path / "runs", tmp_path / "log", tmp_path / "clean"
    process = spawn.Process(target=go, args=(str(runs), str(own), str(to), str(log), 0.05, "", str(pool)))
    process.start()
    while process.is_alive() and (not log.exists() or len(log.read_text().splitlines()) < 10):
        time.sleep(0.01)  # the six of the folder are embedded, and some of the pool
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = log.read_text().splitlines()
    [run] = runs.glob("curate-*")
    log.unlink()
    process = spawn.Process(target=go, args=(str(runs), str(own), str(to), str(log), 0.0, str(run)))
    process.start()
    process.join()
    assert process.exitcode == 0 and len(list((to / "pictures" / "pool").iterdir())) >= 5
    again = log.read_text().splitlines()
    assert again[:31].count(before[0]) == 1  # of the folder's own, the one that the pool has as well
    assert not set(before[1:6]) & set(again)


def test_a_pool_that_has_nothing_new_is_no_alarm(own, settings, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    for path in own.iterdir():
        (again / path.name).write_bytes(path.read_bytes())
    result = clean(own, settings, pool=again)
    assert result.tasks[0].retrieval.found >= 4 and result.tasks[0].retrieval.stay == 0
    assert result.tasks[0].audit.alarms == () and result.tasks[0].kept == 6


def test_a_budget_stops_in_the_pool_with_nothing_removed(own, settings, tmp_path):
    large = fill(tmp_path / "large", ["red", "blue"] * 35, first=200)
    result = curate(own, pool=large, copies="exact", settings=settings.model_copy(update={"device": "cpu"}), budget="calls=20")  # fmt: skip
    assert result.tasks == () and "calls" in result.stopped
    assert 20 <= result.calls["embedding"]["paid"] < 76  # the batch under way is ended, and the next is not begun


def test_queries_find_the_nearest_of_the_pool_by_words(own, pool, settings):
    result = clean(own, settings, pool=pool, query="a green thing; a blue thing", each=4)
    rows = rows_of(result)
    found = {name: [id for id, row in rows.items() if row.like == name] for name in ("a green thing", "a blue thing")}
    assert all(len(ids) == 4 for ids in found.values())
    assert all(id.startswith(f"pool/{name.split()[1]}") for name, ids in found.items() for id in ids)
    assert [(each.name, each.found) for each in result.tasks[0].retrieval.sought] == [("a blue thing", 4), ("a green thing", 4)]  # fmt: skip


def test_examples_find_whole_clusters_of_the_pool(own, pool, settings, tmp_path):
    like = fill(tmp_path / "like", ["blue"] * 12, first=500)
    rows = rows_of(clean(own, settings, pool=pool, like=like))
    joined = [id for id in rows if id.startswith("pool/")]
    assert len(joined) >= 8 and all(id.startswith("pool/blue") for id in joined)


def test_the_nearest_of_a_query_find_whole_clusters(own, pool, settings):
    rows = rows_of(clean(own, settings, pool=pool, query="a blue thing", by="clusters", each=6))
    joined = [id for id in rows if id.startswith("pool/")]
    assert len(joined) >= 7 and all(id.startswith("pool/blue") for id in joined)


def test_without_a_pool_what_is_like_no_query_goes(pool, settings):
    (pool / "broken.png").unlink()
    rows = rows_of(clean(pool, settings, query="a green thing", each=5))
    assert [id[:5] for id, row in rows.items() if row.kept] == ["green"] * 5
    assert rows["red 100.png"].reason == "unlike" and "five" not in rows["red 100.png"].why
    assert "not among the 5 nearest of a query" in rows["red 100.png"].why


async def indexed(folder, url, settings, clip):
    from inloop.runtime.session import Session
    from inloop.tools.index import ingest, open_index

    async with Session.aside(settings, "index") as session:
        index = await open_index(url, image=clip(session.store))
        await ingest(folder, index, blobs=session.store.blobs)
        await index.close()


async def test_the_pool_may_be_an_index_by_its_url(own, pool, settings, tmp_path):
    pytest.importorskip("lancedb", reason="lancedb: pip install 'inloop[rag]'")
    url = f"lancedb://{tmp_path / 'index'}"
    await indexed(pool, url, settings, ColorClip)
    (pool / "red 103.png").unlink()  # what is gone is taken from the store
    given = {"settings": settings, "models": {"clip": ColorClip}, "threshold": 0.97}
    result = await curate.run(own, pool=url, query="a blue thing", each=3, **given)
    rows = rows_of(result)
    assert [id[:14] for id in rows if id.startswith("pool/")] == ["pool/pool/blue"] * 3
    result = await curate.run(own, pool=url, each=4, **given)
    joined = {id: row for id, row in rows_of(result).items() if id.startswith("pool/")}
    assert len(joined) >= 5 and all(id[:13] in ("pool/pool/red", "pool/pool/aga") for id in joined)
    assert joined["pool/pool/again.png"].reason == "same bytes"

    class Other(ColorClip):
        model = "others"

    with pytest.raises(BadInput, match="colors"):
        await curate.run(own, pool=url, **{**given, "models": {"clip": Other}})
    with pytest.raises(BadInput, match="there is no index at"):
        await curate.run(own, pool=f"lancedb://{tmp_path / 'nothing'}", **given)


def test_a_number_of_pictures_is_drawn_evenly_over_kinds(settings, tmp_path):
    folder = fill(tmp_path / "all", ["red"] * 40 + ["green"] * 12 + ["blue"] * 8)
    result = clean(folder, settings, balance=18)
    rows = rows_of(result)
    counts = {color: sum(row.kept for id, row in rows.items() if id.startswith(color)) for color in COLORS}
    assert sum(counts.values()) == 18 == result.tasks[0].kept
    assert counts["blue"] >= 4 and counts["red"] <= 9  # of a draw of 18, blue would have two or three and red twelve
    balance = result.tasks[0].balance
    assert sum(each.before for each in balance.clusters) == 60 and sum(each.after for each in balance.clusters) == 18
    assert {row.reason for row in rows.values()} == {"", "balance"}
    assert clean(folder, settings, balance=100).tasks[0].kept == 60


def test_what_a_person_keeps_is_drawn_first(tmp_path):
    from inloop.runtime.store import Store
    from inloop.tools.curation import look_at

    folder = fill(tmp_path / "all", ["red"] * 20 + ["blue"] * 4)
    blobs = Store(tmp_path / "store").blobs
    looks = [look_at(folder, path.name, blobs) for path in sorted(folder.iterdir())]
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((24, 8)).astype(np.float32)
    for wanted, held, left in ((6, {1, 2, 3}, 6), (2, {1, 2, 3}, 3), (24, {1}, 24)):
        decisions = Decisions(looks, held)
        drawn_evenly(decisions, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), wanted, 0)
        assert len(decisions.staying) == left and held <= set(decisions.staying)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "samples"}, "give --like, --query or --pool"),
        ({"each": 3}, "give --like, --query or --pool"),
        ({"query": " ; "}, "holds no words"),
        ({"pool": "nothing"}, "is no folder"),
        ({"pool": "lancedb:///./x", "by": "clusters"}, "an index is searched"),
        ({"like": "own", "by": "clusters", "each": 3}, "leave one of them out"),
    ],
)
def test_bad_input_says_what_to_give(own, settings, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message):
        clean(own, settings, **options)
