"""The knowledge question set as files: the forms of the VQA benchmarks, so that what reads OK-VQA reads it.

    questions.json, annotations.json   the test set in the official form, ten answers a question
    images/                            mini_test_000000000001.png, ... named as COCO's
    corpus.jsonl                       passages in BEIR's form
    oracle.jsonl                       question_id, caption, passage_id, thing: what a perfect captioner and retriever give
    captions.jsonl                     image_id, captions: five of each picture, that nobody asked for
    seeing.jsonl                       rows on the test pictures whose answer is to be seen ("what is ...?")
    train/                             the same of the training set, and rows.jsonl for `inloop promptcap synthesize`

A row is {"id", "image", "question", "answers", "captions"}, its image a path from its own file; those of the training set have
the right caption too ("caption"), so that `inloop promptcap train` can do without a language model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from .drawing import draw
from .knowledge import Asked, Split, corpus, items

__all__ = ["write_knowledge"]

_INFO = {"description": "inloop mini knowledge questions", "version": "1", "license": "Apache-2.0"}
_SEEING = {"train": "what is {x}?", "test": "can you name {x}?"}


def write_knowledge(out: Path, *, count: int = 600, train: int = 600, seed: int = 0) -> dict[str, int]:
    """Write both sets under the folder `out`; how many items each has.

    Raises:
        BadInput: a count below 1, or `out` holds something else.
        PrerequisiteError: the folder cannot be written.
    """
    if min(count, train) < 1:
        raise BadInput(f"count={count!r} and train={train!r}: write at least one item of each set.")
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "corpus.jsonl").exists())):
        raise BadInput(f"{str(out)!r} holds something that is no question set: give another folder.")
    try:
        _write_set(out, list(items("test", count, seed)), "test")
        _write_set(out / "train", list(items("train", train, seed)), "train")
        _write_lines(out / "corpus.jsonl", corpus())
    except OSError as error:
        raise PrerequisiteError(
            f"{str(out)!r} cannot be written ({error.strerror or error})", remedy="give a folder that you may write to."
        ) from error
    return {"test": count, "train": train, "passages": len(corpus())}


def _write_set(folder: Path, asked: list[Asked], split: Split) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    base = 0 if split == "test" else 1_000_000
    questions, annotations, oracles, captions, rows, seeing = [], [], [], [], [], []
    for number, item in enumerate(asked, start=base + 1):
        image = f"images/mini_{split}_{number:012d}.png"
        draw(item.scene).save(folder / image)
        question = {"image_id": number, "question_id": number, "question": item.question}
        questions.append(question)
        annotations.append(
            {
                "image_id": number,
                "question_id": number,
                "question_type": item.relation,
                "answer_type": "other",
                "multiple_choice_answer": item.answers[0],
                "answers": [
                    {"answer": answer, "answer_confidence": "yes", "answer_id": place}
                    for place, answer in enumerate(_ten(item.answers), start=1)
                ],
            }
        )
        thing = item.view.thing.kind
        oracles.append(
            {"question_id": number, "caption": item.view.caption, "passage_id": item.passage, "thing": thing}
            | {"way": item.view.kind, "template": item.template}
        )
        captions.append({"image_id": number, "captions": list(item.generic)})
        row: dict[str, Any] = {"image": image, "captions": list(item.generic)}
        if split == "train":
            row["caption"] = item.view.caption
        rows.append({"id": f"k{number}", **row, "question": item.question, "answers": list(item.answers)})
        asks = _SEEING[split].format(x=item.view.phrase)
        seeing.append({"id": f"s{number}", **row, "question": asks, "answers": [thing]})
    head = {"info": _INFO, "data_type": "mini", "data_subtype": split}
    _write_json(folder / "questions.json", {**head, "task_type": "Open-Ended", "questions": questions})
    _write_json(folder / "annotations.json", {**head, "annotations": annotations})
    _write_lines(folder / "oracle.jsonl", oracles)
    _write_lines(folder / "captions.jsonl", captions)
    if split == "test":
        _write_lines(folder / "seeing.jsonl", seeing)
    else:
        _write_lines(folder / "rows.jsonl", [*rows, *seeing])


def _ten(answers: tuple[str, ...]) -> list[str]:
    """What ten people would say: most of them the usual answer."""
    others = answers[1:]
    return [answers[0]] * (7 if others else 10) + [others[place % len(others)] for place in range(3 if others else 0)]


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_lines(path: Path, rows: Iterable[Any]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
