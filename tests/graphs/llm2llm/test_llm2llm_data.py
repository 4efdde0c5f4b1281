"""The parts of an experiment never share a text, and other repeats draw other seeds."""

from __future__ import annotations

from collections import Counter

import pytest
from row_stand_ins import made_rows, write_rows

from inloop.evaluators.stats import standard_error
from inloop.graphs.llm2llm.arms import arms_of
from inloop.graphs.llm2llm.data import Source, open_source
from inloop.graphs.llm2llm.result import ArmRow, ArmRun, Measured
from inloop.graphs.llm2llm.table import table, undertrained
from inloop.runtime.errors import BadInput
from inloop.runtime.records import Row
from inloop.tools.data.rows import read_rows


@pytest.fixture
def files(tmp_path):
    test, train = made_rows(8, seed=2, start=1000), made_rows(20, seed=1)
    shared = [Row(id=f"s{row.id}", text=row.text.upper(), label=row.label) for row in test[:3]]
    again = [Row(id="again", text=train[0].text, label=train[0].label)]
    write_rows(tmp_path / "test.jsonl", test)
    write_rows(tmp_path / "train.jsonl", [*train, *shared, *again])
    return tmp_path


def texts(rows):
    return {row.text.casefold() for row in rows}


def test_no_text_is_in_two_parts(files):
    source = Source(train=files / "train.jsonl", test=files / "test.jsonl", seeds_per_class=4)
    assert any("have the text of a test or dev row" in note for note in source.notes)
    assert any("repeat another row" in note for note in source.notes)
    draws = [source.parts(seed) for seed in (0, 1)]
    for parts in draws:
        groups = [texts(rows) for rows in (parts.seeds, parts.dev, parts.test, parts.pool)]
        assert sum(map(len, groups)) == len(set().union(*groups))
        assert Counter(row.label for row in parts.seeds) == dict.fromkeys(("music", "weather", "dining"), 4)
        assert Counter(row.label for row in parts.dev) == dict.fromkeys(("music", "weather", "dining"), 2)
    assert texts(draws[0].seeds) != texts(draws[1].seeds) and draws[0].test == draws[1].test
    assert source.parts(0) == draws[0]


def test_where_all_rows_are_used_dev_is_a_fifth_of_each_class(files):
    source = Source(train=files / "train.jsonl", test=files / "test.jsonl")
    parts = source.parts(0)
    assert len(parts.dev) == 12 and not texts(parts.dev) & texts(parts.seeds) and parts.pool == ()
    assert Source(train=files / "train.jsonl", test=files / "test.jsonl", dev_per_class=0).parts(0).dev == ()


def test_a_dev_file_and_a_pool_of_ones_own(files):
    write_rows(files / "dev.jsonl", made_rows(3, seed=7, start=500))
    source = Source(
        train=files / "train.jsonl",
        test=files / "test.jsonl",
        dev=files / "dev.jsonl",
        pool=files / "train.jsonl",
        seeds_per_class=4,
    )
    parts = source.parts(0)
    assert len(parts.dev) == 9 and not texts(parts.pool) & (texts(parts.seeds) | texts(parts.test) | texts(parts.dev))


def test_open_answers_are_drawn_without_classes(tmp_path):
    write_rows(tmp_path / "sums.jsonl", [Row(id=str(i), text=f"{i} + 1?", label=str(i + 1)) for i in range(20)])
    parts = Source(
        train=tmp_path / "sums.jsonl", task="short-answer", options={"match": "number"}, seeds_per_class=6
    ).parts(0)
    assert (len(parts.seeds), len(parts.dev)) == (6, 3)
    with pytest.raises(BadInput, match="21"):
        Source(train=tmp_path / "sums.jsonl", task="short-answer", seeds_per_class=21).parts(0)


def labelled(path, **classes):
    """`count` rows of each class."""
    rows = [
        Row(id=f"{label}{n}", text=f"{label} text {n}", label=label)
        for label, count in classes.items()
        for n in range(count)
    ]
    return write_rows(path, rows)


