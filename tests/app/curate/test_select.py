"""`inloop select`: entries of files, tables and folders, chosen and written as they came."""

import json

import pytest
from PIL import Image

from inloop.app.cli.main import main

LETTERS = """
class Letters:
    model, revision = "letters", "1"

    async def texts(self, texts, *, role=None):
        counted = [[text.count(letter) + 0.01 for letter in "abcdefgh"] for text in texts]
        return [[value / sum(v * v for v in row) ** 0.5 for value in row] for row in counted]

    async def aclose(self):
        return None
"""
"""An embedder of texts that counts letters: it needs no weights, and what is alike for it can be told by hand."""
WORDS = [f"{letter * times}{letter}" for letter in "abcd" for times in range(4)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "letter_counts.py").write_text(LETTERS, encoding="utf-8")
    (tmp_path / "words.txt").write_text("\n".join([*WORDS, "a", "# none"]), encoding="utf-8")
    return tmp_path


def select(*argv):
    return main(["select", *map(str, argv), "--embedder", "letter_counts:Letters"])


def test_of_each_kind_one_is_chosen_and_the_figures_are_told(here, capsys):
    assert select("words.txt", "-n", 4) == 0
    out, told = capsys.readouterr()
    assert {line[0] for line in out.splitlines()} == set("abcd")
    assert "chosen from 16 different entries, 1 repeated ones left out" in told and "random choices" in told


def test_rows_are_written_whole(here, capsys):
    rows = [{"id": place, "prompt": word} for place, word in enumerate(WORDS)]
    (here / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert select("rows.jsonl", "-n", 4, "--to", "few.jsonl", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    few = [json.loads(line) for line in (here / "few.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["prompt"] for row in few] == [row["text"] for row in told["chosen"]]
    assert [rows[row["place"] - 1] for row in told["chosen"]] == few
    assert 0 < told["coverage"]["random"] < told["coverage"]["chosen"]


def test_pictures_are_chosen_by_their_names(here, capsys):
    (here / "pictures").mkdir()
    for place, color in enumerate(["red", "green", "blue", "white"]):
        Image.new("RGB", (96, 96), color).save(here / "pictures" / f"{place}.png")
    assert main(["select", "pictures", "-n", "2", "--device", "cpu"]) == 0
    out, told = capsys.readouterr()
    assert len(set(out.splitlines())) == 2 and set(out.splitlines()) <= {f"{place}.png" for place in range(4)}
    assert "mini-clip knows nothing but the drawn world" in told


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("words.txt", "-n", 17), "there are 16 different entries"),
        (("words.txt", "-n", 0), "give 1 to as many"),
        (("nothing.txt", "-n", 1), "cannot be read from 'nothing.txt'"),
        (("words.txt", "-n", 1, "--column", "text"), "--column is for a table"),
        (("rows.csv", "-n", 1), "has no column 'text' or 'prompt' or 'caption' or 'question': it has 'name', 'b'"),
        (("rows.csv", "-n", 1, "--column", "b"), "no row of 'rows.csv' has a text in the column 'b'"),
        ((".", "-n", 1), "there is no picture in '.'"),
    ],
)
def test_bad_input_says_what_to_give(here, capsys, argv, message):
    (here / "rows.csv").write_text("name,b\nx,\n", encoding="utf-8")
    assert select(*argv) == 2
    assert message in capsys.readouterr().err
