"""What `--llm` names: a model by name, a GGUF file, a server by its URL, or a model of OpenAI.

Invariant: nothing is started or fetched here; that is done by the first request that has to be sent. Only a URL without a
model's name is asked for its models at once, since the name is part of every key of the call ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from .. import models
from ..errors import BadInput, PrerequisiteError
from ..models import hub_gguf
from ..protocols import Chat
from ..roles import Role
from ..serving import coming_back, default_threads, find_served
from ..store import file_sha256
from ..transport import OPENAI, Price, Rate, Sender, address, limit_of
from .batch_book import BatchBook
from .batch_places import BatchApi, BatchFolder
from .batches import BatchSender
from .capabilities import capabilities
from .chat import OpenAIChat
from .local_chat import LocalChat

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store import Store

__all__ = ["open_batch", "open_chat", "open_server"]

_OPENAI_SHARE = 0.5
"""Of its price, what OpenAI takes for batches (https://platform.openai.com/docs/guides/batch)."""


CHAT: Role[Chat] = Role(
    "language model", Chat, own=("mini-writer", "mini-answerer", "smollm2", "gguf", "hf", "openai", "batch")
)


class _Traits(TypedDict):
    small: bool
    tuned_to: str


@CHAT.opener
def open_chat(spec: str, store: Store, settings: Settings, *, progress: models.Progress | None = None) -> Chat:
    """The chat model that `spec` names; nothing is started or fetched before the first request that must be sent.

    `mini-writer` | `mini-answerer` | `smollm2` | `gguf:PATH` | `hf:ORG/REPO[/FILE.gguf]` | `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]` |
    `openai:MODEL` | `batch+openai:MODEL`, `batch+http(s)://...#MODEL`, `batch+file:FOLDER#MODEL` (see `open_batch`), or your own.
    URLs without a model ask their servers for its models at once. `progress` is told about a fetch.

    Raises `BadInput` (no such form) or `PrerequisiteError` (no such file, a server that is down, no key).
    """
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""

    def local(
        name: str, revision: str, path: Callable[[], Path], adapter: Callable[[], Path] | None = None
    ) -> LocalChat:
        threads = default_threads(settings.threads)
        return LocalChat(
            store=store, model=name, revision=revision, model_path=path, adapter_path=adapter, threads=threads,
            thinking_tokens=settings.thinking_tokens, **_traits(name),
        )  # fmt: skip

    def smollm2() -> Path:
        return models.fetch("smollm2", settings.cache_dir, progress)

    base, tuned = str(models.MODELS["smollm2"].sha256), models.adapter_model(spec)
    if spec == "smollm2":
        return local(spec, base, smollm2)
    if tuned is not None:
        adapter = _adapter_in(models.bundled(tuned.name))
        return local(spec, f"{base}+{file_sha256(adapter)}", smollm2, lambda: adapter)
    if spec.startswith(("gguf:", "hf:")):
        scheme, _, rest = spec.partition(":")
        path = Path(rest).expanduser() if scheme == "gguf" else hub_gguf(rest)
        return local(path.name, file_sha256(path, settings.cache_dir), lambda: path)
    if spec.startswith(("http://", "https://")):
        return open_server(spec, store, settings)
    if spec.startswith("batch+"):
        return open_batch(spec, store, settings)
    if spec.startswith("openai:") and len(spec) > len("openai:"):
        if not key:
            raise PrerequisiteError(f"{spec!r} needs a key", remedy="set INLOOP_API_KEY or OPENAI_API_KEY")
        model = spec.partition(":")[2]
        sender = Sender(
            OPENAI, key, model=model, who=store.run_id, concurrency=settings.concurrency, timeout=settings.timeout,
            limit=lambda url: limit_of(url, Rate.parse(settings.llm_rate)), price=Price.parse(settings.llm_price),
        )  # fmt: skip
        return OpenAIChat(sender, store=store, revision=model, thinking_tokens=settings.thinking_tokens)
    if re.match(r"[\w.\[\]:-]+:\d+(/|$)", spec):
        raise BadInput(f"{spec!r} names no language model; a server needs its scheme: http://{spec}")
    raise BadInput(
        f"{spec!r} names no language model; use mini-writer, mini-answerer, smollm2, gguf:PATH, hf:ORG/REPO/FILE.gguf,"
        " http://HOST:PORT/v1[,http://...][#MODEL], openai:MODEL, or batch+ before one of the last two"
    )


def open_server(spec: str, store: Store, settings: Settings, *, option: str = "--llm") -> OpenAIChat:
    """The chat model at `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`, which `option` names; raises as `open_chat` does.

    What servers of inloop are known to serve under the model's name must be the same at all of them: else `BadInput`.
    """
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    urls, model = address(spec, key)
    ours = {url: served for url in urls if (served := find_served(url, settings.cache_dir)) is not None}
    # a server of our own is known by what it serves, so that the next one may have another port
    revisions = {url: served.models.get(model, "") for url, served in ours.items()}
    if len(set(filter(None, revisions.values()))) > 1:
        told = "; ".join(f"{url} serves {revision}" for url, revision in revisions.items())
        raise BadInput(f"the servers do not serve one model under the name {model!r}: {told}. Give one of them.")
    sender = Sender(
        urls, key or "none", model=model, who=store.run_id, concurrency=settings.concurrency,
        timeout=settings.timeout, free=len(ours) == len(urls), option=option,
        returning=lambda url: coming_back(url, settings.cache_dir),
        limit=lambda url: limit_of(url, Rate.parse(settings.llm_rate)), price=Price.parse(settings.llm_price),
    )  # fmt: skip
    return OpenAIChat(
        sender, store=store, revision=revisions.get(urls[0], ""), thinking_tokens=settings.thinking_tokens,
        probe=lambda url: capabilities(url, model, settings.cache_dir, key=key), **_traits(model),
    )  # fmt: skip


def open_batch(spec: str, store: Store, settings: Settings) -> OpenAIChat:
    """The chat model whose requests go out in batches, for work that can wait; see `batches`.

    `batch+openai:MODEL`, which OpenAI takes for half of its price; `batch+http(s)://HOST/v1#MODEL`, a server that speaks OpenAI's batch
    API; `batch+file:FOLDER#MODEL`, whose files `vllm run-batch` answers. The ledger knows the model as without `batch+`.

    Raises `BadInput` (no such form) or `PrerequisiteError` (no key).
    """
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    inner, price = spec.removeprefix("batch+"), Price.parse(settings.llm_price)
    book = BatchBook(store.location.tables("batches"))
    revision = ""
    scheme, _, rest = inner.partition(":")
    if scheme == "openai" and rest:
        if not key:
            raise PrerequisiteError(f"{spec!r} needs a key", remedy="set INLOOP_API_KEY or OPENAI_API_KEY")
        sender = BatchSender(
            OPENAI, key, model=rest, place=partial(BatchApi, OPENAI), book=book, timeout=settings.timeout,
            price=None if price is None else price.reduced(_OPENAI_SHARE),
        )  # fmt: skip
        revision = rest
    elif scheme in ("http", "https"):
        urls, model = address(inner, key)
        if len(urls) > 1:
            raise BadInput(f"{spec!r}: a batch goes to one server; give one address.")
        sender = BatchSender(
            urls[0], key or "none", model=model, place=partial(BatchApi, urls[0]), book=book, timeout=settings.timeout,
            price=price,
        )  # fmt: skip
    elif scheme == "file" and "#" in rest:
        folder, _, model = rest.rpartition("#")
        place = BatchFolder(Path(folder).expanduser().absolute(), model)
        sender = BatchSender(place.name, model=model, place=lambda client: place, book=book, free=True)
        revision = model
    else:
        raise BadInput(
            f"{spec!r} names no place for batches; use batch+openai:MODEL, batch+http://HOST:PORT/v1#MODEL or batch+file:FOLDER#MODEL"
        )
    return OpenAIChat(
        sender, store=store, revision=revision, thinking_tokens=settings.thinking_tokens, **_traits(sender.model)
    )


def _traits(name: str) -> _Traits:
    """The traits of a model that the catalogue knows, whoever serves it; of any other, those of a large one."""
    known = models.chat_model(name)
    return {"small": known is not None and known.small, "tuned_to": "" if known is None else known.tuned_to}


def _adapter_in(folder: Path) -> Path:
    found = sorted(folder.glob("*.gguf"))
    if len(found) != 1:
        raise PrerequisiteError(
            f"the folder {str(folder)!r} must hold exactly one .gguf adapter; it holds {len(found)}",
            remedy="reinstall inloop, or train it again: python -m inloop.mini train",
        )
    return found[0]
