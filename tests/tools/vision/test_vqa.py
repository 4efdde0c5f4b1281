"""Questions to a scaled-down blip-vqa-base: the picture is encoded once, and no answer depends on its company."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.records import Answer, BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.vision.open import open_vqa
from inloop.tools.vision.questions import is_closed
from inloop.tools.vision.vqa import BlipVQA

QUESTIONS = [
    "is there a disc?",
    "is the box blue?",
    "are there two stars in the picture?",
    "what color is the star?",
    "Is the red disc to the left of the blue box?",
]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def pictures(store: Store, count: int = 6) -> list[BlobRef]:
    rng = np.random.default_rng(4)
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))) for _ in range(count)
    ]


async def test_answers_do_not_depend_on_their_company(blip_folder: Path, settings: Settings, tmp_path: Path) -> None:
    results = []
    for number in range(4):
        with Store(tmp_path / str(number)) as store:
            asked = [(image, question) for image in pictures(store) for question in QUESTIONS]
            vqa = open_vqa(str(blip_folder), store, settings)
            if number == 0:
                answers = await vqa.answer(asked)
            elif number == 1:
                answers = [(await vqa.answer([one]))[0] for one in asked]
            else:
                order = random.Random(number).sample(range(len(asked)), len(asked))
                given = [await vqa.answer([asked[place] for place in order[at : at + 7]]) for at in range(0, 30, 7)]
                mixed = [answer for part in given for answer in part]
                answers = [mixed[order.index(place)] for place in range(len(asked))]
            await vqa.aclose()
        results.append(answers)
    assert results[0] == results[1] == results[2] == results[3]
    assert len({answer.p_yes for answer in results[0]}) > 12  # the random model does tell pictures and questions apart
    assert [answer.p_yes is None for answer in results[0][:5]] == [False, False, False, True, False]


async def test_a_call_that_is_made_to_fit_is_answered_in_full_batches(
    blip_folder: Path, settings: Settings, store: Store
) -> None:
    vqa = open_vqa(f"{blip_folder}?fit=yes", store, settings)
    asked = [(image, QUESTIONS[0]) for image in pictures(store, 5)]
    await vqa.answer(asked[:1])
    encoded: list[int] = []
    decoded: list[int] = []
    vqa._model.vision_model.register_forward_hook(
        lambda module, args, kwargs, output: encoded.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    vqa._model.text_encoder.register_forward_hook(
        lambda module, args, kwargs, output: decoded.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    answers = await vqa.answer([*asked, asked[0]])
    assert answers[5] == answers[0]
    assert sorted(encoded) == [1, 2, 2] and sorted(decoded) == [1, 4]
    assert store.ledger.cost.answers == 6
    for size, part in ((4, slice(0, 4)), (1, slice(4, 5))):
        other = open_vqa(f"{blip_folder}?batch={size}", store, settings)
        assert await other.answer(asked[part]) == answers[part] and store.ledger.cost.answers == 6
        await other.aclose()
    await vqa.aclose()


async def test_answers_are_those_of_transformers(blip_folder: Path, settings: Settings, store: Store) -> None:
    import torch
    from transformers import BlipForQuestionAnswering, BlipProcessor

    images = pictures(store, 2)
    vqa = open_vqa(str(blip_folder), store, settings)
    model = BlipForQuestionAnswering.from_pretrained(blip_folder).eval()
    processor = BlipProcessor.from_pretrained(blip_folder)
    yes, no = (processor.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    for image in images:
        for question, answer in zip(QUESTIONS, await vqa.answer([(image, q) for q in QUESTIONS]), strict=True):
            inputs = processor(images=store.blobs.get_image(image), text=question, return_tensors="pt")
            made = model.generate(
                **inputs, max_new_tokens=10, output_logits=True, return_dict_in_generate=True, do_sample=False
            )
            assert answer.text == processor.decode(made.sequences[0][1:], skip_special_tokens=True).strip()
            if answer.p_yes is not None:
                both = torch.softmax(made.logits[0][0, [yes, no]], dim=-1)
                assert answer.p_yes == pytest.approx(float(both[0]), abs=1e-5)
    await vqa.aclose()


async def test_a_picture_is_encoded_once_for_all_its_questions(
    blip_folder: Path, settings: Settings, store: Store
) -> None:
    images = pictures(store, 6)
    vqa = open_vqa(str(blip_folder), store, settings)
    await vqa.answer([(images[0], QUESTIONS[0])])
    seen: list[int] = []
    vqa._model.vision_model.register_forward_hook(
        lambda module, args, kwargs, output: seen.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    for question in QUESTIONS:  # one batch after the other, and callers at the same time
        await asyncio.gather(*(vqa.answer([(image, question)]) for image in images))
    assert vqa.encoded == 6 and seen == [4, 4]  # 5 new pictures, in batches of 4 with blanks
    await vqa.aclose()


async def test_the_memory_of_pictures_is_bounded(
    blip_folder: Path, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inloop.tools.models.blip._REMEMBERED", 1)
    images = pictures(store, 6)
    vqa = open_vqa(str(blip_folder), store, settings)
    answers = await vqa.answer([(image, QUESTIONS[0]) for image in images])
    assert len(vqa._memory) == 4 and len(answers) == 6
    await vqa.aclose()


async def test_a_cached_run_loads_nothing(blip_folder: Path, settings: Settings, store: Store) -> None:
    (image,) = pictures(store, 1)
    vqa = open_vqa(str(blip_folder), store, settings)
    (answer,) = await vqa.answer([(image, QUESTIONS[0])])
    assert await vqa.answer([(image, f"  {QUESTIONS[0]} ")]) == [answer]  # blanks are no other question
    assert store.ledger.cost.answers == 1 and store.ledger.counts()["vqa"] == {"paid": 1, "reused": 1}
    await vqa.aclose()
    store.close()
    code = f"""
