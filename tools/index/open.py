"""Where passages are kept, chosen by a URL.

    memory:                        this process, gone with it
    lancedb:///./index             files on this machine (the embedded default); also a bare path
    qdrant+file:///./index         Qdrant's local mode, for small collections; qdrant(s)://host:6333/NAME its server
    postgresql://host/db?name=N    PostgreSQL with pgvector

Every one behaves as `tools.index_conformance` says; any LangChain `VectorStore` comes in by `tools.index_langchain`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput

if TYPE_CHECKING:
    from ...runtime.protocols import Embedder, Index, TextEmbedder
    from .base import BaseIndex

__all__ = ["local_path", "open_index"]

_KINDS = "memory:, lancedb:///PATH, qdrant+file:///PATH, qdrant://HOST/NAME, postgresql://HOST/DB"


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
    given: dict[str, Any] = {"text": text, "image": image, "chunker": chunker}
    kind, mark, _ = url.partition(":")
    index: BaseIndex
    if kind == "memory" and mark:
        from .memory import MemoryIndex

        index = MemoryIndex(url, **given)
    elif (kind == "lancedb" and mark) or "://" not in url:
        from .lancedb import LanceIndex

        index = LanceIndex(url, local_path(url), **given)
    elif kind == "qdrant+file":
        from .qdrant import QdrantIndex

        index = QdrantIndex(url, path=local_path(url), **given)
    elif kind in ("qdrant", "qdrants"):
        from .qdrant import QdrantIndex

        index = QdrantIndex(url, **given)
    elif kind in ("postgresql", "postgres"):
        from .pgvector import PostgresIndex

        index = PostgresIndex(url, **given)
    else:
        raise BadInput(f"{url!r} is no index that inloop knows: give {_KINDS}.")
    try:
        return await index.open(create=create)
    except BaseException:
        await index.close()
        raise


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