def test_a_class_with_few_rows_gives_all_it_has(tmp_path):
    train = labelled(tmp_path / "train.jsonl", many=30, some=12, few=6, one=1)
    source = Source(train=train, seeds_per_class=10)
    parts = source.parts(0)
    assert Counter(row.label for row in parts.seeds) == {"many": 10, "some": 10, "few": 6, "one": 1}
    assert Counter(row.label for row in parts.dev) == {"many": 5, "some": 2}
    assert [note for note in source.notes if "2 of 4 classes have fewer than 10" in note and "'few' (6)" in note]
    with pytest.raises(BadInput, match=r"no class has the 31 rows.*'many', has 30"):
        Source(train=train, seeds_per_class=31)


def test_labels_that_only_the_test_or_the_pool_has(tmp_path):
    train = labelled(tmp_path / "train.jsonl", red=12, blue=12)
    test = labelled(tmp_path / "test.jsonl", red=3, purple=3)
    pool = labelled(tmp_path / "pool.jsonl", blue=40, pink=2)
    source = Source(train=train, test=test, pool=pool, seeds_per_class=4)
    assert source.task.classes == ("blue", "purple", "red") and len(source.parts(0).test) == 6
    assert any("3 test rows have labels that no training row has ('purple')" in note for note in source.notes)
    assert any("2 pool rows have labels" in note for note in source.notes)
    assert {row.label for row in source.parts(0).pool} == {"blue"} and len(source.parts(0).seeds) == 8
    with pytest.raises(BadInput, match=r"test rows: .*Did you mean 'purple'"):
        labelled(tmp_path / "train.jsonl", red=12, purple=12)
        Source(train=train, test=labelled(tmp_path / "slip.jsonl", red=3, purpple=1))
    with pytest.raises(BadInput, match=r"none has a label of the training rows.*'green'"):
        Source(train=train, test=labelled(tmp_path / "other.jsonl", green=3, grey=4))


def test_texts_with_several_labels_are_not_learned_from_and_still_measured(tmp_path):
    rows = [Row(id=str(n), text=f"text {n}", label="xy"[n % 2]) for n in range(20)]
    torn = [Row(id="a", text="Text 3.", label="x"), Row(id="b", text="text 4", label="x")]
    train = write_rows(tmp_path / "train.jsonl", [*rows, *torn])
    test = write_rows(tmp_path / "test.jsonl", [Row(id=str(n), text="the same", label="xy"[n]) for n in range(2)])
    source = Source(train=train, test=test, dev_per_class=0)
    parts = source.parts(0)
    assert len(parts.seeds) == 19 and "text 3" not in texts(parts.seeds) and len(parts.test) == 2
    assert [note for note in source.notes if "2 training rows have the text" in note and "'y' and 'x'" in note]
    assert any("2 test rows have the text" in note and "got right" in note for note in source.notes)
    assert any("1 training rows repeat" in note for note in source.notes)


