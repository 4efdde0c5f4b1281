"""Embedders behind real HTTP servers on loopback: texts together, pictures one by one, spread over several servers."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from servers import Body, Endpoint, Handler, fails, serving

from inloop.app.cli.named_servers import listing
from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.gatherer import Gatherer
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.encoders import open_clip, open_text_embedder


def vector(of: str) -> list[float]:
    return [float(byte) + 1 for byte in hashlib.sha256(of.encode()).digest()[:4]]


def embeds(handler: Handler, body: Body) -> None:
    """Embeds as vLLM does: `input`, a list of texts, or `messages` with a picture; the order of its answers is open."""
    if not handler.path.endswith("/embeddings"):
        return fails(404)(handler, body)
    asked = body["input"] if "input" in body else [body["messages"][0]["content"][0]["image_url"]["url"]]
    if any("too long" in text for text in asked):
        return fails(400, "this model's maximum context length is 40 tokens")(handler, body)
    data = [{"object": "embedding", "index": place, "embedding": vector(text)} for place, text in enumerate(asked)]
    return handler.json(
        {"object": "list", "data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    )


@pytest.fixture
def two() -> Iterator[tuple[Endpoint, Endpoint]]:
    with serving() as one, serving() as other:
        one.behaviours = other.behaviours = [embeds]
        yield one, other


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", "run-1") as opened:
        yield opened


def unit(of: str) -> list[float]:
    found = np.asarray(vector(of))
    return (found / np.linalg.norm(found)).astype(np.float32).tolist()


async def test_texts_go_together_and_to_both_servers(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings
) -> None:
    one, other = two
    embedder = open_text_embedder(f"{one.url},{other.url}#e", store, settings)
    texts = [f"text {place}" for place in range(300)]
    assert await embedder.texts(texts) == [unit(text) for text in texts]
    sizes = [len(body["input"]) for server in two for body in server.seen]
    assert sorted(sizes) == [44, 64, 64, 64, 64]
    assert await embedder.texts(texts) == [unit(text) for text in texts] and len(one.seen) + len(other.seen) == 5
    await embedder.aclose()
    alone = open_text_embedder(f"{one.url}#e", store, settings)  # known by the first address
    assert await alone.texts(texts[:3]) == [unit(text) for text in texts[:3]] and len(one.seen) + len(other.seen) == 5


async def test_one_text_that_is_refused_is_one_failure(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings
) -> None:
    embedder = open_text_embedder(f"{two[0].url}#e", store, settings)
    outcomes = await asyncio.gather(
        *(embedder.texts([text]) for text in ("a", "too long", "b")), return_exceptions=True
    )
    assert outcomes[0] == [unit("a")] and outcomes[2] == [unit("b")]
    assert isinstance(outcomes[1], CallFailed) and "maximum context length" in str(outcomes[1])
    with pytest.raises(BadInput, match="empty"):
        await embedder.texts([" "])


async def test_a_clip_behind_a_server_embeds_texts_and_pictures(
    two: tuple[Endpoint, Endpoint], store: Store, settings: Settings
) -> None:
    one, other = two
    clip = open_clip(f"{one.url},{other.url}#clip", store, settings)
    pictures = [store.blobs.put_image(Image.new("RGB", (8, 8), colour)) for colour in ("red", "blue")]
    found = await clip.images(pictures)
    assert len(found) == 2 and found[0] != found[1]
    assert await clip.texts(["a red box"]) == [unit("a red box")]
    sent = [body for server in two for body in server.seen]
    assert sum("messages" in body for body in sent) == 2 and all(body["encoding_format"] == "float" for body in sent)
    assert await clip.images(pictures) == found and len(one.seen) + len(other.seen) == 3
    assert [finding.state for finding in listing("clip", f"{one.url},{other.url}#clip", settings)] == ["ok", "ok"]
    one.behaviours = other.behaviours = [fails(400, "only text is supported")]
    with pytest.raises(PrerequisiteError, match="takes no pictures to embed"):
        await clip.images([store.blobs.put_image(Image.new("RGB", (8, 8), "green"))])
    await clip.aclose()  # type: ignore[attr-defined]


async def test_answers_that_are_no_embeddings(two: tuple[Endpoint, Endpoint], store: Store, settings: Settings) -> None:
    embedder = open_text_embedder(f"{two[0].url}#e", store, settings)
    embedder._sender._pause = 0.001  # type: ignore[attr-defined]
    for answer in (
        {"data": []},
        {"data": [{"index": 0, "embedding": [0.0, 0.0]}]},
        {"data": [{"index": 0}]},
        {"oops": 1},
    ):
        two[0].behaviours = [lambda handler, body, answer=answer: handler.json(answer)]  # type: ignore[misc]
        with pytest.raises(CallFailed, match="list of embeddings"):
            await embedder.texts(["a"])


async def test_a_group_closes_when_it_is_full_heavy_or_quiet() -> None:
    groups: list[list[int]] = []

    async def run(items: list[int]) -> list[int | Exception]:
        groups.append(items)
        return [ValueError("odd") if item == 13 else -item for item in items]

    heavy: Gatherer[int, int] = Gatherer(run, most=3, linger=0.05, quiet=True, room=20, size=float)
    got = await asyncio.gather(*(heavy.submit(item) for item in (1, 2, 3, 15, 13, 4)), return_exceptions=True)
    assert groups == [[1, 2, 3], [15], [13, 4]]
    assert got[:4] == [-1, -2, -3, -15] and isinstance(got[4], ValueError) and got[5] == -4
    late = asyncio.create_task(heavy.submit(5))
    await asyncio.sleep(0)
    late.cancel()
    await heavy.aclose()
    assert len(groups) == 3, "nobody waits for it any more"

    async def fails_(items: list[int]) -> list[int | Exception]:
        raise KeyError("all")

    broken: Gatherer[int, int] = Gatherer(fails_, most=2, linger=0.0)
    outcomes = await asyncio.gather(broken.submit(1), broken.submit(2), return_exceptions=True)
    assert all(isinstance(outcome, KeyError) for outcome in outcomes)
    with pytest.raises(BadInput):
        Gatherer(run, most=0, linger=1.0)
