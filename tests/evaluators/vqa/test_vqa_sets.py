"""Files of VQA data sets: every form that they are published in, and every way in which they do not belong together."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from inloop.evaluators.vqa.files import read_asked
from inloop.evaluators.vqa.sets import (
    check_question,
    headline_rule,
    majority,
    need_choices,
    question_kind,
    read_items,
    rules_of,
    with_pictures,
)
from inloop.evaluators.vqa.texts import with_candidates, with_captions, with_oracle
from inloop.runtime.errors import BadInput

DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data")) / "kbvqa"


def put(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def official(tmp_path, *, subset="val2014", images=(42, 7)):
    questions = [
        {"question_id": 420 + n, "image_id": image, "question": f"what is {n}?"} for n, image in enumerate(images)
    ]
    answers = [{"answer_id": n, "answer": "cat" if n < 6 else "dog"} for n in range(1, 11)]
    annotations = [
        {"question_id": q["question_id"], "image_id": q["image_id"], "question_type": "eight", "answers": answers}
        for q in questions
    ]
    return (
        put(tmp_path / "q.json", {"data_subtype": subset, "questions": questions}),
        put(tmp_path / "a.json", {"annotations": annotations}),
    )


def test_rows_a_line_are_read_as_the_list_of_them(tmp_path):
    rows = [{"question_id": n, "question": f"what is {n}?", "answers": [{"answer": "cat"}] * 10} for n in range(3)]
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n", encoding="utf-8")
    assert read_items("okvqa", lines) == read_items("okvqa", put(tmp_path / "rows.json", rows))
    assert [asked.humans for asked in read_asked(lines)] == [item.asked.humans for item in read_items("okvqa", lines)]
    lines.write_text(json.dumps(rows[0]) + '\n{"question_id": 1,\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"rows\.jsonl', line 2 is no JSON"):
        read_items("okvqa", lines)


def test_official_files_with_pictures_under_the_names_of_coco(tmp_path):
    items = read_items("okvqa", *official(tmp_path))
    assert [item.id for item in items] == ["420", "421"] and items[0].type == "plants and animals"
    assert majority(items[0].asked) == "cat"  # five to five: the first one
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("COCO_val2014_000000000042.jpg", "000000000007.png"):
        Image.new("RGB", (4, 4)).save(folder / name)
    Image.new("RGB", (4, 4)).save(folder / "mini_test_000000000009.png")
    [other] = read_items("vqav2", *official(tmp_path, images=(9,), subset="test"))
    assert with_pictures([other], folder)[0].picture.endswith("mini_test_000000000009.png")
    found = with_pictures(items, folder)
    assert [Path(item.picture).name for item in found] == ["COCO_val2014_000000000042.jpg", "000000000007.png"]


def test_missing_pictures_are_counted_and_named(tmp_path):
    items = read_items("vqav2", *official(tmp_path, images=(42, 7, 7, 9)))
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(folder / "9.png")
    with pytest.raises(BadInput, match=r"2 pictures of 4 questions are not in .*COCO_val2014_000000000042\.jpg"):
        with_pictures(items, folder)
    with pytest.raises(BadInput, match="is not there"):
        with_pictures(items, tmp_path / "nowhere")


def test_annotations_of_another_data_set(tmp_path):
    questions, _ = official(tmp_path)
    other = put(tmp_path / "b.json", {"annotations": [{"question_id": 9, "answers": [{"answer": "x"}]}]})
    with pytest.raises(BadInput, match="is of another data set: it has no answers to 2 of the 2 questions"):
        read_items("okvqa", questions, other)
    same_ids = [{"question_id": n, "image_id": 1, "answers": [{"answer": "x"}]} for n in (420, 421)]
    with pytest.raises(BadInput, match="of another data set: its question '420' is about picture 1"):
        read_items("okvqa", questions, put(tmp_path / "c.json", {"annotations": same_ids}))
    half = [{"question_id": 420, "image_id": 42, "answers": [{"answer": "x"}]}]
    with pytest.raises(BadInput, match="has no answers to 1 of the 2 questions"):
        read_items("okvqa", questions, put(tmp_path / "d.json", {"annotations": half}))
    with pytest.raises(BadInput, match="give --annotations"):
        read_items("okvqa", questions)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question_id": 1, "question": " ?! ", "answers": ["x"]}, "has no word in it"),
        ({"question_id": 1, "question": "why " * 501, "answers": ["x"]}, "has 2004 characters"),
        ({"question_id": 1, "answers": ["x"]}, "no question with 'question_id' and 'question'"),
        ({"question_id": 1, "question": "what?", "answers": 7}, "no annotated question"),
        ("text", "no question with"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, row, message):
    with pytest.raises(BadInput, match=message):
        read_items("okvqa", put(tmp_path / "q.json", [row]))


def test_a_question_twice_and_files_that_are_none(tmp_path):
    row = {"question_id": 1, "question": "what?", "answers": ["x"]}
    with pytest.raises(BadInput, match="'1' comes twice"):
        read_items("okvqa", put(tmp_path / "q.json", [row, row]))
    with pytest.raises(BadInput, match="cannot be read"):
        read_items("okvqa", tmp_path / "nothing.json")
    with pytest.raises(BadInput, match="holds no questions"):
        read_items("okvqa", put(tmp_path / "q.json", {"other": []}))
    check_question("x" * 2000)
    with pytest.raises(BadInput, match="2001 characters"):
        check_question("x" * 2001)


def test_choices_are_asked_for(tmp_path):
    row = {
        "question_id": "a",
        "question": "what?",
        "direct_answers": ["x"],
        "choices": ["x", "y"],
        "correct_choice_idx": 1,
    }
    [item] = read_items("aokvqa", put(tmp_path / "q.json", [row]))
    assert item.asked.correct == "y"
    need_choices([item])
    [bare] = read_items("aokvqa", put(tmp_path / "r.json", [{**row, "choices": None}]))
    with pytest.raises(BadInput, match="1 of 2 questions have no choices"):
        need_choices([item, bare])


@pytest.mark.parametrize(
    ("name", "content", "caption"),
    [
        ("c.json", {"420": "by question", "421": ["one", "two"]}, ("by question",)),
        ("c.json", {"42": "by picture", "7": "x"}, ("by picture",)),
        ("c.json", {"annotations": [{"image_id": 42, "caption": "a"}, {"image_id": 42, "caption": "b"},
                                    {"image_id": 7, "caption": "c"}]}, ("a", "b")),
        ("c.json", [{"question_id": 420, "vinvl_caption": "v", "vinvl_tags": "t"}, {"question_id": 421, "caption": "w"}], ("v",)),
        ("c.jsonl", [{"question_id": 420, "caption": "l"}, {"question_id": 421, "caption": "m"}], ("l",)),
    ],
)  # fmt: skip
def test_captions_in_every_form(tmp_path, name, content, caption):
    path = tmp_path / name
    text = "\n".join(json.dumps(row) for row in content) if name.endswith("l") else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    items = with_captions(read_items("okvqa", *official(tmp_path)), path)
    assert items[0].captions == caption and all(item.captions for item in items)
    assert items[0].tags == ("t" if "v" in caption else "")


def test_captions_by_picture_are_not_taken_for_those_by_question(tmp_path):
    items = read_items("okvqa", *official(tmp_path, images=(42, 420)))
    found = with_captions(items, put(tmp_path / "c.json", {"42": "first picture", "420": "second picture"}))
    assert [item.captions for item in found] == [("first picture",), ("second picture",)]


def test_captions_that_are_no_texts(tmp_path):
    items = read_items("okvqa", *official(tmp_path))
    with pytest.raises(BadInput, match="no texts"):
        with_captions(items, put(tmp_path / "c.json", {"420": {"caption": "x"}, "421": {"caption": "y"}}))
    row = {"question_id": 1, "question": "what?", "answers": ["a"], "captions": [{"text": "x"}]}
    with pytest.raises(BadInput, match="no texts"):
        read_items("okvqa", put(tmp_path / "r.json", [row]))


def test_no_picture_is_no_picture_in_common(tmp_path):
    rows = [{"question_id": n, "question": "what?", "answers": ["a"], "image_id": None} for n in range(2)]
    assert [item.image_id for item in read_items("okvqa", put(tmp_path / "r.json", rows))] == ["", ""]


def test_captions_and_oracles_of_another_data_set(tmp_path):
    items = read_items("okvqa", *official(tmp_path))
    with pytest.raises(BadInput, match="no caption for 2 of 2 questions"):
        with_captions(items, put(tmp_path / "c.json", {"1": "x"}))
    with pytest.raises(BadInput, match="about none of the 2 questions"):
        with_oracle(items, put(tmp_path / "o.json", [{"question_id": 1, "caption": "x"}]))
    found = with_oracle(items, put(tmp_path / "o.json", [{"question_id": 420, "caption": "x", "passage": "p1"}]))
    assert found[0].oracle_caption == "x" and found[0].oracle_passages == ("p1",) and not found[1].oracle_caption


def test_candidates_as_prophet_writes_them(tmp_path):
    items = read_items("okvqa", *official(tmp_path))
    some = {"420": [{"answer": "cat", "confidence": 0.9}], "421": [{"answer": "dog", "confidence": "1.2"}]}
    found = with_candidates(items, put(tmp_path / "c.json", some))
    assert [item.candidates for item in found] == [(("cat", 0.9),), (("dog", 1.0),)]
    for wrong, message in (
        (["cat"], "no candidates"),
        ({"420": ["cat"]}, "no list of"),
        ({"420": some["420"]}, "1 of 2"),
    ):
        with pytest.raises(BadInput, match=message):
            with_candidates(items, put(tmp_path / "c.json", wrong))


def test_kinds_and_rules():
    assert [question_kind(q) for q in ("How many dogs?", "What color is it?", "Is it red?", "Name it")] == [
        "how many", "what color", "yes or no", "other",
    ]  # fmt: skip
    assert headline_rule("okvqa") == "official_leave_one_out" and len(rules_of("vqav2")) == 6
    assert headline_rule("aokvqa") == "official_exact_easy_only" and len(rules_of("aokvqa")) == 10
    assert headline_rule("aokvqa", multiple_choice=True) == "multiple_choice"


def test_the_published_files():
    if not DATA.is_dir():
        pytest.skip(f"the published files are not there: {DATA}")
    flat = read_items("okvqa", DATA / "okvqa_val_questions_answers_captions.json")
    official_ones = read_items(
        "okvqa", DATA / "okvqa_OpenEnded_mscoco_val2014_questions.json", DATA / "okvqa_val_vqa_format_annotations.json"
    )
    assert len(flat) == len(official_ones) == 5046
    assert {item.id: item.asked.humans for item in flat}.keys() == {item.id for item in official_ones}
    assert all(item.captions for item in flat) and sum(bool(item.tags) for item in flat) == 1216
    captioned = with_captions(official_ones, DATA / "okvqa_val_questions_answers_captions.json")
    assert {item.id: item.captions for item in captioned} == {item.id: item.captions for item in flat}
    choice = read_items("aokvqa", DATA / "aokvqa_val_with_question_related_captions.json")
    assert len(choice) == 1145 and sum(item.asked.difficult for item in choice) == 70
    need_choices(choice)
    train = read_items("aokvqa", DATA / "aokvqa_train_2000.json")  # its truth values are texts
    assert len(train) == 2000 and 0 < sum(item.asked.difficult for item in train) < 500
