"""`inloop index --status`: what an index holds, with which models, and what is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...runtime.passages import SPACES, SpaceName
from ...tools.index import Contents, contents, open_index
from ..cli import amount, json_text, printable

if TYPE_CHECKING:
    from ...runtime.passages import Space
    from ...tools.index import Collection

__all__ = ["show_status"]

_SHOWN = 20
_KINDS: dict[SpaceName, str] = {"text": "words", "image": "pictures"}


def show_status(url: str, json_output: bool) -> int:
    """Print what the index at `url` holds; the exit code.

    Raises:
        BadInput: there is no index, or its store cannot list what it holds.
        PrerequisiteError: it cannot be read.
    """
    held = asyncio.run(_contents(url))
    if json_output:
        print(json_text({**held.model_dump(mode="json"), "whole": held.is_whole}))
    else:
        print("\n".join(printable(line) for line in _lines(held)))
    return 0


async def _contents(url: str) -> Contents:
    index = await open_index(url, create=False)
    try:
        return await contents(index)
    finally:
        await index.close()


def _lines(held: Contents) -> Iterator[str]:
    size = "" if held.bytes is None else f", {held.bytes / 1e6:.1f} MB"
    yield f"{held.url}: {amount(held.documents)} documents, {amount(held.passages)} passages, {amount(held.pictures)} pictures{size}"
    for kind in SPACES:
        yield f"  vectors of {_KINDS[kind]:<8}  {_vectors(held, kind)}"
    yield f"  rules                cut by {held.chunker or 'none: the passages came as they are'}, words by {held.terms}"
    for each in held.collections:
        yield f"  {each.name:<19}  {_run(each)}"
        yield from (f"    not indexed: {note.file}: {note.reason}" for note in each.reasons[:_SHOWN])
        if each.failed > _SHOWN:
            yield f"    ... and {amount(each.failed - _SHOWN)} more (--json lists a hundred)"
        if (pending := held.pending.get(each.name)) is not None:
            yield f"    {amount(pending)} files are pending; to go on: inloop index {each.folder} --to {held.url}"


def _vectors(held: Contents, kind: SpaceName) -> str:
    space: Space | None = getattr(held, kind)
    if space is None:
        return "none: found by words alone" if kind == "text" else "none"
    have, lack = held.vectors[kind], held.lacking[kind]
    told = f"{amount(have)} by {space.model} ({space.revision[:12]}), {space.dimension} numbers each"
    return f"{told}; {amount(lack)} passages lack one: index a folder into it again" if lack else told


def _run(each: Collection) -> str:
    begun, ended = (
        time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else "" for at in (each.begun, each.ended)
    )
    when = f"indexed {ended}" if ended else f"a run was begun {begun} and has not ended"
    return f"{each.folder}: {amount(each.files)} files, passages of {each.chunk} characters at most, {when}"
