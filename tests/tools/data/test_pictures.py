"""Picture files of every kind, and the folders and tables they come in."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.data.pictures import keep_picture, read_picture
from inloop.tools.data.prompted_pictures import read_items


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def half_red():
    image = Image.new("RGB", (8, 4), "blue")
    image.paste((255, 0, 0), (0, 0, 4, 4))
    return image


def test_a_plain_file_is_kept_byte_for_byte(tmp_path, blobs):
    path = tmp_path / "a.png"
    half_red().save(path)
    made = read_picture(path, blobs)
    assert blobs.get(made.blob) == path.read_bytes() and made.notes == ()


def test_what_a_viewer_shows_is_what_is_scored(tmp_path, blobs):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees to the right
    half_red().save(tmp_path / "turned.png", exif=exif)
    made = read_picture(tmp_path / "turned.png", blobs)
    seen = blobs.get_image(made.blob)
    assert seen.size == (4, 8) and seen.getpixel((0, 0)) == (255, 0, 0) and seen.getpixel((0, 7)) == (0, 0, 255)
    assert made.notes == ("rotated as its EXIF says",)


def test_cmyk_alpha_animation_palette_and_16_bits(tmp_path, blobs):
    half_red().convert("CMYK").save(tmp_path / "cmyk.jpg")
    clear = half_red().convert("RGBA")
    clear.putpixel((0, 0), (0, 0, 0, 0))
    clear.save(tmp_path / "alpha.png")
    half_red().save(tmp_path / "film.gif", save_all=True, append_images=[Image.new("RGB", (8, 4), "green")])
    half_red().quantize(4).save(tmp_path / "palette.png")
    deep = Image.new("I;16", (8, 4), 40_000)
    deep.putpixel((0, 0), 1000)
    deep.save(tmp_path / "deep.png")
    notes = {}
    for path in tmp_path.glob("*.*"):
        made = read_picture(path, blobs)
        image = blobs.get_image(made.blob)
        assert image.mode == "RGB" and image.size == (8, 4), path.name
        notes[path.name] = (made.notes, image.getpixel((0, 0)), image.getpixel((7, 3)))
    assert notes["cmyk.jpg"][0] == ("CMYK as RGB",) and notes["cmyk.jpg"][1][0] > 200
    assert notes["alpha.png"][:2] == (("transparency over white",), (255, 255, 255))
    assert notes["film.gif"][0] == ("the first of 2 frames",) and notes["film.gif"][1][0] > 200
    assert notes["palette.png"][0] == ()
    assert notes["deep.png"] == (("grey values of 0 to 65535 as 8 bits",), (4, 4, 4), (156, 156, 156))


@pytest.mark.parametrize(
    ("values", "name", "eight"),
    [
        (np.full((2, 2), 65535, "uint16"), "white.png", 255),
        (np.full((2, 2), 4096, "uint16"), "dim.png", 16),
        (np.full((2, 2), 65535, "uint16"), "white.tif", 255),
        (np.full((2, 2), 65535, ">u2"), "big-endian.tif", 255),
        (np.full((2, 2), 65535, "int32"), "white-of-32.tif", 255),
        (np.full((2, 2), 255, "int32"), "white-of-8.tif", 255),
        (np.full((2, 2), 1.0, "float32"), "white-of-1.tif", 255),
        (np.full((2, 2), 0.5, "float32"), "half.tif", 128),
        (np.full((2, 2), 255.0, "float32"), "white-float.tif", 255),
        (np.zeros((2, 2), "uint16"), "black.png", 0),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_white_stays_white_and_dark_stays_dark_at_any_depth(tmp_path, blobs, values, name, eight):
    Image.fromarray(values).save(tmp_path / name)
    seen = blobs.get_image(read_picture(tmp_path / name, blobs).blob)
    assert seen.getpixel((0, 0)) == (eight, eight, eight)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e12])
def test_values_that_are_no_grey_are_not_scored(tmp_path, blobs, value):
    wide = np.full((2, 2), 0.5, "float32")
    wide[0, 0] = value
    Image.fromarray(wide).save(tmp_path / "odd.tif")
    with pytest.raises(BadInput, match=r"odd\.tif' cannot be scored: "):
        read_picture(tmp_path / "odd.tif", blobs)


def test_a_large_picture_is_made_smaller_and_says_so(tmp_path, blobs):
    Image.new("L", (5000, 10), 128).save(tmp_path / "wide.png")
    made = read_picture(tmp_path / "wide.png", blobs)
    assert blobs.get_image(made.blob).width == 4096 and "5000 x 10 pixels made smaller" in made.notes[0]


def bomb():
    """A PNG header that promises 60,000 x 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 4) + b"IDAT" + bytes(8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is an empty file"),
        (b"nonsense", "no picture that Pillow can read"),
        (bomb(), "too many pixels|more than 100 million"),
    ],
)
def test_what_cannot_be_scored_is_named(blobs, data, words):
    with pytest.raises(BadInput, match=words):
        keep_picture(data, blobs, name="x.png")


