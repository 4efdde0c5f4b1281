"""A key that was planted is in nothing that a run writes, also where a server repeats it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from servers import Handler, completion, serving

PLANTED = "sk-planted-3f9c27d1"


def well(handler: Handler, body: dict[str, object]) -> None:
    assert handler.headers["authorization"] == f"Bearer {PLANTED}"
    handler.json(completion(["two red stars"]))


def refused(status: int):  # type: ignore[no-untyped-def]
    def answer(handler: Handler, body: dict[str, object]) -> None:
        key = handler.headers["authorization"].removeprefix("Bearer ")
        handler.json({"error": {"message": f"Incorrect API key provided: {key}."}}, status)

    return answer


def run(folder: Path, url: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`inloop opt2i` with everything that is written switched on."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("INLOOP_", "OPENAI_"))}
    environment |= {
        "INLOOP_API_KEY": PLANTED, "INLOOP_RUNS_DIR": str(folder / "runs"), "INLOOP_CACHE_DIR": str(folder / "cache"),
        "INLOOP_SPANS": "true", "INLOOP_LOG_LEVEL": "debug", "INLOOP_DEVICE": "cpu", **settings,
    }  # fmt: skip
    command = ["opt2i", "two red stars", "--llm", url, "--iterations", "1", "--candidates", "2", "--heldout-seeds", "1"]
    return subprocess.run(
        [sys.executable, "-m", "inloop.app.cli.main", *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


def holding(folder: Path, secret: str = PLANTED) -> list[Path]:
    """The files that hold it."""
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("status", [200, 401, 400, 500])
def test_no_file_and_no_line_holds_the_key(tmp_path: Path, status: int) -> None:
    with serving() as server:
        server.behaviours = [well] if status == 200 else [refused(status)]
        done = run(tmp_path, f"{server.url}#m")
    assert PLANTED not in done.stdout + done.stderr, done.stderr
    assert len(list((tmp_path / "runs").rglob("*"))) > 5 or status == 401
    assert holding(tmp_path) == []


def test_no_table_of_a_shared_store_holds_the_key(tmp_path: Path, postgres_url: str) -> None:
    import psycopg

    parts = urlsplit(postgres_url)
    password = parts.password or ""
    url = postgres_url.replace(f":{password}@", "@")
    with serving() as server:
        server.behaviours = [well, refused(500)]
        done = run(
            tmp_path, f"{server.url}#m", INLOOP_STORE=url, INLOOP_BLOBS=str(tmp_path / "blobs"), PGPASSWORD=password
        )
    for secret in (PLANTED, password):
        assert secret not in done.stdout + done.stderr and holding(tmp_path, secret) == []
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = [connection.execute(f'SELECT t::text FROM "{schema}"."{name}" t').fetchall() for schema, name in tables]
    told = [text for table in rows for (text,) in table]
    assert any("two red stars" in text for text in told) and not any(
        secret in text for text in told for secret in (PLANTED, password)
    )


def test_neither_a_bucket_nor_its_cache_holds_its_key(tmp_path: Path, bucket: str) -> None:
    import fsspec

    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    with serving() as server:
        server.behaviours = [well]
        done = run(tmp_path, f"{server.url}#m", INLOOP_BLOBS=bucket)
    files, root = fsspec.url_to_fs(bucket, use_listings_cache=False, skip_instance_cache=True)
    objects = [files.cat_file(name) for name in files.find(root)]
    assert len(objects) > 3, done.stderr
    for planted in (PLANTED, secret):
        assert planted not in done.stdout + done.stderr and holding(tmp_path, planted) == []
        assert not any(planted.encode() in data for data in objects)
