"""Painting behind the images API: against a server in another process, well-behaved and not."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_server import painting, picture

import inloop
from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.fakes import ScriptedChat, ScriptedEmbedder, ScriptedVQA
from inloop.runtime.records import ImageRequest
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.images import open_images
from inloop.tools.images.served import ServedImages

REQUESTS = [ImageRequest(prompt=text, seed=seed) for text in ("a red disc", "two stars") for seed in (0, 1)]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with painting() as address:
        yield address


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def opened(spec: str, store: Store, settings: Settings) -> ServedImages:
    painter = open_images(spec, store, settings)
    assert isinstance(painter, ServedImages)
    return painter


def log(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/log") as answer:
        requests: list[dict[str, Any]] = json.load(answer)
    return requests


async def test_each_picture_has_its_own_seed_and_is_paid_once(url: str, store: Store, settings: Settings) -> None:
    from PIL import Image

    painter = opened(f"{url}?size=48x32&steps=4&guidance=2.5&negative=blurry", store, settings)
    pictures = await painter.generate(REQUESTS)
    assert painter.model == "painter-1" and painter.notes == ()
    for request, image in zip(REQUESTS, pictures, strict=True):
        import io

        expected = Image.open(io.BytesIO(picture(request.prompt, request.seed, "48x32")))
        assert store.blobs.get_image(image).convert("RGB").tobytes() == expected.tobytes()
    sent = [each for each in log(url) if each["prompt"] == "two stars"]
    assert sorted(each["seed"] for each in sent) == [0, 1]
    assert {(each["size"], each["num_inference_steps"], each["guidance_scale"], each["negative_prompt"], each["n"]) for each in sent} == {
        ("48x32", 4, 2.5, "blurry", 1)
    }  # fmt: skip
    before = len(log(url))
    again = opened(f"{url}?size=48x32&steps=4&guidance=2.5&negative=blurry", store, settings)
    assert await again.generate(REQUESTS[::-1]) == pictures[::-1] and len(log(url)) == before
    other = opened(f"{url}?size=48x32&steps=5&guidance=2.5&negative=blurry&seeds=yes", store, settings)
    await other.generate(REQUESTS[:1])  # the server draws the same; it is another call all the same
    assert len(log(url)) == before + 1
    assert store.ledger.cost.images == 3 + 4 + 1  # three to find out whether the seed counts
    for each in (painter, again, other):
        await each.aclose()


@pytest.mark.parametrize(
    ("ways", "why"), [(("no-seed",), "refuses to be given one"), (("deaf",), "one seed gave two pictures")]
)
async def test_a_server_that_does_not_paint_by_the_seed_is_named(
    ways: tuple[str, ...], why: str, store: Store, settings: Settings
) -> None:
    with painting(*ways) as address:
        painter = opened(address, store, settings)
        assert painter.notes == ()
        pictures = await painter.generate(REQUESTS)
        assert len(set(pictures)) == 4 and all("seed" not in each for each in log(address)[-4:])
        [note] = painter.notes
        assert why in note and "pictures on the same seed are not comparable" in note
        again = opened(address, store, settings)  # known from the ledger
        assert await again.generate(REQUESTS) == pictures and again.notes == painter.notes
        await painter.aclose()


@pytest.mark.parametrize("ways", [("url",), ("plain",), ("url", "plain"), ("strict",)])
async def test_every_form_of_answer_is_read(ways: tuple[str, ...], store: Store, settings: Settings) -> None:
    with painting(*ways) as address:
        painter = opened(f"{address}#another", store, settings)
        pictures = await painter.generate(REQUESTS)
        assert len(set(pictures)) == 4 and {each["model"] for each in log(address)} == {"another"}
        asked = ["response_format" in each for each in log(address)]
        assert sum(asked) == (1 if "plain" in ways else len(asked))
        await painter.aclose()


async def test_a_refused_prompt_is_a_failure_of_its_own(url: str, store: Store, settings: Settings) -> None:
    painter = opened(f"{url}?seeds=yes", store, settings)
    with pytest.raises(
        CallFailed, match=r"refused to paint 'forbidden': Your request was rejected by the safety system"
    ) as error:
        await painter.generate([REQUESTS[0], ImageRequest(prompt="forbidden", seed=0)])
    assert not error.value.retryable
    assert store.ledger.counts()["image"]["paid"] == 1 and len(store.ledger.failures()) == 1
    for prompt, why in (("nothing", "gave no picture"), ("broken", "no picture"), ("file", "none of http")):
        with pytest.raises(CallFailed, match=why):
            await painter.generate([ImageRequest(prompt=prompt, seed=0)])
    await painter.aclose()


async def test_what_may_pass_is_tried_again(url: str, store: Store, settings: Settings) -> None:
    painter = opened(f"{url}?seeds=yes", store, settings)
    painter._sender._pause = 0.01
    assert len(await painter.generate([ImageRequest(prompt="flaky", seed=0)])) == 1
    assert [each["prompt"] for each in log(url)].count("flaky") == 2
    with pytest.raises(CallFailed, match=r"503.*\(4 attempts\)") as error:
        await painter.generate([ImageRequest(prompt="busy", seed=0)])
    assert error.value.retryable
    await painter.aclose()
    impatient = opened(f"{url}?seeds=yes", store, settings.model_copy(update={"timeout": 0.2}))
    impatient._sender._pause = impatient._sender._attempts = 1
    with pytest.raises(CallFailed, match="did not answer in time"):
        await impatient.generate([ImageRequest(prompt="slow", seed=0)])
    await impatient.aclose()


async def test_an_option_that_a_server_does_not_take_stops_the_run(store: Store, settings: Settings) -> None:
    with painting("strict") as address:
        painter = opened(f"{address}?steps=4", store, settings)
        with pytest.raises(PrerequisiteError, match="does not take the option 'steps'"):
            await painter.generate(REQUESTS)
        await painter.aclose()
    with pytest.raises(PrerequisiteError, match="--images"):
        down = opened(f"{address}?seeds=yes#painter-1", store, settings)
        down._sender._pause = 0.01
        await down.generate(REQUESTS[:1])


@pytest.mark.parametrize(
    ("suffix", "why"),
    [
        ("?size=big", "size = 'big' cannot be used"),
        ("?stops=4", "stops = '4' cannot be used"),
        ("?seeds=perhaps", "seeds = 'perhaps'"),
        ("?steps", "name=value"),
        ("/images/generations", "is one door of a server: give its base"),
    ],
)
def test_what_is_no_address_is_said_before_anything_is_sent(
    suffix: str, why: str, url: str, store: Store, settings: Settings
) -> None:
    with pytest.raises(BadInput, match=why):
        open_images(f"{url}{suffix}", store, settings)


def test_a_search_with_a_served_painter_says_what_its_seeds_are_worth(settings: Settings) -> None:
    """One rewrite is refused by the server: it has no pictures, and no score."""
    with painting("no-seed") as address:
        result = inloop.opt2i(
            "a red disc", images=address, questioner="simple-english", iterations=1, candidates=2, images_per_prompt=2,
            heldout_seeds=0, baselines=False, settings=settings,
            models={
                "llm": ScriptedChat(lambda messages: "1. a forbidden red disc\n2. a scarlet disc"),
                "vqa": ScriptedVQA(lambda image, question: 0.4), "clip": ScriptedEmbedder(),
            },
        )  # fmt: skip
    assert any("not comparable" in note for note in result.notes)
    assert result.models["images"]["id"] == "painter-1"
    assert any("refused to paint 'a forbidden red disc'" in warning for warning in result.tasks[0].warnings)


# --- pictures that are there already ---


def test_ready_pictures_are_found_by_prompt_and_seed(tmp_path: Path, settings: Settings, store: Store) -> None:
    import asyncio

    folder = tmp_path / "ready"
    for name in ("a red disc_0.png", "a-red-disc-1.png", "Two stars.png", "a blue box/0.png", "a blue box/7.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(name, 0))
    painter = open_images(f"pictures:{folder}", store, settings)

    def one(prompt: str, seed: int) -> bytes:
        [image] = asyncio.run(painter.generate([ImageRequest(prompt=prompt, seed=seed)]))
        return store.blobs.get_image(image).convert("RGB").tobytes()

    from PIL import Image

    def file(name: str) -> bytes:
        return Image.open(folder / name).convert("RGB").tobytes()

    assert one("A red disc", 1) == file("a-red-disc-1.png") and one("a red disc", 0) == file("a red disc_0.png")
    assert one("two stars!", 0) == file("Two stars.png") and one("a blue box", 7) == file("a blue box/7.png")
    assert painter.model == "ready" and len(painter.revision) == 64 and store.ledger.counts() == {}
    with pytest.raises(CallFailed, match=r"has no picture of 'a blue box' with seed 1 \(it has 0, 7\)"):
        one("a blue box", 1)
    with pytest.raises(CallFailed, match=r"has no picture of 'a cat' \(it has those of 3 prompts\)"):
        one("a cat", 0)
    (folder / "a blue box/7.png").write_bytes(b"")
    with pytest.raises(CallFailed, match="empty file"):
        one("a blue box", 7)


def test_a_manifest_says_what_belongs_to_which_prompt(tmp_path: Path, settings: Settings, store: Store) -> None:
    import asyncio

    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(picture("p", number))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        'file,prompt,seed\n0.png,"a cat, red",5\n1.png,"a cat, red",6\n2.png,a dog,\n', encoding="utf-8"
    )
    painter = open_images(f"pictures:{tmp_path}", store, settings)
    asked = [ImageRequest(prompt="a cat, red", seed=6), ImageRequest(prompt="a dog", seed=0)]
    assert len(set(asyncio.run(painter.generate(asked)))) == 2
    for text, why in (
        ("file,prompt\n9.png,a cat\n", "row 1: there is no file '9.png'"),
        ("file,seed\n0.png,1\n", "row 1: it has no 'prompt'"),
        ("file,prompt,seed\n0.png,a cat,one\n", "the seed 'one' is no whole number"),
        ("file,prompt,seed\n0.png,a cat,1\n1.png,A cat,1\n", "two pictures of 'A cat' with seed 1"),
    ):
        manifest.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput, match=why):
            open_images(f"pictures:{tmp_path}", store, settings)
    with pytest.raises(BadInput, match="there is no folder"):
        open_images("pictures:gone", store, settings)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="there is no picture in"):
        open_images(f"pictures:{tmp_path / 'empty'}", store, settings)
