"""Captions by scaled-down models of the classes that users give: no caption depends on its company."""

from __future__ import annotations

import importlib.util
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import caption_models
import numpy as np
import pytest
from PIL import Image

from inloop.mini.world.drawing import draw
from inloop.mini.world.knowledge import items
from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.vision import captioners as captions
from inloop.tools.vision.blip_captioner import BlipCaptioner
from inloop.tools.vision.captioners import open_captioner
from inloop.tools.vision.local_captioner import promptcap_prompt

QUESTIONS = ["is there a disc?", "what color is the star?", "is the red disc to the left of the blue box?", None]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def blip_caption_folder(blip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Salesforce/blip-image-captioning-base, with the weights of the scaled-down blip-vqa where the two agree."""
    from transformers import BlipForConditionalGeneration

    folder = tmp_path_factory.mktemp("models") / "blip-caption-small"
    shutil.copytree(blip_folder, folder)
    BlipForConditionalGeneration.from_pretrained(blip_folder).save_pretrained(folder)
    return folder


def pictures(store: Store, count: int = 5) -> list[BlobRef]:
    rng = np.random.default_rng(4)
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))) for _ in range(count)
    ]


async def in_company(folder: str, settings: Settings, tmp_path: Path) -> list[str]:
    """The captions of every picture for every question, after checking that any batch gives the same ones."""
    results = []
    for number in range(3):
        with Store(tmp_path / str(number)) as store:
            asked = [(image, question) for image in pictures(store) for question in QUESTIONS]
            captioner = open_captioner(folder, store, settings)
            if number == 0:
                said = await captioner.caption(asked)
            elif number == 1:
                said = [(await captioner.caption([one]))[0] for one in asked]
            else:
                order = random.Random(number).sample(range(len(asked)), len(asked))
                given = [
                    await captioner.caption([asked[place] for place in order[at : at + 7]]) for at in range(0, 20, 7)
                ]
                mixed = [text for part in given for text in part]
                said = [mixed[order.index(place)] for place in range(len(asked))]
            await captioner.aclose()
        results.append(said)
    assert results[0] == results[1] == results[2]
    return results[0]


async def test_captions_of_blip_vqa_do_not_depend_on_their_company(
    blip_folder: Path, settings: Settings, tmp_path: Path
) -> None:
    assert len(set(await in_company(f"{blip_folder}?tokens=12", settings, tmp_path))) > 5


async def test_captions_of_blip_captioning_do_not_depend_on_their_company(
    blip_caption_folder: Path, settings: Settings, tmp_path: Path
) -> None:
    assert len(set(await in_company(f"{blip_caption_folder}?tokens=12", settings, tmp_path))) > 5


async def test_captions_of_blip_vqa_are_those_of_transformers(
    blip_folder: Path, settings: Settings, store: Store
) -> None:
    from transformers import BlipForQuestionAnswering, BlipProcessor

    images = pictures(store, 2)
    captioner = open_captioner(f"{blip_folder}?tokens=12&beams=3", store, settings)
    model = BlipForQuestionAnswering.from_pretrained(blip_folder).eval()
    processor = BlipProcessor.from_pretrained(blip_folder)
    for image in images:
        for question, said in zip(QUESTIONS, await captioner.caption([(image, q) for q in QUESTIONS]), strict=True):
            inputs = processor(
                images=store.blobs.get_image(image), text=promptcap_prompt(question), return_tensors="pt"
            )
            made = model.generate(**inputs, max_new_tokens=12, num_beams=3, no_repeat_ngram_size=3, do_sample=False)
            assert said == processor.decode(made[0][1:], skip_special_tokens=True).strip()
    await captioner.aclose()


async def test_captions_of_blip_captioning_are_those_of_transformers(
    blip_caption_folder: Path, settings: Settings, store: Store
) -> None:
    from transformers import BlipForConditionalGeneration, BlipProcessor

    images = pictures(store, 2)
    captioner = open_captioner(f"{blip_caption_folder}?tokens=12", store, settings)
    model = BlipForConditionalGeneration.from_pretrained(blip_caption_folder).eval()
    processor = BlipProcessor.from_pretrained(blip_caption_folder)
    for image in images:
        for question, said in zip(QUESTIONS, await captioner.caption([(image, q) for q in QUESTIONS]), strict=True):
            text = promptcap_prompt(question) if question else ""  # a published captioner has no generic prompt
            inputs = processor(images=store.blobs.get_image(image), text=text, return_tensors="pt")
            room = 64 - (inputs.input_ids.shape[1] - 1)
            made = model.generate(**inputs, max_new_tokens=min(12, room), do_sample=False)
            written = made[0][inputs.input_ids.shape[1] - 1 :]
            assert said == processor.decode(written, skip_special_tokens=True).strip()
    await captioner.aclose()


async def test_a_picture_is_encoded_once_and_a_caption_is_paid_once(
    blip_folder: Path, settings: Settings, store: Store
) -> None:
    images = pictures(store, 3)
    captioner = open_captioner(f"{blip_folder}?tokens=6", store, settings)
    assert isinstance(captioner, BlipCaptioner)
    asked = [(image, question) for image in images for question in QUESTIONS]
    said = await captioner.caption(asked)
    assert captioner.encoded == 3
    assert store.ledger.counts()["caption"] == {"paid": 12, "reused": 0}
    assert await captioner.caption(asked) == said
    assert store.ledger.counts()["caption"]["paid"] == 12
    await captioner.aclose()


async def test_what_cannot_be_captioned_is_named(blip_folder: Path, settings: Settings, store: Store) -> None:
    image, lost = pictures(store, 2)
    store.blobs.path(lost).unlink()
    captioner = open_captioner(f"{blip_folder}?tokens=6", store, settings)
    with pytest.raises(BadInput, match="the question ' ' is empty"):
        await captioner.caption([(image, " ")])
    with pytest.raises(BadInput, match="tokens, the model takes 64"):
        await captioner.caption([(image, "is it red? " * 182), (image, QUESTIONS[0])])
    assert store.ledger.counts()["caption"]["paid"] == 1  # the other one is kept
    with pytest.raises(PrerequisiteError, match="not in the store"):
        await captioner.caption([(lost, QUESTIONS[0])])
    await captioner.aclose()
    for options in ("beams=0", "batch=x", "nonsense=1"):
        with pytest.raises(BadInput, match="whole numbers above 0"):
            open_captioner(f"{blip_folder}?{options}", store, settings)


async def test_the_bundled_captioner_says_what_is_asked_for(settings: Settings, store: Store) -> None:
    """On sets of things, and in words, that it was not trained on."""
    folder = Path(str(captions.find_weights("mini", "promptcap", settings.cache_dir).root))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 15_000_000
    asked = list(items("test", 40, seed=77))
    blobs = [store.blobs.put_image(draw(item.scene)) for item in asked]
    captioner = open_captioner("mini-promptcap", store, settings)
    assert captioner.model == "mini-promptcap"
    said = await captioner.caption([(blob, item.question) for blob, item in zip(blobs, asked, strict=True)])
    unasked = await captioner.caption([(blob, None) for blob in blobs])
    await captioner.aclose()
    named, by_chance = (
        sum(item.view.thing.kind in text.replace(",", "").split() for item, text in zip(asked, texts, strict=True))
        for texts in (said, unasked)
    )
    assert named >= 32 and by_chance <= 24


def test_weights_that_transformers_cannot_load_are_refused(settings: Settings, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "promptcap-coco-vqa"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "ofa", "architectures": ["OFAModel"]}', encoding="utf-8")
    with pytest.raises(PrerequisiteError, match="transformers has no OFA") as error:
        open_captioner(str(folder), store, settings)
    assert "mini-promptcap" in error.value.remedy


async def test_a_model_without_eyes_is_refused(llama_folder: Path, settings: Settings, store: Store) -> None:
    captioner = open_captioner(str(llama_folder), store, settings)
    with pytest.raises(PrerequisiteError, match="no class that describes a picture"):
        await captioner.caption([(pictures(store, 1)[0], None)])
    await captioner.aclose()


async def test_captions_of_florence_2_do_not_depend_on_their_company(settings: Settings, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = caption_models.florence2(tmp_path / "florence2")
    said = await in_company(f"{folder}?tokens=8&batch=4", settings, tmp_path)
    assert len(set(said)) > 2
    model, processor = AutoModelForImageTextToText.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    with Store(tmp_path / "again") as store:
        picture = store.blobs.get_image(pictures(store)[0]).convert("RGB")
    for place, text in ((0, promptcap_prompt(QUESTIONS[0])), (3, "<CAPTION>")):
        inputs = processor(images=[picture], text=[text], return_tensors="pt")
        [made] = model.generate(**inputs, max_new_tokens=8, do_sample=False)
        assert said[place] == " ".join(processor.tokenizer.decode(made, skip_special_tokens=True).split())


async def test_qwen_vl_runs_without_torchvision(settings: Settings, tmp_path: Path) -> None:
    folder = caption_models.qwen_vl(tmp_path / "qwen")
    assert len(set(await in_company(f"{folder}?tokens=8&batch=4", settings, tmp_path))) > 2


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
async def test_a_processor_that_needs_torchvision_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(kind: str) -> None:
        raise ImportError(f"{kind} needs num2words")

    folder = caption_models.qwen_vl(tmp_path / "qwen")
    monkeypatch.setattr("inloop.tools.models.vision_language._without_video", fails)
    with Store(tmp_path / "store") as store:
        captioner = open_captioner(str(folder), store, settings)
        with pytest.raises(PrerequisiteError, match=r"needs torchvision, .* needs num2words") as error:
            await captioner.caption([(pictures(store, 1)[0], QUESTIONS[0])])
        assert "pytorch.org" in error.value.remedy and "URL" in error.value.remedy
        await captioner.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("make", [caption_models.blip2, caption_models.instructblip, caption_models.llava])
async def test_captions_of_other_classes_do_not_depend_on_their_company(
    make: Callable[[Path], Path], settings: Settings, tmp_path: Path
) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = make(tmp_path / make.__name__)
    said = await in_company(f"{folder}?tokens=8&batch=4", settings, tmp_path)
    assert len(set(said)) > 2
    model, processor = AutoModelForImageTextToText.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    with Store(tmp_path / "again") as store:
        picture = store.blobs.get_image(pictures(store)[0]).convert("RGB")
    text = promptcap_prompt(QUESTIONS[0])
    if processor.chat_template:
        content = [{"type": "image"}, {"type": "text", "text": text}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(images=[picture], text=[text], return_tensors="pt")
    made = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert said[0] == " ".join(processor.tokenizer.decode(made, skip_special_tokens=True).split())
