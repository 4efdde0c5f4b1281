"""The data sets of the drawn world: their labels and shares are those of their pictures, and their folders are written once."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageOps

from inloop.mini.__main__ import main
from inloop.mini.world import draw
from inloop.mini.world.data import PLAN, SETS, Subject, audit, write_set
from inloop.mini.world.data.audits import AUDIT, allocate
from inloop.mini.world.data.conflicts import AGREED
from inloop.mini.world.textures import SURFACES, TEXTURES
from inloop.mini.world.truth import Truth
from inloop.mini.world.vocabulary import KINDS
from inloop.runtime.errors import BadInput, PrerequisiteError


def plan(name, count, seed=3):
    return list(SETS[name].plan(count, seed))


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture.image())).convert("RGB")).astype(int)


# labels


def test_classes_are_balanced_and_each_shifted_test_differs_in_one_way():
    pictures = plan("classes", 80)
    by_split = {split: [p for p in pictures if p.split == split] for split in dict.fromkeys(p.split for p in pictures)}
    assert [*by_split] == ["train", "validation", "test", "shifted_domain", "shifted_texture", "shifted_size"]
    assert set(Counter(p.columns["label"] for p in by_split["train"]).values()) == {2} and len(by_split["test"]) == 40
    assert {p.columns["label"] for p in by_split["shifted_size"]} == set(KINDS)

    def traits(split, trait):
        return {trait(p.scene) for p in by_split[split]}

    domain, texture, side = (
        lambda scene: scene.domain,
        lambda scene: scene.objects[0].texture,
        lambda scene: scene.objects[0].side,
    )
    for split in by_split:
        assert (traits(split, domain) == {"flat"}) == (split != "shifted_domain")
        assert (traits(split, texture) == {None}) == (split != "shifted_texture")
        assert all(26 <= each <= 44 for each in traits(split, side)) == (split != "shifted_size")
    assert traits("shifted_texture", texture) <= set(TEXTURES)
    assert not traits("shifted_size", side) & traits("train", side)
    assert all(p.scene.objects[0].kind == p.columns["label"] for p in pictures)


def test_no_picture_of_one_split_is_in_another():
    pictures = plan("classes", 40)
    assert len({draw(p.scene).tobytes() for p in pictures}) == len(pictures)


def test_cues_agree_to_learn_from_and_never_in_the_test():
    pictures = plan("cue-conflict", 320)
    for picture in pictures:
        columns, thing = picture.columns, picture.scene.objects[0]
        assert columns["conflict"] == (picture.split == "test") and thing.kind == columns["shape"]
        agreed = AGREED[columns["shape"]] if columns["family"] == "pattern" else columns["shape"]
        assert (columns["texture"] == agreed) == (picture.split != "test")
        assert thing.texture == (columns["texture"] if columns["conflict"] or columns["family"] == "pattern" else None)
    tested = Counter((p.columns["shape"], p.columns["texture"]) for p in pictures if p.split == "test")
    things = {pair: times for pair, times in tested.items() if pair[0] in SURFACES}
    assert len(things) == len(SURFACES) * (len(SURFACES) - 1) and set(things.values()) == {1}, "every pair once"
    assert {pair[1] for pair in tested if pair[0] in AGREED} == set(TEXTURES)


def test_classifiers_by_shape_and_by_texture_alone_are_told_apart():
    """By the outline alone a nearest neighbour names the shape of every conflict, by the colours within it the texture of most."""
    pictures = [p for p in plan("cue-conflict", 120) if p.columns["family"] == "thing"]
    learnt = [p for p in pictures if p.split == "train"]

    def outline(picture):
        (mask,) = picture.truth().full
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        cut = Image.fromarray(mask).crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        return np.asarray(cut.convert("L").resize((24, 24), Image.Resampling.BOX)).astype(int)

    def colors(picture):
        inside = pixels(picture)[picture.truth().full[0]]
        inside = inside[inside.max(axis=1) > 75]  # without the outline
        return np.bincount(inside // 64 @ np.array([16, 4, 1]), minlength=64) / len(inside)

    def answers(feature):
        known = [feature(p) for p in learnt]
        tested = [feature(p) for p in pictures if p.split == "test"]
        nearest = [int(np.argmin([np.abs(one - mine).sum() for one in known])) for mine in tested]
        return [learnt[place].columns["shape"] for place in nearest]

    tested = [p.columns for p in pictures if p.split == "test"]

    def bias(given):
        shape = sum(a == c["shape"] for a, c in zip(given, tested, strict=True))
        texture = sum(a == c["texture"] for a, c in zip(given, tested, strict=True))
        return shape / (shape + texture), (shape + texture) / len(tested)

    by_shape, by_texture = bias(answers(outline)), bias(answers(colors))
    assert by_shape[0] >= 0.95 and by_shape[1] >= 0.9
    assert by_texture[0] <= 0.05 and by_texture[1] >= 0.7


# shares


@pytest.mark.parametrize("count", [1, 7, 100, 1601])
def test_shares_are_kept_to_the_item(count):
    shares = {"a": 0.95, "b": 0.03, "c": 0.02}
    counts = allocate(count, shares)
    assert sum(counts.values()) == count and all(abs(counts[each] - count * shares[each]) < 1 for each in shares)


def test_an_audit_has_the_shares_of_its_plan_in_training_and_equal_ones_in_the_test():
    pictures = plan("audit", 1600)
    for subject in PLAN:
        for split in ("train", "test"):
            values = Counter(
                p.columns["value"] for p in pictures if p.split == split and p.columns["label"] == subject.label
            )
            total = sum(values.values())
            assert total == (200 if split == "train" else 100)
            for value, share in subject.shares.items():
                expected = total * share if split == "train" else total / len(subject.shares)
                assert abs(values[value] - expected) < 1
    for picture in pictures:
        (thing,), columns = picture.scene.objects, picture.columns
        shown = {
            "background": picture.scene.background,
            "size": thing.size,
            "domain": picture.scene.domain,
            "color": thing.color,
        }
        assert thing.kind == columns["label"] and shown[columns["attribute"]] == columns["value"]
    assert [p.columns["label"] for p in pictures[:50]] != sorted(p.columns["label"] for p in pictures[:50])


def test_what_the_plan_does_not_name_is_not_skewed_by_it():
    backgrounds = Counter(p.scene.background for p in plan("audit", 1600) if p.columns["label"] == "rabbit")
    assert len(backgrounds) == 5 and max(backgrounds.values()) < 2 * min(backgrounds.values())


def test_a_plan_of_ones_own(tmp_path):
    mine = [Subject(label="dog", attribute="background", shares={"white": 0.75, "gray": 0.25})]
    write_set(replace(AUDIT, name="dogs", plan=partial(audit, plan=mine)), tmp_path / "dogs", count=8)
    rows = [
        json.loads(line) for line in (tmp_path / "dogs/train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert Counter(row["background"] for row in rows) == {"white": 6, "gray": 2}


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"label": "unicorn", "attribute": "size", "shares": {"small": 1.0}}, "kind of the drawn world"),
        ({"label": "cow", "attribute": "size", "shares": {"gigantic": 1.0}}, "give values of"),
        ({"label": "cow", "attribute": "color", "shares": {"red": 1.0}}, "colours of its own"),
        ({"label": "cow", "attribute": "size", "shares": {"small": 0.7}}, "sum to 1"),
    ],
)
def test_a_plan_that_cannot_be_drawn_says_why(subject, reason):
    with pytest.raises(ValueError, match=reason):
        Subject(**subject)


# copies


def test_who_is_a_copy_of_whom():
    pictures = plan("copies", 60)
    by_id = {p.columns["id"]: p for p in pictures}
    assert len(by_id) == len(pictures) == 60 + 90 + 30
    for picture in pictures:
        columns = picture.columns
        assert columns["cluster"] == (columns["copy_of"] if columns["copy_of"] != "none" else columns["id"])
        if columns["copy_of"] == "none":
            continue
        original = by_id[columns["copy_of"]]
        assert original.columns["copy_of"] == "none"
        assert columns["leak"] == (picture.split == "test" and original.split == "train")
        one, other = pixels(original), pixels(picture)
        if columns["change"] == "exact":
            assert picture.image() == original.image()
        elif columns["change"] == "mirror":
            assert (other == one[:, ::-1]).all()
        elif columns["change"] == "recompress":
            assert picture.suffix == "jpg" and 0 < np.abs(one - other).mean() < 12
        elif columns["change"] == "recolor":
            assert 4 < np.abs(one - other).mean() < 90 and np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.5
        else:
            assert columns["change"] == "crop" and other.shape == one.shape and (one != other).any()
    changes = Counter(p.columns["change"] for p in pictures)
    assert set(changes) == {"none", "exact", "crop", "recompress", "recolor", "mirror", "moved", "replaced"}
    assert sum(p.columns["leak"] for p in pictures) >= 8


def test_look_alikes_are_other_drawings():
    pictures = plan("copies", 60)
    by_id = {p.columns["id"]: p for p in pictures}
    alike = [p for p in pictures if p.columns["like"] != "none"]
    assert len(alike) == 30
    for picture in alike:
        scene, other = picture.scene, by_id[picture.columns["like"]].scene
        kinds, others = ([thing.kind for thing in each.objects] for each in (scene, other))
        assert (kinds == others) == (picture.columns["change"] == "moved") and scene.objects != other.objects
        assert sum(one != two for one, two in zip(kinds, others, strict=True)) <= 1
        assert (pixels(picture) != pixels(by_id[picture.columns["like"]])).any(axis=-1).sum() > 60


def test_the_masks_of_a_changed_picture_are_changed_with_it():
    for picture in plan("copies", 20):
        whole = Truth.of(picture.scene)
        if picture.columns["change"] == "mirror":
            mirrored = ImageOps.mirror(Image.fromarray(whole.shown))
            assert (picture.truth().shown == np.asarray(mirrored)).all()
        elif picture.columns["change"] == "crop":
            left, top, right, bottom = json.loads(picture.columns["detail"].removeprefix("box="))
            scale = (96 / (right - left)) * (96 / (bottom - top))
            area = whole.full[:, top:bottom, left:right].sum() * scale
            assert abs(picture.truth().full.sum() - area) < 0.05 * area
        elif picture.columns["change"] != "replaced":
            assert (picture.truth().full == whole.full).all()


# views


def test_a_scene_is_the_same_in_all_its_domains():
    pictures = plan("domains", 5)
    scenes = {number: [p.scene for p in pictures if p.columns["scene"] == number] for number in range(5)}
    for views in scenes.values():
        assert len({scene.domain for scene in views}) == 6 and len({scene.objects for scene in views}) == 1
    assert (
        len(
            {p.columns["scene"] for p in pictures if p.split == "train"}
            & {p.columns["scene"] for p in pictures if p.split == "test"}
        )
        == 0
    )


def test_the_rows_of_a_clip_are_its_frames():
    pictures = plan("clips", 5)
    assert [(p.columns["clip"], p.columns["frame"]) for p in pictures] == [(c, f) for c in range(5) for f in range(12)]
    assert all(p.scene.objects[p.columns["actor"] - 1].kind in p.columns["caption"] for p in pictures)


# folders


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_written_with_its_truth(name, tmp_path):
    out = tmp_path / "set"
    written = write_set(name, out, count=6, seed=1)
    assert (out / "README.md").exists() and (out / "contact_sheet.png").stat().st_size < 60_000
    for split, number in written.splits.items():
        rows = [json.loads(line) for line in (out / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
        assert len(rows) == number > 0 and len({row["file_name"] for row in rows}) == number
        assert len({tuple(row) for row in rows}) == 1, "every row has the same columns"
        assert not [row for row in rows if None in row.values()]
        for row in rows:
            objects = row["objects"]
            image, mask, full, edges = (
                Image.open(out / split / row[f"{column}file_name"]) for column in ("", "mask_", "full_masks_", "edges_")
            )
            shown, whole = np.asarray(mask), np.asarray(full).reshape(-1, 96, 96)
            assert image.size == mask.size == edges.size == (96, 96) and len(whole) == len(objects["id"])
            for each, (x, y, width, height) in enumerate(objects["bbox"]):
                seen = shown == objects["id"][each]
                assert seen.sum() == objects["area"][each] == seen[y : y + height, x : x + width].sum()
                assert not (seen & ~whole[each]).any()
                assert objects["visible"][each] == pytest.approx(seen.sum() / max(whole[each].sum(), 1), abs=1e-4)
            assert (shown[np.asarray(edges)] > 0).all()


def test_the_same_command_writes_the_same_bytes_and_another_seed_others(tmp_path):
    for out, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_set("scenes", tmp_path / out, count=10, seed=seed)
    one, again, other = (hashes(tmp_path / out) for out in ("one", "again", "other"))
    assert one == again and one["train/images/00000.png"] != other["train/images/00000.png"]


def test_what_is_there_is_not_written_again(tmp_path):
    first = write_set("classes", tmp_path, count=8)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = write_set("classes", tmp_path, count=8)
    assert second.splits == first.splits and first.drawn > 0 == second.drawn
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_what_was_half_written_is_completed(tmp_path):
    write_set("audit", tmp_path / "whole", count=16)
    half = tmp_path / "half"

    def stop(done):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set("audit", half, count=16, progress=stop)
    (half / "train/images/00009.png.part").write_bytes(b"half of a file")
    kept = half / "train/images/00003.png"
    time = kept.stat().st_mtime_ns
    with pytest.raises(BadInput, match="another one"):
        write_set("audit", half, count=17)
    write_set("audit", half, count=16)
    assert hashes(half) == hashes(tmp_path / "whole") and kept.stat().st_mtime_ns == time


def test_what_a_killed_process_left_is_completed(tmp_path):
    command = [sys.executable, "-m", "inloop.mini", "data", "scenes", "--count", "150", "--out", str(tmp_path / "set")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    images = tmp_path / "set/train/images"
    while process.poll() is None and not (images.exists() and len([*images.iterdir()]) > 5):
        pass
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "set/README.md").exists()
    write_set("scenes", tmp_path / "set", count=150)
    write_set("scenes", tmp_path / "whole", count=150)
    assert hashes(tmp_path / "set") == hashes(tmp_path / "whole")


@pytest.mark.parametrize("name", ["holiday.jpg", "README.md", "train/cat.png"])
def test_a_folder_with_other_things_is_refused_before_anything_is_drawn(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine", encoding="utf-8")
    before = hashes(tmp_path)
    with pytest.raises(BadInput, match="give another folder"):
        write_set("scenes", tmp_path, count=3, progress=lambda done: pytest.fail("something was drawn"))
    assert hashes(tmp_path) == before


def test_input_that_cannot_be_used_says_why(tmp_path):
    with pytest.raises(BadInput, match="choose one of classes, cue-conflict"):
        write_set("cats", tmp_path / "x")
    with pytest.raises(BadInput, match="from 1 to"):
        write_set("scenes", tmp_path / "x", count=0)
    with pytest.raises(BadInput, match="seed=-1"):
        write_set("scenes", tmp_path / "x", seed=-1)
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(BadInput, match="is a file"):
        write_set("scenes", tmp_path / "file")
    with pytest.raises(PrerequisiteError):
        write_set("scenes", tmp_path / "file/below", count=1)
    assert not (tmp_path / "x").exists()


# the command


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["inloop.mini", "data", *map(str, arguments)])
    main()


def test_the_command_lists_and_writes(tmp_path, monkeypatch, capsys):
    run(monkeypatch, "--list")
    listed = capsys.readouterr().out
    assert all(f"{name}  ({drawn.count} {drawn.counts})" in listed for name, drawn in SETS.items())
    for again in ("", " (it was there; nothing was drawn)"):
        run(monkeypatch, "clips", "--out", tmp_path / "clips", "--count", 2)
        assert capsys.readouterr().out == f"24 train -> {tmp_path / 'clips'}{again}\n"


@pytest.mark.parametrize(
    ("arguments", "message"), [(("cats", "--out", "x"), "choose one of"), (("classes",), "--out DIR"), ((), "--list")]
)
def test_the_command_says_what_is_missing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *arguments)
    assert end.value.code == 2 and message in capsys.readouterr().err


def test_datasets_loads_it(tmp_path, monkeypatch):
    if importlib.util.find_spec("datasets") is None:
        pytest.skip("datasets: pip install 'inloop[datasets]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    write_set("classes", tmp_path / "set", count=12)
    options = {"cache_dir": str(tmp_path / "cache")}
    plain = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "set"), **options)
    whole = datasets.load_dataset(str(tmp_path / "set"), **options)
    assert {split: len(rows) for split, rows in plain.items()} == {"train": 12, "validation": 3, "test": 6}
    assert [*whole] == ["train", "validation", "test", "shifted_domain", "shifted_texture", "shifted_size"]
    for rows in whole.values():
        row = rows[0]
        assert row["image"].size == row["mask"].size == (96, 96) and row["label"] == row["objects"]["category"][0]
        assert np.asarray(row["full_masks"]).reshape(-1, 96, 96).shape == (1, 96, 96)
