"""Where passages are kept, chosen by a URL.

    memory:                        this process, gone with it
    lancedb:///./index             files on this machine (the embedded default); also a bare path
    qdrant+file:///./index         Qdrant's local mode, for small collections; qdrant(s)://host:6333/NAME its server
    postgresql://host/db?name=N    PostgreSQL with pgvector
    SCHEME:...                     an index of an installed package (group `inloop.indexes`, named by its scheme)
    module:object                  an index of your own

Every one behaves as `tools.index.conformance` says; any LangChain `VectorStore` comes in by `tools.index.langchain`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.protocols import Index
from ...runtime.registry import Registry, is_object
from ...runtime.roles import lacks

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, TextEmbedder

__all__ = ["INDEXES", "is_url", "local_path", "open_index"]

Opener = Callable[..., Any]
_URLS = "memory:, lancedb:///PATH, qdrant+file:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB"


async def open_index(
    url: str,
    *,
    text: TextEmbedder | None = None,
    image: Embedder | None = None,
    chunker: str = "",
    create: bool = True,
) -> Index:
    """The index at `url`, made on its first write where there is none.

    `text` embeds words, `image` pictures; without them the index is searched by words alone. `chunker`: the hash of
    the settings that its documents are cut with. `create=False`: an index that is not there is an error.

    Raises:
        BadInput: a URL of no known kind, nothing there with `create=False`, or an index that was made with another
            embedder or chunker.
        PrerequisiteError: a package (extra `rag`) or the server is missing, or the files cannot be read.
    """
    scheme, mark, _ = url.partition(":")
    if mark and scheme in INDEXES:
        opener = INDEXES.find(scheme)
    elif is_object(url):
        opener = INDEXES.find(url)
    elif "://" not in url:
        opener = _lancedb
    else:
        packages = "".join(f", {name}:... ({package})" for name, package in INDEXES.packages.items())
        raise BadInput(f"{url!r} is no index that inloop knows: give {_URLS}{packages}.")
    index = opener(url, text=text, image=image, chunker=chunker)
    if lacking := lacks(index, Index):
        raise BadInput(f"what {url!r} opens is no index: it has no {', no '.join(lacking)}.")
    try:
        opened = index.open(create=create) if hasattr(index, "open") else index
        return await opened if inspect.isawaitable(opened) else opened  # type: ignore[no-any-return]
    except BaseException:
        await index.close()
        raise


def _lancedb(url: str, **given: Any) -> Index:
    from .lancedb import LanceIndex

    return LanceIndex(url, local_path(url), **given)


def _qdrant_files(url: str, **given: Any) -> Index:
    from .qdrant import QdrantIndex

    return QdrantIndex(url, path=local_path(url), **given)


INDEXES: Registry[Opener] = Registry(
    "index",
    "inloop.indexes",
    {
        "memory": f"{__package__}.memory:MemoryIndex",
        "lancedb": _lancedb,
        "qdrant+file": _qdrant_files,
        "qdrant": f"{__package__}.qdrant:QdrantIndex",
        "qdrants": f"{__package__}.qdrant:QdrantIndex",
        "postgresql": f"{__package__}.pgvector:PostgresIndex",
        "postgres": f"{__package__}.pgvector:PostgresIndex",
    },
)
"""What opens an index, by the scheme of its URL: called with the URL and the keywords `text`, `image` and `chunker`.

Where what it gives has a method `open(create=...)`, sync or async, that opens it and gives the index.
"""


def is_url(text: str) -> bool:
    """Whether a text names an index by its kind, and is no bare path."""
    scheme, mark, _ = text.partition(":")
    return bool(mark) and (scheme in INDEXES or "://" in text or is_object(text))


def local_path(url: str) -> Path:
    """The folder that `KIND:///PATH` names: from the working folder after `///./` or `///../`, else from the root.

    `KIND:PATH` and a bare path are taken as they are; `~` is the home folder.

    Raises:
        BadInput: no path.
    """
    rest = url.partition(":")[2] if ":" in url else url
    if rest.startswith("//"):
        rest = rest[2:]
        if rest.startswith(("/./", "/../", "/~/")) or rest in ("/.", "/..", "/~"):
            rest = rest[1:]
    if not rest.strip("/ ") and rest != "/":
        raise BadInput(f"{url!r} names no folder: give one, such as lancedb:///./index.")
    return Path(rest).expanduser()