import asyncio, sys
from pathlib import Path
from inloop.runtime.records import BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.vision import open_vqa
settings = Settings(runs_dir=Path({str(settings.runs_dir)!r}), cache_dir=Path({str(settings.cache_dir)!r}))
vqa = open_vqa({str(blip_folder)!r}, Store.open(settings), settings)
(answer,) = asyncio.run(vqa.answer([(BlobRef.model_validate({image.model_dump()!r}), {QUESTIONS[0]!r})]))
assert not vqa.loaded
print(answer.model_dump_json(), [name for name in ("torch", "transformers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"{answer.model_dump_json()} []\n", done.stderr


async def test_one_missing_picture_fails_alone(blip_folder: Path, settings: Settings, store: Store) -> None:
    images = pictures(store, 2)
    store.blobs.path(images[0]).unlink()
    vqa = open_vqa(str(blip_folder), store, settings)
    lost, kept = await asyncio.gather(
        *(vqa.answer([(image, QUESTIONS[0])]) for image in images), return_exceptions=True
    )
    assert isinstance(lost, PrerequisiteError) and "not in the store" in str(lost)
    assert isinstance(kept, list) and isinstance(kept[0], Answer)
    assert vqa.stats.batches == 1
    await vqa.aclose()


async def test_questions_that_cannot_be_asked_are_refused(blip_folder: Path, settings: Settings, store: Store) -> None:
    (image,) = pictures(store, 1)
    vqa = open_vqa(str(blip_folder), store, settings)
    with pytest.raises(BadInput, match=r"the question '' is empty"):
        await vqa.answer([(image, "")])
    assert not vqa.loaded
    long = "is the disc " + "red " * 70
    with pytest.raises(BadInput, match=r"75 tokens, the model takes 64"):
        await vqa.answer([(image, long), (image, QUESTIONS[0])])
    assert store.ledger.counts()["vqa"]["paid"] == 1  # the other question's answer is kept
    await vqa.aclose()


async def test_nan_is_a_failure(
    blip_folder: Path, settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlipVQA, "_decode", lambda self, pictures, ids, batch: [("yes", float("nan"))] * len(ids))
    vqa = open_vqa(str(blip_folder), store, settings)
    with pytest.raises(CallFailed, match="answered NaN"):
        await vqa.answer([(pictures(store, 1)[0], QUESTIONS[0])])
    assert len(store.ledger.failures()) == 1
    await vqa.aclose()


async def test_a_vocabulary_without_yes_is_refused(
    blip_folder: Path, settings: Settings, store: Store, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "mute"
    shutil.copytree(blip_folder, folder)
    words = folder / "tokenizer.json"
    words.write_text(words.read_text(encoding="utf-8").replace('"yes"', '"yep"'), encoding="utf-8")
    vqa = open_vqa(str(folder), store, settings)
    with pytest.raises(PrerequisiteError, match="no token for 'yes'"):
        await vqa.answer([(pictures(store, 1)[0], QUESTIONS[0])])
    await vqa.aclose()


@pytest.mark.parametrize(
    ("question", "closed"),
    [
        ("Is there a disc?", True),
        (" are the stars red", True),
        ("Does it fly?", True),
        ("What is it?", False),
        ("How many?", False),
        ("", False),
    ],
)
def test_closed_questions_begin_with_an_auxiliary(question: str, closed: bool) -> None:
    assert is_closed(question) is closed
