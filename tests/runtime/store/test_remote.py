"""Blobs in a bucket of a real S3 server on loopback: whole or absent, checked, cached within bounds, told where they cannot be had."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store import BlobStore, Store, StoreLocation
from inloop.runtime.store.remote import RemoteBlobs, blob_place


def opened(url: str, cache: Path, limit: int = 10**9) -> RemoteBlobs:
    blobs = RemoteBlobs(url, cache=cache, limit=limit)
    blobs.prepare()
    return blobs


def objects(url: str) -> dict[str, bytes]:
    """Every blob in the bucket by its sha256, read past inloop."""
    import fsspec

    files, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    found = {name: files.cat_file(name) for name in files.find(root) if not name.endswith("inloop.json")}
    return {"".join(name.split("/")[-2:]): data for name, data in found.items()}


def copies(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


@pytest.fixture(params=["s3", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("bucket") if request.param == "s3" else f"memory://t{os.urandom(6).hex()}"


def test_round_trip_on_two_machines(url: str, tmp_path: Path) -> None:
    here, there = opened(url, tmp_path / "here"), opened(url, tmp_path / "there")
    ref = here.put(b"some bytes", "text/plain")
    assert (ref.media_type, ref.bytes) == ("text/plain", 10)
    assert there.has(ref) and there.has(ref.sha256) and not there.has("0" * 64)
    assert there.get(ref) == there.get(ref.sha256) == b"some bytes"
    assert there.put(b"some bytes", "text/plain") == ref
    assert there.get(here.put(b"", "text/plain")) == b""
    image = Image.effect_noise((17, 9), 90).convert("RGB")
    assert there.get_image(here.put_image(image)).tobytes() == image.tobytes()
    assert {sha: hashlib.sha256(data).hexdigest() for sha, data in objects(url).items()} == {s: s for s in objects(url)}
    assert here.place == url


def test_a_bucket_and_a_folder_are_laid_out_alike(bucket: str, tmp_path: Path) -> None:
    import fsspec

    ref = BlobStore(tmp_path / "blobs").put(b"in a folder", "text/plain")
    fsspec.filesystem("s3").put(f"{tmp_path}/blobs/{ref.sha256[:2]}", f"{bucket}/", recursive=True)
    assert opened(bucket, tmp_path / "cache").get(ref) == b"in a folder"


def test_what_was_read_is_not_fetched_again_and_a_damaged_copy_is(bucket: str, tmp_path: Path) -> None:
    blobs = opened(bucket, tmp_path / "one")
    ref = blobs.put(b"0123456789", "text/plain")
    other = opened(bucket, tmp_path / "other")
    path = other.path(ref)
    assert path.read_bytes() == b"0123456789" and other.passing(path) == ref.sha256
    other._files[0].rm_file(other._name(ref.sha256))
    assert other.get(ref) == b"0123456789"  # from the copy
    blobs.put(b"0123456789", "text/plain")  # which does not trust its copy to tell what is in the bucket
    path.write_bytes(b"0123456780")
    assert other.get(ref) == b"0123456789" and path.read_bytes() == b"0123456789"
    path.unlink()
    blobs._files[0].pipe_file(blobs._name(ref.sha256), b"another thing")
    with pytest.raises(PrerequisiteError, match=rf"{bucket}.* was altered"):
        other.get(ref)
    blobs._files[0].rm_file(blobs._name(ref.sha256))
    with pytest.raises(PrerequisiteError, match=r"not in the store[\s\S]*made anew"):
        other.get(ref)
    assert not other.path(ref).exists()
    with pytest.raises(BadInput, match="is not a sha256"):
        other.get("../../etc/passwd")


def test_the_copies_stay_within_their_bound_and_the_latest_used_stay(bucket: str, tmp_path: Path) -> None:
    blobs = opened(bucket, tmp_path, limit=10_000)
    refs = [blobs.put(os.urandom(1000), "image/png") for _ in range(9)]
    for ref in refs:
        os.utime(blobs.path(ref), (time.time() - 1000, time.time() - 1000))
    blobs.get(refs[0])
    more = [blobs.put(os.urandom(1000), "image/png") for _ in range(5)]
    assert sum(path.stat().st_size for path in copies(tmp_path)) <= 10_000
    held = {path.parent.name + path.name for path in copies(tmp_path)}
    assert {refs[0].sha256, *(ref.sha256 for ref in more)} <= held
    assert all(len(blobs.get(ref)) == 1000 for ref in refs)  # whatever went is fetched again


def test_a_cache_that_cannot_be_written_is_done_without(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    blobs = opened(bucket, tmp_path / "cache")
    ref = blobs.put(b"bytes", "text/plain")
    assert blobs.get(ref) == b"bytes"
    with pytest.raises(PrerequisiteError, match="cannot be read or written"):
        blobs.path(ref)


def test_many_threads_put_the_same(bucket: str, tmp_path: Path) -> None:
    blobs = opened(bucket, tmp_path)
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(lambda n: blobs.put(b"%d" % (n % 5), "text/plain"), range(60)))
    assert len({ref.sha256 for ref in refs}) == 5 and set(objects(bucket)) == {ref.sha256 for ref in refs}


WORKER = """
import asyncio, os, sys
from inloop.runtime.records import BlobRef, Cost
from inloop.runtime.store import Call, Store, StoreLocation

