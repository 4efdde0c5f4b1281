"""Rows: read from the files that people have, refused with the place where they are broken."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import Row
from inloop.tools.data.rows import drop_overlaps, folds, per_class, read_rows, text_key
from inloop.tools.tasks.kinds import ShortAnswer

DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data")) / "llm2llm"


def write(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def test_json_lines_with_the_usual_names(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        '{"text": "rain? ", "intent": "GetWeather", "hard": true}\n\n{"id": "b", "text": "x\u2028y", "intent": 3}\n',
    )
    assert read_rows(path) == [
        Row(id="1", text="rain?", label="GetWeather", meta={"hard": True}),
        Row(id="b", text="x\u2028y", label="3"),
    ]


def test_tables_and_named_columns(tmp_path):
    path = write(tmp_path / "a.csv", 'says,means\n"one, two",b\n"three\nlines",c\n')
    rows = read_rows(path, text="says", label="means")
    assert [(row.text, row.label) for row in rows] == [("one, two", "b"), ("three\nlines", "c")]
    path = write(tmp_path / "a.json", json.dumps([{"question": "q", "answer": {"a": 1}}]))
    assert read_rows(path)[0].label == '{"a": 1}'
    with pytest.raises(BadInput, match=r"no column 'label'.*'says', 'means'"):
        read_rows(tmp_path / "a.csv", text="says", label="label")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "", "holds no rows"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "c", "label"\n', "line 2 is not JSON"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n[1]\n', "line 2 is no JSON object"),
        ("a.jsonl", '{"body": "a", "label": "b"}', "no text column.*'body'"),
        ("a.jsonl", '{"text": "a", "mood": "b"}', "no label column.*'mood'"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": " ", "label": "b"}', "row 2: the column 'text' holds ' '"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": "a"}', "row 2: the column 'label' is empty"),
        ("a.jsonl", '{"id": 7, "text": "a", "label": "b"}\n{"id": 7, "text": "c", "label": "b"}', "id '7' is that of row 1"),
        ("a.csv", "text,label\na,b,c\n", "row 1 has more cells"),
        ("a.json", '{"a": 1}', "list of objects"),
        ("a.xml", "<a/>", "is no table"),
    ],
)  # fmt: skip
def test_broken_files_say_where(tmp_path, name, content, said):
    with pytest.raises(BadInput, match=said):
        read_rows(write(tmp_path / name, content))


def test_what_is_not_there_or_not_text(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "latin.csv").write_bytes(b"text,label\ncaf\xe9,a\n")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_rows(tmp_path / "latin.csv")
    with pytest.raises(BadInput, match="save_to_disk"):
        read_rows(tmp_path)


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        path.write_bytes(b"PAR1")
        with pytest.raises(PrerequisiteError, match="pyarrow"):
            read_rows(path)
        return
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "label": [1.0, 2.5]}), path)
    assert [row.label for row in read_rows(path)] == ["1", "2.5"]
    path.write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="Parquet"):
        read_rows(path)


def test_data_sets_of_the_hub_and_saved_ones(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'inloop[datasets]'")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    made = datasets.Dataset.from_dict({"sentence": ["bad", "good"], "label": [0, 1]}, features=features)
    asked = []

    def load(name, config, split=None):
        asked.append((name, config, split))
        return datasets.DatasetDict({"train": made}) if split is None else made

    monkeypatch.setattr(datasets, "load_dataset", load)
    made.save_to_disk(str(tmp_path / "saved"))
    for place in ("hf:stanfordnlp/sst2#train", Path("hf:stanfordnlp/sst2:plain"), tmp_path / "saved"):
        assert [(row.text, row.label) for row in read_rows(place)] == [("bad", "no"), ("good", "yes")]
    assert asked == [("stanfordnlp/sst2", None, "train"), ("stanfordnlp/sst2", "plain", None)]
    with pytest.raises(BadInput, match="is not hf:OWNER/NAME"):
        read_rows("hf:a b")


def rows_of(labels):
    return [Row(id=str(n), text=f"text {n}", label=label) for n, label in enumerate(labels)]


@bounds(deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=60), st.integers(2, 4), st.integers(0, 9))
def test_each_row_is_held_out_once_and_labels_are_spread(labels, count, seed):
    rows = rows_of(labels)
    parts = folds(rows, count, seed)
    assert sorted(row.id for _, held in parts for row in held) == sorted(row.id for row in rows)
    for train, held in parts:
        assert sorted([*train, *held], key=lambda row: int(row.id)) == rows
    for label in set(labels):
        sizes = [Counter(row.label for row in held)[label] for _, held in parts]
        assert max(sizes) - min(sizes) <= 1
    sizes = [len(held) for _, held in parts]
    assert max(sizes) - min(sizes) <= 1


def test_seeds_are_drawn_by_class():
    rows = rows_of("aaaabbbbbc")
    drawn = per_class(rows[:-1], 3, 1)
    assert Counter(row.label for row in drawn) == {"a": 3, "b": 3}
    assert drawn == per_class(rows[:-1], 3, 1) != per_class(rows[:-1], 3, 2)
    with pytest.raises(BadInput, match="'c' has 1 rows"):
        per_class(rows, 3, 1)


def test_the_same_text_in_two_sets_is_found():
    assert text_key("Play  some Jazz.") == text_key("play some jazz")
    train = [Row(id="1", text="Play some jazz.", label="a"), Row(id="2", text="stop", label="b")]
    kept, dropped = drop_overlaps(train, [Row(id="9", text="play some  JAZZ", label="a")])
    assert [row.id for row in kept] == ["2"] and [row.id for row in dropped] == ["1"]


@pytest.mark.skipif(
    not DATA.is_dir(), reason=f"SNIPS and GSM8K are not in {DATA}: set INLOOP_DATA to the folder that holds llm2llm"
)
def test_snips_and_gsm8k():
    snips = read_rows(DATA / "snips/train.jsonl")
    test = read_rows(DATA / "snips/test.jsonl")
    assert len(snips) == 13784 and len({row.label for row in snips}) == 7
    assert len(drop_overlaps(test, snips)[1]) >= 2
    gsm8k = read_rows(DATA / "gsm8k/test.jsonl")
    task = ShortAnswer(match="number", marker="####")
    assert len(task.check(gsm8k)) == 1319
    assert sum(task.read(row.label).startswith("-") for row in gsm8k) == 2


def test_what_is_no_value_is_no_label_and_no_column(tmp_path):
    rows = '{"text": "a", "label": "x", "note": NaN, "list": [1, NaN]}\n{"text": "b", "label": NaN}\n'
    with pytest.raises(BadInput, match="row 2: the column 'label' is empty"):
        read_rows(write(tmp_path / "a.jsonl", rows))
    [row] = read_rows(write(tmp_path / "a.jsonl", rows.partition("\n")[0]))
    assert row.meta == {"list": [1, None]}
    with pytest.raises(BadInput, match=r"row 1: the column 'text' holds '\\u200b', not a text"):
        read_rows(write(tmp_path / "a.jsonl", '{"text": "\\u200b", "label": "x"}'))
    [row] = read_rows(
        write(tmp_path / "a.jsonl", '{"id": "\\udc80", "text": "Who \\ud83d ?", "label": "x", "own": "\\ud83d"}')
    )
    assert row == Row(id="\ufffd", text="Who \ufffd ?", label="x", meta={"own": "\ufffd"})


def test_names_of_classes_in_parquet(tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'inloop[datasets]'")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["HUM", "LOC"]), "coarse": datasets.ClassLabel(names=["a"])}
    )  # fmt: skip
    made = datasets.Dataset.from_dict(
        {"text": ["Who?", "Where?"], "label": [0, 1], "coarse": [0, -1]}, features=features
    )
    made.to_parquet(str(tmp_path / "a.parquet"))
    made.save_to_disk(str(tmp_path / "folder"))
    for place in (tmp_path / "a.parquet", tmp_path / "folder"):
        rows = read_rows(place)
        assert [(row.label, row.meta["coarse"]) for row in rows] == [("HUM", "a"), ("LOC", -1)]


def test_two_columns_that_could_be_the_text_are_told(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"sentence": "s", "question": "q", "label": "x", "answer": "y"}')
    notes = []
    [row] = read_rows(path, note=notes.append)
    assert (row.text, row.label) == ("q", "x")
    assert notes == [
        "a.jsonl: the column 'question' was taken for the text, and not 'sentence'; --text-column takes another",
        "a.jsonl: the column 'label' was taken for the label, and not 'answer'; --label-column takes another",
    ]
    read_rows(path, text="sentence", label="answer", note=notes.append)
    assert len(notes) == 2


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_write_them(tmp_path, separator, encoding):
    lines = [separator.join(cells) for cells in (("text", "label"), ("Grüße 1", "a"), (f'"x{separator} y"', "b"))]
    (tmp_path / "a.csv").write_bytes("\r\n".join(lines).encode(encoding))
    assert [(row.text, row.label) for row in read_rows(tmp_path / "a.csv")] == [
        ("Grüße 1", "a"),
        (f"x{separator} y", "b"),
    ]


def test_a_column_that_comes_twice_is_refused(tmp_path):
    with pytest.raises(BadInput, match="two columns 'text'"):
        read_rows(write(tmp_path / "a.csv", "text,label,text\na,b,c\n"))


def test_columns_with_the_names_of_arguments_are_columns(tmp_path):
    record = {"text": "a", "intent": "b", "name": "n", "label_": 1, "self": "s"}
    [row] = read_rows(write(tmp_path / "a.jsonl", json.dumps(record)))
    assert ShortAnswer().row(row.id, row.text, row.label, **row.meta) == row
