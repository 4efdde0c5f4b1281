"""Every class of vision-language models with random weights, scaled down, as a judge: P(yes) of the first token, whatever else is asked."""

import random
from collections.abc import Iterator
from pathlib import Path

import caption_models
import judge_models
import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, CallFailed, PrerequisiteError
from inloop.runtime.records import Answer, BlobRef
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.vision import VisionVQA, open_vqa
from inloop.tools.vision.questions import closed_answer, yes_or_no

QUESTIONS = ["Is there a red disc?", "Are there two stars in the picture?", "What color is the box?"]


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind of judge."""
    root = tmp_path_factory.mktemp("judges")
    return {name: save(root / name) for name, save in judge_models.JUDGES.items()}


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store.open(settings) as opened:
        yield opened


def pictures(store: Store, count: int = 2) -> list[BlobRef]:
    rng = np.random.default_rng(4)
    return [
        store.blobs.put_image(Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))) for _ in range(count)
    ]


@pytest.mark.parametrize("name", judge_models.JUDGES)
async def test_an_answer_depends_on_its_picture_and_question_alone(
    name: str, judges: dict[str, Path], settings: Settings, tmp_path: Path
) -> None:
    results: list[list[Answer]] = []
    for way in range(3):
        with Store(tmp_path / str(way)) as store:
            asked = [(image, question) for image in pictures(store) for question in QUESTIONS]
            judge = open_vqa(f"{judges[name]}?batch=3", store, settings)
            assert isinstance(judge, VisionVQA)
            if way == 0:
                answers = await judge.answer(asked)
            elif way == 1:
                answers = [(await judge.answer([one]))[0] for one in asked]
            else:
                order = random.Random(2).sample(range(len(asked)), len(asked))
                mixed = await judge.answer([asked[place] for place in order])
                answers = [mixed[order.index(place)] for place in range(len(asked))]
            await judge.aclose()
        results.append(answers)
    assert results[0] == results[1] == results[2]
    closed = [answer.p_yes for answer in results[0] if answer.p_yes is not None]
    assert [answer.p_yes is None for answer in results[0][:3]] == [False, False, True]
    assert len(set(closed)) == len(closed) == 4 and all(0 < p_yes < 1 for p_yes in closed)


@pytest.mark.parametrize("name", ["llava", "idefics3", "paligemma"])
async def test_p_yes_is_the_share_of_yes_among_all_forms_of_both_words(
    name: str, judges: dict[str, Path], settings: Settings, store: Store
) -> None:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    [image] = pictures(store, 1)
    judge = open_vqa(f"{judges[name]}?batch=1", store, settings)
    [answer] = await judge.answer([(image, QUESTIONS[0])])
    await judge.aclose()
    model, processor = (
        AutoModelForImageTextToText.from_pretrained(judges[name]),
        AutoProcessor.from_pretrained(judges[name]),
    )
    picture = store.blobs.get_image(image).convert("RGB")
    if name == "paligemma":
        text = f"answer en {QUESTIONS[0]}"
    else:
        content = [{"type": "image"}, {"type": "text", "text": f"{QUESTIONS[0]} Answer with yes or no."}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = processor(images=[picture], text=[text], return_tensors="pt")
    inputs.pop("labels", None)
    with torch.inference_mode():
        last = torch.softmax(model.eval()(**inputs).logits[0, -1].double(), dim=-1)
    vocabulary = processor.tokenizer.get_vocab()
    yes, no = (
        sum(float(last[vocabulary[form]]) for form in judge_models.YES_NO if form.strip().lower() == word)
        for word in ("yes", "no")
    )
    assert answer.p_yes == pytest.approx(yes / (yes + no), abs=2e-5)


async def test_a_second_run_loads_nothing(judges: dict[str, Path], settings: Settings, store: Store) -> None:
    [image] = pictures(store, 1)
    first, second = (open_vqa(str(judges["llava"]), store, settings) for _ in range(2))
    answers = await first.answer([(image, question) for question in QUESTIONS])
    assert await second.answer([(image, f" {question} ") for question in QUESTIONS]) == answers
    assert first.loaded and not second.loaded
    assert store.ledger.counts() == {"vqa": {"paid": 3, "reused": 3}} and store.ledger.cost.answers == 3
    await first.aclose()


async def test_nan_is_a_failure(judges: dict[str, Path], settings: Settings, store: Store, tmp_path: Path) -> None:
    import torch
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration.from_pretrained(judges["llava"])
    torch.nn.init.constant_(model.lm_head.weight, float("nan"))
    model.save_pretrained(tmp_path / "nan")
    AutoProcessor.from_pretrained(judges["llava"]).save_pretrained(tmp_path / "nan")
    judge = open_vqa(str(tmp_path / "nan"), store, settings)
    with pytest.raises(CallFailed, match="answered NaN"):
        await judge.answer([(pictures(store, 1)[0], QUESTIONS[0])])
    assert len(store.ledger.failures()) == 1
    await judge.aclose()


async def test_a_vocabulary_without_yes_is_refused(settings: Settings, store: Store, tmp_path: Path) -> None:
    judge = open_vqa(str(caption_models.llava(tmp_path / "mute")), store, settings)
    with pytest.raises(PrerequisiteError, match="no token for 'yes'"):
        await judge.answer([(pictures(store, 1)[0], QUESTIONS[0])])
    await judge.aclose()


def test_what_answers_no_questions_is_refused_at_once(
    judges: dict[str, Path], llama_folder: Path, clip_folder: Path, settings: Settings, store: Store
) -> None:
    for folder, kind in ((llama_folder, "LlamaForCausalLM"), (clip_folder, "CLIPModel")):
        with pytest.raises(BadInput, match=f"is of the class {kind}, which answers no questions"):
            open_vqa(str(folder), store, settings)
    for options in ("batch=0", "beams=3", "batch=two", "fit=maybe"):
        with pytest.raises(BadInput, match="a judge takes a batch of 1 to 256"):
            open_vqa(f"{judges['llava']}?{options}", store, settings)


async def test_an_empty_question_is_refused(judges: dict[str, Path], settings: Settings, store: Store) -> None:
    judge = open_vqa(str(judges["llava"]), store, settings)
    with pytest.raises(BadInput, match="is empty"):
        await judge.answer([(pictures(store, 1)[0], " ")])
    with pytest.raises(BadInput, match="tokens, the model takes 1024"):
        await judge.answer([(pictures(store, 1)[0], "Is it " + "very " * 300 + "red?")])
    await judge.aclose()


@pytest.mark.parametrize(
    ("token", "word"),
    [("yes", "yes"), ("ĠYes", "yes"), ("▁no", "no"), ("NO", "no"), ("not", None), ("yesterday", None), ("", None)],
)
def test_forms_of_yes_and_no(token: str, word: str | None) -> None:
    assert yes_or_no(token) == word


@pytest.mark.parametrize(
    ("said", "answer"),
    [("Yes, it is.", "yes"), ("no.", "no"), ("No", "no"), ('"Yes"', "yes"), ("none", "none"), ("not sure", "not sure")],
)
def test_an_answer_is_its_first_word(said: str, answer: str) -> None:
    assert closed_answer(said) == answer
