"""The blob store on real files, a full disk, a folder without rights, and damaged files."""

import errno
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store.blobs import BlobStore


def test_round_trip_and_layout(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    ref = blobs.put(b"some bytes", "text/plain")
    assert (ref.media_type, ref.bytes) == ("text/plain", 10)
    assert blobs.path(ref) == tmp_path / "blobs" / ref.sha256[:2] / ref.sha256[2:]
    assert blobs.get(ref) == blobs.get(ref.sha256) == b"some bytes"
    assert blobs.has(ref) and blobs.has(ref.sha256)
    assert blobs.put(b"some bytes", "text/plain") == ref
    assert blobs.get(blobs.put(b"", "text/plain")) == b""
    assert not list((tmp_path / "blobs" / ".tmp").iterdir())


def test_image_keeps_its_pixels(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    image = Image.effect_noise((17, 9), 90).convert("RGB")
    ref = blobs.put_image(image)
    assert ref.media_type == "image/png"
    assert blobs.get_image(ref).tobytes() == image.tobytes()
    assert blobs.put_image(image.copy()) == ref
    with pytest.raises(PrerequisiteError, match="cannot be read as an image"):
        blobs.get_image(blobs.put(b"not a picture", "image/png"))


def test_missing_and_altered_blobs_are_told(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    ref = blobs.put(b"0123456789", "text/plain")
    blobs.path(ref).write_bytes(b"0123456780")
    with pytest.raises(PrerequisiteError, match="was altered"):
        blobs.get(ref)
    blobs.path(ref).write_bytes(b"012")  # cut short: the next put mends it
    assert not blobs.has(ref)
    assert blobs.get(blobs.put(b"0123456789", "text/plain")) == b"0123456789"
    blobs.path(ref).unlink()
    with pytest.raises(PrerequisiteError, match="does not exist"):
        blobs.get(ref)
    with pytest.raises(BadInput, match=r"'../../etc/passwd' is not a sha256"):
        blobs.get("../../etc/passwd")


def test_full_disk_leaves_no_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = BlobStore(tmp_path)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(PrerequisiteError, match="the disk is full"):
            blobs.put(b"x" * 1000, "text/plain")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"x" * 1000, "text/plain")) == b"x" * 1000


@pytest.mark.skipif(os.name == "nt", reason="POSIX rights")
def test_folder_without_rights() -> None:
    # not tmp_path: its parents are closed to the user that a test run as root changes to
    locked = Path(tempfile.mkdtemp(prefix="inloop-locked-"))
    locked.chmod(0o555)
    script = f"""
import os, sys
from pathlib import Path
from inloop.runtime.store.blobs import BlobStore
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.store.ledger import Ledger
from inloop.runtime.folder.run_folder import RunFolder
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
locked = Path({str(locked)!r})
for make in (
    lambda: BlobStore(locked / "blobs").put(b"x", "text/plain"),
    lambda: Ledger(locked / "ledger.sqlite"),
    lambda: Ledger(locked / "deeper" / "ledger.sqlite"),
    lambda: RunFolder.create(locked, "opt2i", {{}}),
):
    try:
        make()
    except PrerequisiteError as error:
        print("told:", error.problem)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.stdout.count("told:") == 4, done.stdout + done.stderr
    assert list(locked.iterdir()) == []
    locked.rmdir()


def test_many_threads_write_the_same_bytes(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    payloads = [os.urandom(20_000) for _ in range(5)]
    threads = [
        threading.Thread(target=lambda: [blobs.put(data, "application/octet-stream") for data in payloads])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in files) == sorted(payloads)
