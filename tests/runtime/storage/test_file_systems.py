"""Which folders are on a network file system, by tables of mounts as Linux gives them; no such system was mounted here."""

from pathlib import Path

import pytest

from inloop.runtime.storage import network_file_system

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:35 / /home rw,relatime shared:20 - nfs4 server:/home rw,vers=4.2
41 40 8:2 / /home/local rw,relatime - xfs /dev/sdb1 rw
42 22 0:36 / /scratch\\040disk rw shared:21 - lustre 10.0.0.1@tcp:/s rw
43 22 0:37 / /mnt/far rw - fuse.sshfs user@host: rw
44 22 0:38 / /mnt/near rw - fuse.mergerfs a:b rw
45 22 0:39 / /over rw - nfs4 server:/over rw
46 22 0:40 / /over rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/data/runs", ""),
        ("/home/ada/runs/.store", "nfs4"),
        ("/home/local/runs", ""),
        ("/homes", ""),
        ("/scratch disk/runs", "lustre"),
        ("/mnt/far", "fuse.sshfs"),
        ("/mnt/near", ""),
        ("/over/runs", ""),
    ],
)
def test_the_mount_that_a_folder_is_on(folder: str, kind: str, tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS, encoding="utf-8")
    assert network_file_system(Path(folder), table) == kind


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) == network_file_system(tmp_path / "new" / "one")
    assert network_file_system(tmp_path, tmp_path / "none") == ""
