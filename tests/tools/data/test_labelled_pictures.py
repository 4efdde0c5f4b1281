"""Pictures with a class each: folders and tables, and what is refused with the file, the row and the remedy."""

import json
from pathlib import Path

import pytest
from PIL import Image

from inloop.runtime.errors import BadInput
from inloop.tools.data import read_labelled


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path)
    return path


def table(folder: Path, *rows: str) -> Path:
    for name in ("a.png", "b.png"):
        picture(folder / name)
    (folder / "set.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "set.csv"


def test_a_subfolder_is_a_class(tmp_path: Path) -> None:
    for name in ("cat/2.png", "cat/10.png", "dog/deep/1.png"):
        picture(tmp_path / name)
    read = [(Path(each.path).name, each.label) for each in read_labelled(tmp_path)]
    assert read == [("2.png", "cat"), ("10.png", "cat"), ("1.png", "dog")]


def test_a_table_says_more_than_the_class(tmp_path: Path) -> None:
    source = table(tmp_path, "file_name,label,domain", "a.png,cat,night", "b.png,dog,")
    one, other = read_labelled(source)
    assert (one.label, one.columns, other.columns) == ("cat", {"domain": "night"}, {})
    assert [
        each.label for each in read_labelled(table(tmp_path, "image,kind", "a.png,1", "b.png,2"), label="kind")
    ] == [
        "1",
        "2",
    ]


def test_a_folder_with_a_table_is_read_by_it_and_its_subfolders_are_no_classes(tmp_path: Path) -> None:
    for name in ("images/1.png", "images/2.png", "masks/1.png", "masks/2.png"):
        picture(tmp_path / name)
    rows = [{"file_name": "images/1.png", "label": "cat"}, {"file_name": "images/2.png", "label": "dog"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert [each.label for each in read_labelled(tmp_path)] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("file_name,label",), "has no rows"),
        (("file_name,kind", "a.png,cat"), "no column 'label'"),
        (("name,label", "a.png,cat"), "no column of picture files"),
        (("file_name,label", "a.png,cat", "b.png, "), "row 2 has no label"),
        (("file_name,label", "a.png,cat", "c.png,dog"), "row 2 names 'c.png'"),
        (("file_name,label", "a.png,cat", "./a.png,dog"), "rows 1 and 2"),
        (("file_name,label", "a.png,cat", "b.png,cat"), "only class"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, rows: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_labelled(table(tmp_path, *rows))


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_labelled(tmp_path / "nothing")
    with pytest.raises(BadInput, match="no picture in"):
        read_labelled(tmp_path)
    picture(tmp_path / "cat" / "1.png")
    with pytest.raises(BadInput, match="only class"):
        read_labelled(tmp_path)
    picture(tmp_path / "loose.png")
    with pytest.raises(BadInput, match="lie in no subfolder"):
        read_labelled(tmp_path)
