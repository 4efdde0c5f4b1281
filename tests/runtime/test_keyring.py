"""Keys in the system's keyring: found by their name, and what is said where they are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.settings import Settings


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0
    locked = False

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("it is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ring]:
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    for name in ("INLOOP_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield ring
    keyring.set_keyring(before)


def test_a_key_comes_from_the_keyring_by_its_name(ring: Ring, tmp_path: Path) -> None:
    keyring.set_password("inloop", "work", "sk-planted")
    (tmp_path / "inloop.toml").write_text('api_key = "keyring:work"', encoding="utf-8")
    key = Settings.load().api_key
    assert key is not None and key.get_secret_value() == "sk-planted"


def test_what_is_not_in_it_is_said(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INLOOP_API_KEY", "keyring:work")
    with pytest.raises(PrerequisiteError, match="no entry 'work'") as missing:
        Settings.load()
    assert "keyring set inloop work" in str(missing.value)
    ring.locked = True
    with pytest.raises(PrerequisiteError, match="it is locked"):
        Settings.load()


def test_a_key_in_a_file_is_refused(ring: Ring, tmp_path: Path) -> None:
    (tmp_path / "inloop.toml").write_text('api_key = "sk-planted"', encoding="utf-8")
    with pytest.raises(BadInput, match="holds a key") as refused:
        Settings.load()
    assert "sk-planted" not in str(refused.value)