database, blobs, cache, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
os.environ["XDG_CACHE_HOME"] = cache

async def main():
    with Store(database, run_id="r", blobs=blobs) as store:
        for n in range(count):
            async def compute():
                ref = await asyncio.to_thread(store.blobs.put, b"%d " % n * 20000, "image/png")
                return ref.model_dump(), Cost(calls=1, images=1)
            call = Call(kind="image", model="m", revision="r", params={}, inputs=n)
            value, _ = await store.ledger.once(call, compute, usable=lambda value: store.blobs.has(value["sha256"]))
            print(value["sha256"], flush=True)

asyncio.run(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("place", ["folder", "server"])
def test_killed_at_any_time_what_the_ledger_names_is_in_the_bucket(
    place: str, bucket: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = str(tmp_path / "store") if place == "folder" else request.getfixturevalue("postgres_store")
    count, told = 40, 0
    for number in range(6):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, database, bucket, str(tmp_path / f"cache{number}"), str(count)],
            stdout=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        assert worker.stdout is not None
        for _ in range(told + 6):
            worker.stdout.readline()
        time.sleep(0.003 * number)  # at whatever it does then
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        assert worker.returncode == -signal.SIGKILL
        told += 6
    last = [sys.executable, "-c", WORKER, database, bucket, str(tmp_path / "last"), str(count)]
    shas = subprocess.run(
        last, capture_output=True, text=True, encoding="utf-8", check=True, timeout=120
    ).stdout.split()
    there = objects(bucket)
    assert len(set(shas)) == count and set(shas) <= set(there)
    assert all(hashlib.sha256(data).hexdigest() == sha for sha, data in there.items())
    with Store(database, blobs=bucket) as store:
        assert store.ledger.paid_twice() == []
        assert store.ledger._rows.select("SELECT COUNT(*) FROM results") == [(count,)]
        assert store.ledger.spent("r").images >= count


def test_what_is_wrong_is_told_with_its_remedy(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PrerequisiteError, match=r"s3://no-such-bucket/x have no bucket[\s\S]*make the bucket"):
        opened("s3://no-such-bucket/x", tmp_path)
    with pytest.raises(PrerequisiteError, match="have no bucket"):
        Store(tmp_path / "store", blobs="s3://no-such-bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    script = (
        "import sys; from pathlib import Path; from inloop.runtime.store.remote import RemoteBlobs;"
        " RemoteBlobs(sys.argv[1], cache=Path(sys.argv[2]), limit=1).prepare()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, bucket, str(tmp_path)], capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, "AWS_MAX_ATTEMPTS": "1"},
    )  # fmt: skip
    assert "cannot be reached" in done.stderr and "check the network" in done.stderr
    assert "test-secret" not in done.stderr
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    bare |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script, bucket, str(tmp_path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=bare,
    )
    assert "do not take our key" in done.stderr and "AWS_ACCESS_KEY_ID" in done.stderr


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("s3://ada:geheim@bucket/x", "AWS_ACCESS_KEY_ID"),
        ("https://host/x", "no place for blobs"),
        ("s3://", "names no bucket"),
        ("s3://bucket/x?endpoint=y", "has options"),
        ("gs://bucket/x?token=geheim", "GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_urls_that_are_refused(given: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=why) as told:
        StoreLocation.of(tmp_path, given)
    assert "geheim" not in str(told.value)


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    assert blob_place(f"file://{tmp_path}/blobs") == tmp_path / "blobs"
    assert isinstance(StoreLocation.of(tmp_path, f"file://{tmp_path}/blobs").open_blobs(), BlobStore)