def test_the_table_pairs_its_gains_by_repeat():
    def run(way, repeat, right, added=5):
        right = tuple(bool(int(sign)) for sign in right * 2)  # of fewer than six rows there is no interval
        test = Measured(n=8, accuracy=sum(right) / 8, right=right)
        return ArmRun(way=way, repeat=repeat, stop="steps", seeds=3, added=added, test=test)

    made = [("seed-only", 0, "1000", 0), ("seed-only", 1, "1110", 0), ("ours", 0, "1100"), ("ours", 1, "1111")]
    runs = [run(*given) for given in [*made, ("eda", 0, "1100", 3), ("eda", 1, "1110", 3)]]
    rows = {row.way: row for row in table(runs, "ours")}
    assert (rows["ours"].gain, rows["ours"].accuracy) == (25.0, 75.0)
    assert rows["ours"].gain_se is None, "two gains that happen to be equal are no standard error of 0"
    low, high = rows["ours"].ci
    assert low <= 25.0 <= high and low < high
    assert rows["ours"].se == pytest.approx(25.0) and rows["seed-only"].gain is None
    assert rows["eda"].gain == 12.5 and rows["eda"].gain_se == 12.5 and "fewer rows" in rows["eda"].note
    [alone, one] = table([runs[0], runs[2]], "ours")
    assert one.gain == 25.0 and one.gain_se is None and one.ci is not None and alone.ci is None
    assert standard_error([1.0]) is None and standard_error([1.0, 3.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ArmRow(way="repeated", accuracy=60.0, gain=20.0, gain_se=2.0)], "+20.0 points"),
        ([ArmRow(way="repeated", accuracy=60.0, gain=0.3, gain_se=0.2)], ""),
        ([ArmRow(way="repeated", accuracy=40.0, gain=-9.0, gain_se=1.0)], ""),
        ([ArmRow(way="repeated", accuracy=60.0, gain=5.0, ci=(1.0, 9.0))], "+5.0 points"),
        ([ArmRow(way="repeated", accuracy=60.0, gain=5.0, ci=(-1.0, 11.0))], ""),
        ([ArmRow(way="ours", accuracy=60.0, gain=20.0, gain_se=2.0)], ""),
        ([ArmRow(way="repeated", accuracy=None)], ""),
    ],
)
def test_a_student_that_only_wanted_more_training_is_told(rows, said):
    found = undertrained([ArmRow(way="seed-only", accuracy=40.0), *rows])
    assert (said in found and "updates" in found) if said else found == ""


def test_all_ways_are_those_that_can_be():
    assert arms_of(["all"], "ours", pool=False)[0] == "ours" and "oracle" not in arms_of(["all"], "ours", pool=False)
    assert arms_of(["all"], "paper", pool=True) == [
        "paper",
        "seed-only",
        "repeated",
        "eda",
        "random",
        "ours",
        "oracle",
    ]
    assert arms_of(["none"], "ours", pool=True) == ["ours"]


def test_rows_may_be_in_memory(tmp_path):
    from inloop.graphs.llm2llm import Llm2LlmConfig
    from inloop.runtime.settings import Settings

    settings = Settings(runs_dir=tmp_path / "runs")
    rows = [{"text": f"{word} {n}", "label": label} for label, word in (("a", "x"), ("b", "y")) for n in range(4)]
    rows[0] |= {"id": "own", "note": float("nan"), "tags": ["t", 1]}
    given = {
        "list": rows,
        "records": [Row(id=str(n), **{name: row[name] for name in ("text", "label")}) for n, row in enumerate(rows)],
    }
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install 'inloop[notebook]'")
    given["frame"] = pandas.DataFrame([{name: row[name] for name in ("text", "label")} | {"n": 1} for row in rows])
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'inloop[datasets]'")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    columns = {"text": [row["text"] for row in rows], "label": [int(row["label"] == "b") for row in rows]}
    given["data set"] = datasets.Dataset.from_dict(columns, features=features)
    for name, held in given.items():
        config = Llm2LlmConfig.of(held, test=held, settings=settings, seeds_per_class=2)
        assert config == Llm2LlmConfig.model_validate_json(config.model_dump_json()), "a run can be resumed"
        read = open_source(config.model_copy(update={"test": None, "files": {}})).parts(0)
        assert len(read.seeds) == 4 and {row.label for row in read.seeds} == {"a", "b"}, name
    first = read_rows(Llm2LlmConfig.of(rows, settings=settings).train)[0]
    assert (first.id, first.meta) == ("own", {"tags": ["t", 1]})
    for wrong, why in (([1], "holds 1"), (7, "is a int"), ([], "no rows")):
        with pytest.raises(BadInput, match=why):
            open_source(Llm2LlmConfig.of(wrong, settings=settings))
