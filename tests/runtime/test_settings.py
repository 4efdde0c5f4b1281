"""Settings: flags over environment over inloop.toml over defaults, and where each value came from."""

from pathlib import Path

import platformdirs
import pytest

from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store, StoreLocation


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("INLOOP_")] + ["OPENAI_API_KEY"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *_, **__: str(tmp_path / "user"))
    (tmp_path / "user").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_defaults_need_nothing() -> None:
    settings = Settings.load()
    assert (settings.llm, settings.images, settings.vqa, settings.clip) == ("mini-writer", "mini", "mini", "mini")
    assert StoreLocation.named_by(settings) == StoreLocation.of(Path("runs/.store"))
    assert settings.api_key is None
    assert {line.where for line in Settings.sources()} == {"default"}


def test_the_stronger_place_wins_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user/inloop.toml").write_text(
        'llm = "user"\nimages = "user"\nvqa = "user"\nclip = "user"\n', encoding="utf-8"
    )
    (tmp_path / "work/inloop.toml").write_text('llm = "work"\nimages = "work"\nvqa = "work"\n', encoding="utf-8")
    monkeypatch.setenv("INLOOP_LLM", "env")
    monkeypatch.setenv("INLOOP_IMAGES", "env")
    settings = Settings.load(llm="flag", images=None)
    assert (settings.llm, settings.images, settings.vqa, settings.clip) == ("flag", "env", "work", "user")
    where = {line.name: line.where for line in Settings.sources({"llm": "flag", "images": None})}
    assert where["llm"] == "flag --llm"
    assert where["images"] == "environment INLOOP_IMAGES"
    assert where["vqa"] == str(tmp_path / "work/inloop.toml")
    assert where["clip"] == str(tmp_path / "user/inloop.toml")
    assert where["device"] == "default"


def test_keys_are_masked_and_found_under_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    settings = Settings.load()
    assert settings.api_key is not None and settings.api_key.get_secret_value() == "sk-other"
    monkeypatch.setenv("INLOOP_API_KEY", "sk-ours")
    settings = Settings.load()
    assert settings.api_key is not None and settings.api_key.get_secret_value() == "sk-ours"
    line = next(line for line in Settings.sources() if line.name == "api_key")
    assert line == ("api_key", "**********", "environment INLOOP_API_KEY")
    assert "sk-" not in repr(settings) + repr(Settings.sources()) + settings.model_dump_json()


def test_bad_values_name_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INLOOP_THREADS", "0")
    with pytest.raises(BadInput, match="environment INLOOP_THREADS: threads = '0' cannot be used"):
        Settings.load()
    assert Settings.load(threads=2).threads == 2  # a stronger place hides it
    monkeypatch.delenv("INLOOP_THREADS")
    with pytest.raises(BadInput, match="flag --llm: llm = '  ' cannot be used"):
        Settings.load(llm="  ")
    toml = tmp_path / "work/inloop.toml"
    toml.write_text('lm = "typo"\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"inloop.toml: there is no setting 'lm'; the settings are llm, images"):
        Settings.load()
    toml.write_text("llm = \n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"inloop.toml cannot be read"):
        Settings.load()


def test_types_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INLOOP_THREADS", "3")
    monkeypatch.setenv("INLOOP_LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("INLOOP_DEVICE", "")  # empty is not given
    settings = Settings.load(runs_dir="~/runs", store=tmp_path / "kept")
    assert (settings.threads, settings.log_level, settings.device) == (3, "debug", "auto")
    assert settings.runs_dir == Path.home() / "runs"
    with Store.open(settings, "run-1") as store:
        assert store.ledger.run_id == "run-1"
        assert (tmp_path / "kept/ledger.sqlite").exists()
        assert store.blobs.root == tmp_path / "kept/blobs"


def test_a_store_in_a_server_holds_no_password_and_says_where_blobs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in ("postgresql://ada:geheim@host/db", "postgresql://host/db?password=geheim"):
        with pytest.raises(BadInput, match=r"flag --store: store = 'postgresql://.*host/db.*PGPASSWORD") as told:
            Settings.load(store=url)
        assert "geheim" not in str(told.value)
        with pytest.raises(ValueError, match="PGPASSWORD") as bare:
            Settings(store=url)
        assert "geheim" not in str(bare.value)
    with pytest.raises(BadInput, match="named by `blobs`"):
        Settings.load(store="s3://bucket/x")
    monkeypatch.setenv("INLOOP_STORE", "postgresql://ada@host/db?schema=team")
    with pytest.raises(BadInput, match="INLOOP_BLOBS"):
        StoreLocation.named_by(Settings.load())
    at = StoreLocation.named_by(Settings.load(blobs=tmp_path / "blobs", runs_dir=tmp_path))
    assert at.tables("ledger") == "postgresql://ada@host/db?schema=team"
    assert (at.blobs, at.local) == (tmp_path / "blobs", tmp_path / ".store")
    assert str(at) == f"postgresql://ada@host/db?schema=team with blobs in {tmp_path / 'blobs'}"
    assert {line.name: line.value for line in Settings.sources()}["blobs"] == ""
