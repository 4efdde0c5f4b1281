"""The knowledge question set: every item is true of its picture, and the test set shares nothing with the training set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.evaluators.vqa.files import read_asked
from inloop.mini.training.train_promptcap import lines, with_words
from inloop.mini.world.drawing import SIZE, draw
from inloop.mini.world.knowledge import TEMPLATES, corpus, facts, generic, items, many_things, pairs, summary, views
from inloop.mini.world.knowledge_set import write_knowledge
from inloop.mini.world.reader import read
from inloop.mini.world.vocabulary import KINDS
from inloop.runtime.errors import BadInput
from inloop.runtime.models.cache import bundled


def test_every_fact_stands_in_its_passage() -> None:
    passages = {passage["_id"]: passage["text"].lower() for passage in corpus()}
    assert set(KINDS) < set(passages)  # and passages about things that are never drawn
    for kind, known in facts().items():
        for relation, answers in known.items():
            if relation != "text":
                assert relation in TEMPLATES and answers[0].lower() in passages[kind], (kind, relation)


def test_the_test_set_shares_nothing_with_the_training_set() -> None:
    train, test = list(items("train", 600)), list(items("test", 600))
    assert len(test) == 600 and list(items("test", 5)) == test[:5]
    assert not {item.template for item in train} & {item.template for item in test}
    assert not {(i.view.thing.kind, i.relation) for i in train} & {(i.view.thing.kind, i.relation) for i in test}
    sets = [{frozenset(o.kind for o in item.scene.objects) for item in split} for split in (train, test)]
    assert not sets[0] & sets[1]
    assert not {item.question for item in train} & {item.question for item in test}
    assert {(item.view.thing.kind, item.relation) for item in test} == set(pairs("test"))


def test_a_question_tells_neither_the_thing_nor_the_answer() -> None:
    for split in ("train", "test"):
        for item in items(split, 200, seed=3):
            assert item.view.thing.kind not in item.question.replace("?", " ").split(), item.question
            assert not any(answer in item.question for answer in item.answers)
            assert item.view.thing.kind in item.view.caption and len(item.generic) == 5


def test_a_phrase_fits_one_thing_alone() -> None:
    """Checked on the picture, by the reader that knows sprites and geometry only."""
    rng = np.random.default_rng(5)
    for _ in range(25):
        scene = many_things(rng, split="test")
        seen = read(draw(scene)).objects
        assert {thing.kind for thing in seen} == {thing.kind for thing in scene.objects}
        for view in views(scene, rng, looseness=0.0):
            words = view.phrase.split()
            middle = {o: (o.x + o.side / 2, o.y + o.side / 2) for o in seen}
            if view.kind == "corner":
                fits = [
                    o
                    for o in seen
                    if (middle[o][1] < SIZE / 2) == ("top" in words) and (middle[o][0] < SIZE / 2) == ("left" in words)
                ]
            elif view.kind == "color":
                fits = [o for o in seen if o.color == words[1]]
            elif view.kind == "size":
                fits = [o for o in seen if o.size == words[2]]
            else:
                other = next(o for o in seen if o.kind == words[-1])
                fits = []
                for o in seen:
                    dx, dy = middle[o][0] - middle[other][0], middle[o][1] - middle[other][1]
                    near = abs(dy) < 10 if {"left", "right"} & set(words) else abs(dx) < 10
                    side = {"left": dx < -10, "right": dx > 10, "above": dy < -10, "below": dy > 10}
                    fits += [o] if near and any(side[word] for word in words if word in side) else []
            assert [o.kind for o in fits] == [view.thing.kind], view.phrase


def test_generic_captions_name_two_things() -> None:
    rng = np.random.default_rng(6)
    for _ in range(40):
        scene = many_things(rng, split="train")
        for caption in (generic(scene, rng), summary(scene)):
            assert sum(thing.kind in caption.replace(",", "").split() for thing in scene.objects) == 2, caption
        large = {thing.kind for thing in scene.objects if thing.size == "large"}
        named = {word for word in summary(scene).replace(",", "").split() if word in {o.kind for o in scene.objects}}
        assert named <= large or large <= named, "large things come first"


def test_the_files(tmp_path: Path) -> None:
    out = tmp_path / "set"
    done = subprocess.run(
        [sys.executable, "-m", "inloop.mini", "knowledge", "--out", out, "--count", "40", "--train", "20"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "40 test, 20 train" in done.stdout, done.stderr
    asked = read_asked(out / "annotations.json")
    assert len(asked) == 40
    questions = json.loads((out / "questions.json").read_text(encoding="utf-8"))["questions"]
    annotations = json.loads((out / "annotations.json").read_text(encoding="utf-8"))["annotations"]
    passages = {row["_id"] for row in map(json.loads, (out / "corpus.jsonl").read_text(encoding="utf-8").splitlines())}
    oracles = [json.loads(line) for line in (out / "oracle.jsonl").read_text(encoding="utf-8").splitlines()]
    for question, annotation, oracle in zip(questions, annotations, oracles, strict=True):
        assert question["question_id"] == annotation["question_id"] == oracle["question_id"]
        assert len({answer["answer_id"] for answer in annotation["answers"]}) == 10
        assert oracle["passage_id"] in passages
        picture = Image.open(out / "images" / f"mini_test_{question['image_id']:012d}.png")
        assert picture.size == (SIZE, SIZE)
    rows = [json.loads(line) for line in (out / "train" / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 40 and all((out / "train" / row["image"]).is_file() for row in rows)
    write_knowledge(out, count=2, train=2)  # the folder of a set may be written again
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(BadInput, match="no question set"):
        write_knowledge(tmp_path / "other")
    with pytest.raises(BadInput, match="at least one"):
        write_knowledge(out, count=0)


def test_the_captioner_learns_what_is_true_and_nothing_of_the_test() -> None:
    rng = np.random.default_rng(8)
    closed = {template for _, test in TEMPLATES.values() for template in test}
    for _ in range(60):
        scene = many_things(rng, split="train")
        rows = lines(scene, rng, 6)
        assert rows[0].question is None and all(row.question for row in rows[1:])
        for row in rows:
            words = row.caption.replace(",", "").split()
            named = [thing for thing in scene.objects if thing.kind in words]
            absent = [kind for kind in KINDS if kind in words and all(kind != thing.kind for thing in named)]
            assert not absent or words[:4] == ["there", "is", "no", absent[0]], row.caption
            assert row.meant is None or row.meant in named
            starts = [template.partition("{x}")[0] for template in closed]
            assert not any(start and (row.question or "").startswith(start) for start in starts)


def test_new_words_leave_the_old_ones_as_they_were() -> None:
    import torch
    from transformers import BertTokenizer, BlipForQuestionAnswering

    start = Path(bundled("vqa"))
    larger, words = with_words(start, ["corner", "profession", "red"])
    old = BertTokenizer.from_pretrained(start)
    model = BlipForQuestionAnswering.from_pretrained(start, dtype=torch.float32).eval()
    assert len(words) == len(old) + 2 and words.tokenize("red corner") == ["red", "corner"]
    asked = old("is there a red circle?", return_tensors="pt")
    assert asked.input_ids.tolist() == words("is there a red circle?", return_tensors="pt").input_ids.tolist()
    states = torch.randn(1, 65, 128)
    with torch.inference_mode():
        read = [
            net.text_encoder(input_ids=asked.input_ids, encoder_hidden_states=states)[0]
            for net in (model, larger.eval())
        ]
        said = [
            net.text_decoder(input_ids=asked.input_ids, encoder_hidden_states=states).logits[..., : len(old)]
            for net in (model, larger)
        ]
    assert torch.allclose(*read, atol=1e-5) and torch.allclose(*said, atol=1e-4)