def test_a_truncated_file_is_damaged_and_a_missing_one_is_missing(tmp_path, blobs):
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    with pytest.raises(BadInput, match=r"a\.png' is damaged"):
        read_picture(tmp_path / "a.png", blobs)
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_picture(tmp_path / "b.png", blobs)


# --- sets ---


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pics"
    root.mkdir()
    for name in ("10.png", "2.png", "1.jpg"):
        half_red().save(root / name)
    (root / "notes.md").write_text("not a picture", encoding="utf-8")
    return root


def pairs(items):
    return [(item.id, item.text) for item in items.items]


def test_a_line_a_picture_in_the_order_of_the_names(folder, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\ufeff# three\none\ntwo\nten\n\n", encoding="utf-8")
    items = read_items(folder, prompts)
    assert pairs(items) == [("1.jpg", "one"), ("2.png", "two"), ("10.png", "ten")]
    assert items.data(items.items[0]) == (folder / "1.jpg").read_bytes()


def test_tables_in_every_form(folder, tmp_path):
    rows = [{"image": name, "prompt": f"p {name}", "tags": "a;b", "seed": 1} for name in ("10.png", "1.jpg", "2.png")]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    made = read_items(folder / "t.jsonl")
    assert pairs(made)[0] == ("10.png", "p 10.png") and made.items[0].tags == ("a", "b")
    assert made.items[0].meta == {"seed": 1}
    assert pairs(read_items(folder, folder / "t.jsonl")) == pairs(made)
    (folder / "t.csv").write_text("id,file_name,text\nx,1.jpg,one\nx,2.png,two\n", encoding="utf-8")
    assert pairs(read_items(folder / "t.csv")) == [("x", "one"), ("x#2", "two")]
    (tmp_path / "t.json").write_text(json.dumps(dict.fromkeys(("1.jpg", "2.png", "10.png"), "p")), encoding="utf-8")
    assert len(read_items(folder, tmp_path / "t.json")) == 3
    (folder / "metadata.csv").write_text("file_name,prompt\n1.jpg,a\n2.png,b\n10.png,c\n", encoding="utf-8")
    assert pairs(read_items(folder)) == [("1.jpg", "a"), ("2.png", "b"), ("10.png", "c")]


def test_a_text_file_beside_each_picture(folder):
    for name in ("1", "2"):
        (folder / f"{name}.txt").write_text(f"prompt {name}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"'10.png' has none"):
        read_items(folder)
    (folder / "10.txt").write_text("ten", encoding="utf-8")
    assert pairs(read_items(folder)) == [("1.jpg", "prompt 1"), ("2.png", "prompt 2"), ("10.png", "ten")]


def test_the_layout_of_geneval(tmp_path):
    samples = tmp_path / "00000" / "samples"
    samples.mkdir(parents=True)
    half_red().save(samples / "0000.png")
    half_red().save(samples / "0001.png")
    row = {"tag": "counting", "include": [{"class": "cup", "count": 2}], "prompt": "a photo of two cups"}
    (tmp_path / "00000" / "metadata.jsonl").write_text(json.dumps(row), encoding="utf-8")
    items = read_items(tmp_path)
    assert [item.text for item in items.items] == ["a photo of two cups"] * 2
    assert items.items[0].tags == ("counting",) and items.items[0].meta["include"][0]["count"] == 2


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ("one\ntwo\n", "3 pictures in .* and 2 prompts .* do not match.*'10.png'"),
        ("one\ntwo\nthree\nfour\n", "'four'"),
        ("one\n\nthree\n", "line 2: the prompt of '2.png' is empty"),
    ],
)
def test_prompts_that_do_not_match_are_named(folder, tmp_path, prompts, words):
    (tmp_path / "p.txt").write_text(prompts, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        read_items(folder, tmp_path / "p.txt")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file_name,prompt\n1.jpg,a\n3.png,b\n", "names 1 pictures that are not in .*'3.png'"),
        ("file_name,prompt\n1.jpg,a\n", "2 pictures .* have no prompt .*'2.png', '10.png'"),
        ("file_name,prompt\n1.jpg, \n", "row 1: the prompt ' ' is empty"),
        ("file_name,words\n1.jpg,a\n", "row 1: no prompt"),
        ("name,prompt\n1.jpg,a\n", "row 1: no picture"),
        ("file_name,prompt\n", "holds no rows"),
    ],
)
def test_tables_that_do_not_fit_are_named(folder, tmp_path, table, words):
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        read_items(folder, tmp_path / "t.csv")


