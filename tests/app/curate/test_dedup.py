"""`inloop dedup`: near copies among the vectors of files."""

import csv
import json
import re

import numpy as np
import pytest

from inloop.app.cli.main import main
from inloop.tools.curation import unit_rows


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Forty rows, a copy of each of the first ten, none of length 1, in half precision."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 16))
    rows = np.concatenate([rows, rows[:10] + 0.01 * rng.standard_normal((10, 16))])
    np.save(tmp_path / "vectors.npy", (3 * rows).astype(np.float16))
    return tmp_path


def test_without_a_threshold_it_is_told_how_near_rows_are(here, capsys):
    assert main(["dedup", "vectors.npy"]) == 0
    told = capsys.readouterr().out
    assert "50 vectors of 16 numbers" in told and "0.99   40.0 %" in told and "nothing went" in told
    assert [path.name for path in here.iterdir()] == ["vectors.npy"]


def test_rows_that_stay_are_written_as_numbers_or_as_a_table(here, capsys):
    assert main(["dedup", "vectors.npy", "--threshold", "0.98", "--to", "kept.npy"]) == 0
    assert "40 of 50 rows stay; 10 are near copies" in capsys.readouterr().out
    kept = np.load(here / "kept.npy")
    assert len(kept) == 40 and set(kept % 40) == set(range(40))
    assert main(["dedup", "vectors.npy", "--threshold", "0.98", "--to", "all.csv", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["kept"], told["compared"], told["recall"]) == (50, 40, "all pairs", None)
    with (here / "all.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["row"] for row in rows if row["kept"] == "yes"] == [str(place) for place in kept]
    assert all(int(row["copy_of"]) % 40 == int(row["row"]) % 40 and float(row["similarity"]) > 0.98 for row in rows if row["kept"] == "no")  # fmt: skip
    assert sorted(path.name for path in here.iterdir()) == ["all.csv", "kept.npy", "vectors.npy"]


def test_a_column_of_a_parquet_file_is_read_in_batches(here, capsys, monkeypatch):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow: pip install 'inloop[datasets]'")
    from pyarrow import parquet

    monkeypatch.setattr("inloop.tools.curation.vectors.BLOCK", 16)
    rows = np.load(here / "vectors.npy").astype(np.float32)
    listed = arrow.array([row.tolist() for row in rows], type=arrow.list_(arrow.float32()))
    fixed = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.ravel()), 16)
    for column in (listed, fixed):
        parquet.write_table(
            arrow.table({"name": arrow.array(map(str, range(50))), "embedding": column}), here / "x.parquet"
        )
        assert main(["dedup", "x.parquet", "--threshold", "0.98", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["kept"] == 40
    assert main(["dedup", "x.parquet", "--threshold", "0.98", "--column", "name"]) == 2
    assert "the column 'name' is none of vectors" in capsys.readouterr().err
    assert main(["dedup", "x.parquet", "--column", "other"]) == 2
    assert "it has 'name', 'embedding'. Give one with --column" in capsys.readouterr().err


def test_copies_of_rows_of_a_test_set_go_first(here, capsys):
    rows = np.load(here / "vectors.npy").astype(np.float32)
    rng = np.random.default_rng(1)
    np.save(here / "test.npy", np.concatenate([rng.standard_normal((4, 16)), 2 * rows[[3, 20]]]))
    argv = ["dedup", "vectors.npy", "--threshold", "0.98", "--test", "test.npy", "--to", "all.csv"]
    assert main(argv) == 0
    assert (
        "38 of 50 rows stay; 9 are near copies" in (told := capsys.readouterr().out)
        and "3 are copies of rows of the test set" in told
    )
    with (here / "all.csv").open(newline="") as table:
        found = list(csv.DictReader(table))
    assert {row["row"]: row["test_row"] for row in found if row["test_row"]} == {"3": "4", "43": "4", "20": "5"}
    assert all(row["kept"] == "no" and not row["copy_of"] for row in found if row["test_row"])
    assert sum(row["kept"] == "yes" for row in found) == 38
    assert all(int(row["copy_of"]) % 40 == int(row["row"]) % 40 for row in found if row["copy_of"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("nothing.npy",), "'nothing.npy' is no file"),
        (("words.txt",), "is neither .npy nor .parquet"),
        (("broken.npy",), "cannot be read as a .npy file"),
        (("whole.npy",), "holds int64 numbers of shape"),
        (("zeros.npy",), r"the vector in row 3 \(from 0\) is all zeros"),
        (("vectors.npy", "--column", "a"), "--column is for a .parquet file"),
        (("vectors.npy", "--to", "x.npy"), "--to needs --threshold"),
        (("vectors.npy", "--threshold", "0.9", "--to", "x.txt"), "neither with .npy nor with .csv"),
        (("vectors.npy", "--threshold", "0.9", "--to", "vectors.npy"), "is the file that is read"),
        (("vectors.npy", "--threshold", "0.9", "--to", "nowhere/x.npy"), "there is no folder 'nowhere'"),
        (("vectors.npy", "--test", "vectors.npy"), "--test needs --threshold"),
        (("vectors.npy", "--threshold", "0.9", "--test", "vectors.npy"), "nothing would stay"),
        (("vectors.npy", "--threshold", "0.9", "--test", "narrow.npy"), "have 2 numbers, those of 'vectors.npy' 16"),
        (("vectors.npy", "--threshold", "7"), "threshold=7.0 is no cosine"),
    ],
)
def test_bad_input_says_what_to_give(here, capsys, argv, message):
    (here / "words.txt").write_text("a")
    (here / "broken.npy").write_bytes(b"no array")
    np.save(here / "whole.npy", np.ones((4, 2), dtype=np.int64))
    np.save(here / "zeros.npy", np.concatenate([unit_rows(np.ones((3, 2))), np.zeros((1, 2), dtype=np.float32)]))
    np.save(here / "narrow.npy", unit_rows(np.ones((3, 2))))
    assert main(["dedup", *argv]) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not list(here.glob("x.*"))
