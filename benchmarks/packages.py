"""Documentation packages as the registries hold them: fetched by pip or apt-get, checked against a hash, unpacked.

What is fetched is kept in inloop's cache folder, `benchmarks/packages`; nothing of it is in this repository.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from inloop.runtime.errors import PrerequisiteError

__all__ = ["Package"]


@dataclass(frozen=True, kw_only=True)
class Package:
    """One version of one package; `formats`: by format, patterns of its documents in what is unpacked."""

    name: str
    registry: str
    version: str
    file: str
    sha256: str
    licence: str
    formats: dict[str, tuple[str, ...]]

    def unpacked(self, cache: Path) -> Path:
        """The folder of what the package holds, fetched where it is not in `cache`.

        Raises:
            PrerequisiteError: the registry does not give this version, or gives another file under its name.
        """
        folder = cache / f"{self.name}-{self.version}"
        folder.mkdir(parents=True, exist_ok=True)
        archive, inside = folder / self.file, folder / "unpacked"
        if not archive.is_file():
            self._fetch(folder)
        if not archive.is_file() or hashlib.sha256(archive.read_bytes()).hexdigest() != self.sha256:
            archive.unlink(missing_ok=True)
            raise PrerequisiteError(
                f"{self.registry} does not give {self.file} with the hash that the questions were written for",
                remedy=f"the questions hold for {self.name} {self.version} alone; fetch that version into {folder}.",
            )
        if not inside.is_dir():
            if self.file.endswith(".deb"):
                subprocess.run(["dpkg", "-x", str(archive), str(inside)], check=True)
            else:
                with tarfile.open(archive) as packed:
                    packed.extractall(inside, filter="data")
        return inside

    def documents(self, name: str, cache: Path, to: Path) -> None:
        """Copy the documents of one format into the folder `to`, each in its place, those of Debian that are packed unpacked.

        Raises as `unpacked` does.
        """
        inside = self.unpacked(cache)
        for pattern in self.formats[name]:
            for path in inside.glob(pattern):
                copy = to / path.relative_to(inside)
                copy.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".gz":
                    copy.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
                else:
                    shutil.copyfile(path, copy)

    def _fetch(self, folder: Path) -> None:
        if self.registry == "PyPI":
            wanted = [f"{self.name}=={self.version}", "--no-deps", "--no-binary", self.name, "--dest", str(folder)]
            command = [sys.executable, "-m", "pip", "download", "--quiet", *wanted]
        else:
            command = ["apt-get", "download", f"{self.name}={self.version}"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise PrerequisiteError(
                f"{self.name} comes with {command[0]}, which is not here",
                remedy=f"fetch {self.file} into {folder} by other means.",
            ) from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise PrerequisiteError(
                f"{self.registry} does not give {self.name} {self.version}: {lines[-1]}",
                remedy=f"fetch {self.file} into {folder} by other means.",
            )
