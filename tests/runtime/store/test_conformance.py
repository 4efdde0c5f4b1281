"""Every kind of store against the conformance suite: SQLite and real PostgreSQL, a folder and a bucket of a real S3 server."""

from dataclasses import replace

import pytest

from inloop.runtime.storage import SqliteDatabase
from inloop.runtime.store import BlobStore, StoreLocation
from inloop.runtime.store.conformance import CHECKS


@pytest.fixture
def folder(tmp_path):
    return StoreLocation.of(tmp_path / "store")


@pytest.mark.parametrize("check", CHECKS)
async def test_a_folder(check, folder):
    await CHECKS[check](folder)


@pytest.mark.parametrize("check", CHECKS)
async def test_postgres(check, postgres_store, tmp_path):
    await CHECKS[check](StoreLocation.of(postgres_store, tmp_path / "blobs", local=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("check", ["blobs", "processes"])
async def test_a_bucket(check, bucket, tmp_path):
    await CHECKS[check](replace(StoreLocation.of(tmp_path / "store", bucket), cache=tmp_path / "cache"))


@pytest.mark.slow
async def test_postgres_and_a_bucket(postgres_store, bucket, tmp_path):
    at = StoreLocation.of(postgres_store, bucket, local=tmp_path)
    await CHECKS["processes"](replace(at, cache=tmp_path / "cache"))


@pytest.mark.parametrize(
    ("check", "owner", "fault"),
    [
        ("blobs", BlobStore, {"get": lambda self, ref: b"some bytes"}),
        ("blobs", BlobStore, {"listed": lambda self: iter(())}),
        ("database", SqliteDatabase, {"write": lambda self, connection, work: work(connection)}),
        ("votes", SqliteDatabase, {"write": lambda self, connection, work: work(connection)}),
    ],
)
async def test_a_fault_is_found(check, owner, fault, folder, monkeypatch):
    for name, faulty in fault.items():
        monkeypatch.setattr(owner, name, faulty)
    with pytest.raises(AssertionError):
        await CHECKS[check](folder)
