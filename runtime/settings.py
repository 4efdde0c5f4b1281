"""Where inloop finds its models, folders and keys.

A value comes from the first of: the flags of a command, the environment (`INLOOP_LLM=...`), `inloop.toml` in the
working folder, `inloop.toml` in the user's configuration folder, the default. `Settings.sources` tells which.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import platformdirs
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import BadInput
from .keyring import KEYRING, key_in_keyring
from .urls import check_no_secret, is_url, without_secret

__all__ = ["Setting", "Settings", "config_files"]

_FILE = "inloop.toml"


class Setting(NamedTuple):
    """One line of `inloop config`: a secret's value is masked."""

    name: str
    value: str
    where: str


class Settings(BaseSettings):
    """The settings of one process. `Settings.load` reads every place; `Settings()` is the bare defaults."""

    model_config = SettingsConfigDict(
        env_prefix="INLOOP_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    llm: str = "mini-writer"
    """The language model: `mini-writer`, `mini-answerer`, `smollm2`, `gguf:PATH`, `http://host:8000/v1[,http://...][#model]`, `openai:MODEL`."""
    images: str = "mini"
    """The text-to-image model: `mini`, a folder, a hub id such as `stabilityai/sd-turbo`, a server's URL, or `pictures:FOLDER`."""
    vqa: str = "mini"
    """The visual question answering model: `mini`, a folder, a hub id, a server's URL, or several as one: `A + B`."""
    clip: str = "mini"
    """The CLIP model: `mini`, a folder, or a hub id."""
    runs_dir: Path = Path("runs")
    """Where run folders are made."""
    store: Path | str | None = None
    """Where calls, votes and checkpoints are kept: a folder, or `postgresql://user@host/db` (with `blobs`); default: `.store` in `runs_dir`."""
    blobs: Path | str | None = None
    """Where pictures and other blobs are kept: a folder, or a bucket by `s3://`, `gs://` or `az://`; default: `blobs` in the folder of the store."""
    blob_cache: float = Field(default=10.0, gt=0)
    """Gigabytes of copies that are kept of a bucket's blobs on this machine, in `cache_dir`."""
    cache_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("inloop", appauthor=False)))
    """Where fetched models are kept."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`, ..."""
    backend: Literal["auto", "torch", "onnx"] = "auto"
    """What computes text embedders and models of inference: `torch`, `onnx` (ONNX Runtime, extra `onnx`), or `auto`: ONNX Runtime for our own where
    there is no GPU."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of the models; default: what the libraries choose."""
    vllm: Path | None = None
    """A Python (or the folder of its environment) that has vLLM; default: what `inloop serve --install` made."""
    api_key: SecretStr | None = None
    """The key of the servers of models, or `keyring:NAME` for the entry NAME of the system's keyring; also read from `OPENAI_API_KEY`."""
    concurrency: int = Field(default=64, ge=1)
    """The most requests to one language model server in flight; how many really are is found by measuring."""
    llm_rate: str = ""
    """The most that one language model server gets in a minute, for all roles together: `60/min`, `60/min,90000tokens/min`; default: any number."""
    llm_price: str = ""
    """What the language model's provider takes, in US dollars for a million tokens of prompts and of answers: `2.5/10`; default: not known."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds to wait for one reply of the language model; longer where it gets room for thinking."""
    thinking_tokens: int = Field(default=8192, ge=0)
    """The most tokens for what a language model thinks before it answers, beside those of the answer."""
    engine: str = "local"
    """What carries a run: `local` (this process), `local:4` (four processes here), `folder` (those that you start with `inloop work`),
    `ray://HOST:10001?workers=8` (those that Ray places), or one of a package."""
    spans: bool = False
    """Write OpenTelemetry spans: to the collector of OTEL_EXPORTER_OTLP_ENDPOINT, else to `spans.jsonl` in the run folder."""
    metrics: str = ""
    """Where OpenTelemetry metrics go: `otlp`, to the collector of OTEL_EXPORTER_OTLP_ENDPOINT; `prometheus:PORT`, to be fetched; default: nowhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """How much is logged to the standard error."""

    @field_validator("runs_dir", "cache_dir", "vllm")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()

    @field_validator("store", "blobs", mode="before")
    @classmethod
    def _place(cls, value: Any, info: ValidationInfo) -> Any:
        if not is_url(value):
            return value if value is None else Path(value).expanduser()
        in_postgres = value.startswith(("postgresql://", "postgres://"))
        if info.field_name == "store" and not in_postgres:
            raise ValueError("give a folder or postgresql://user@host/db; where pictures go is named by `blobs`")
        if info.field_name == "blobs" and in_postgres:
            raise ValueError("give a folder or a bucket, as s3://bucket/folder; a database is named by `store`")
        check_no_secret(
            value, "give it in PGPASSWORD or in ~/.pgpass" if in_postgres else "give it as the provider's tools read it"
        )
        return value

    @field_validator("llm", "images", "vqa", "clip", "device")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value.strip()

    @field_validator("api_key", mode="before")
    @classmethod
    def _from_keyring(cls, value: Any) -> Any:
        return (
            key_in_keyring(value.removeprefix(KEYRING))
            if isinstance(value, str) and value.startswith(KEYRING)
            else value
        )

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @classmethod
    def describe(cls, name: str) -> str:
        """One line about a setting."""
        text = (cls.model_fields[name].description or "").replace("`", "")
        return text if text.endswith("...") else text.removesuffix(".")

    @classmethod
    def load(cls, **flags: Any) -> Settings:
        """The settings under `flags`; a flag that is None was not given.

        Raises:
            BadInput: a value that does not fit, an unknown name, a file that is not TOML; it names where that is.
        """
        merged: dict[str, Any] = {}
        where: dict[str, str] = {}
        for label, values in _layers(flags):
            for name, value in values.items():
                if name not in cls.model_fields:
                    raise BadInput(
                        f"{label}: there is no setting {name!r}; the settings are {', '.join(cls.model_fields)}."
                    )
                if name not in merged:
                    merged[name], where[name] = value, label
        try:
            return cls(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            value = merged.get(name)
            shown = (
                "**********" if name == "api_key" else repr(without_secret(value) if isinstance(value, str) else value)
            )
            raise BadInput(
                f"{where.get(name, name)}: {name} = {shown} cannot be used: {first['msg'].removeprefix('Value error, ')}."
                " `inloop config` shows all settings and where they come from."
            ) from None

    @classmethod
    def sources(cls, flags: dict[str, Any] | None = None) -> list[Setting]:
        """Every setting with its value and where that comes from, in the order of the fields."""
        loaded = cls.load(**(flags or {}))
        layers = _layers(flags or {})
        lines = []
        for name in cls.model_fields:
            value = getattr(loaded, name)
            label = next((label for label, values in layers if name in values), "default")
            if name == "store" and value is None:
                value = loaded.runs_dir / ".store"
            if name == "blobs" and value is None and not is_url(loaded.store):
                value = Path(loaded.store or loaded.runs_dir / ".store") / "blobs"
            lines.append(Setting(name, "" if value is None else str(value), label))
        return lines

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `load` has read every layer by then, and knows where each value comes from."""
        return (init_settings,)


def config_files() -> list[Path]:
    """The files that are read where they exist, first one first."""
    return [Path.cwd() / _FILE, Path(platformdirs.user_config_dir("inloop", appauthor=False)) / _FILE]


def _layers(flags: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The values of each place, the strongest place first."""
    layers = [(f"flag --{name.replace('_', '-')}", {name: value}) for name, value in flags.items() if value is not None]
    environment = EnvSettingsSource(Settings)()
    layers += [(f"environment INLOOP_{name.upper()}", {name: value}) for name, value in environment.items()]
    if os.environ.get("OPENAI_API_KEY"):
        layers.append(("environment OPENAI_API_KEY", {"api_key": os.environ["OPENAI_API_KEY"]}))
    for path in config_files():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read: {error}. Mend the file or move it away.") from None
        if not str(values.get("api_key", KEYRING)).startswith(KEYRING):
            raise BadInput(
                f"{path} holds a key: files are copied and shared. Take api_key out of it, and set INLOOP_API_KEY or put the key into the system's"
                ' keyring: keyring set inloop NAME, and then api_key = "keyring:NAME".'
            )
        layers.append((str(path), values))
    return layers