def test_other_things_that_are_no_set(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for pictures, prompts, words in (
        (tmp_path / "nowhere", None, "does not exist"),
        (tmp_path / "empty", None, "there is no picture in"),
        (folder, tmp_path / "nowhere.txt", "does not exist"),
        (folder / "notes.md", None, "is no table"),
        (folder, None, "have no prompts"),
    ):
        with pytest.raises(BadInput, match=words):
            read_items(pictures, prompts)


def test_a_saved_data_set(tmp_path):
    try:
        import datasets
    except ImportError:
        (tmp_path / "state.json").write_text("{}", encoding="utf-8")
        with pytest.raises(PrerequisiteError, match="'datasets' is not installed"):
            read_items(tmp_path)
        return
    half_red().save(tmp_path / "a.png")
    rows = {"image": [str(tmp_path / "a.png")] * 2, "prompt": ["one", "two"]}
    datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()).save_to_disk(str(tmp_path / "set"))
    items = read_items(tmp_path / "set")
    assert pairs(items) == [("0", "one"), ("1", "two")]
    assert items.data(items.items[1]) == (tmp_path / "a.png").read_bytes()


def saved(folder, count=3, **more):
    """A data set of pictures and prompts, as `datasets` makes it."""
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'inloop[datasets]'")
    half_red().save(folder / "a.png")
    rows = {"image": [str(folder / "a.png")] * count, "prompt": [f"prompt {n}" for n in range(count)], **more}
    return datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())


def test_the_other_columns_of_a_saved_data_set_come_along(tmp_path):
    more = {"id": ["x", "y", "y"], "tag": ["plain", "plain;odd", None], "include": [[{"class": "cat"}]] * 3}
    saved(tmp_path, **more).save_to_disk(str(tmp_path / "set"))
    items = read_items(tmp_path / "set").items
    assert [item.id for item in items] == ["x", "y", "y#3"]
    assert [item.tags for item in items] == [("plain",), ("plain", "odd"), ()]
    assert items[0].meta == {"include": [{"class": "cat"}]}


def test_an_id_that_is_made_is_never_one_that_a_row_has(tmp_path):
    half_red().save(tmp_path / "a.png")
    rows = [("x", "one"), ("x#3", "two"), ("x", "three"), ("x", "four"), ("x#4", "five")]
    lines = "".join(f"{id},a.png,{text}\n" for id, text in rows)
    (tmp_path / "t.csv").write_text(f"id,image,prompt\n{lines}", encoding="utf-8")
    items = read_items(tmp_path / "t.csv").items
    assert [item.id for item in items] == ["x", "x#3", "x#5", "x#6", "x#4"]
    assert len({item.id for item in items}) == len(rows)


def test_several_splits_must_be_told_apart(tmp_path):
    made = saved(tmp_path)
    import datasets

    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(str(tmp_path / "sets"))
    with pytest.raises(BadInput, match=r"several splits \(train, test\)"):
        read_items(tmp_path / "sets")
    assert len(read_items(tmp_path / "sets" / "test")) == 3


def test_a_data_set_of_the_hub(tmp_path, monkeypatch):
    """What is asked of `datasets`, and what is made of its answer; the hub itself is not there."""
    made = saved(tmp_path)
    import datasets

    asked = []

    def load(name, config=None, *, split=None):
        asked.append((name, config, split))
        return made if split else datasets.DatasetDict({"train": made, "test": made})

    monkeypatch.setattr(datasets, "load_dataset", load)
    items = read_items("hf:me/pictures:small#test")
    assert asked == [("me/pictures", "small", "test")] and pairs(items)[1] == ("1", "prompt 1")
    assert items.data(items.items[0]) == (tmp_path / "a.png").read_bytes()
    with pytest.raises(BadInput, match=r"several splits \(train, test\): name one, such as hf:me/pictures#train"):
        read_items("hf:me/pictures")
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: datasets.DatasetDict({"train": made}))
    assert len(read_items("hf:me/pictures")) == 3


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (ConnectionError("no route"), PrerequisiteError, "cannot be fetched .*no route"),
        (ValueError("Unknown split 'x'"), BadInput, "Unknown split"),
    ],
)
def test_a_data_set_of_the_hub_that_cannot_be_had(monkeypatch, raised, kind, words):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install 'inloop[datasets]'")

    def load(*args, **more):
        raise raised

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(kind, match=words):
        read_items("hf:me/pictures#x")


def test_a_name_of_the_hub_that_is_none():
    with pytest.raises(BadInput, match=r"'hf:a b' is not hf:OWNER/NAME"):
        read_items("hf:a b")
    with pytest.raises(BadInput, match="prompts of its own"):
        read_items("hf:me/pictures", Path("prompts.txt"))
