"""Cleanings from Python: what goes and why, what is written and taken back, a person's word, a killed process, and bad input."""

import csv
import json
import multiprocessing
import os
import signal
import time
from collections import Counter

import numpy as np
import pytest
from curated import ColorClip, drawn_copies, go
from PIL import Image

from inloop.graphs.curate import Review, curate, read_rows, undone
from inloop.graphs.curate.annotations import read_annotations
from inloop.runtime.errors import BadInput, Interrupted
from inloop.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs")


def scene(seed, size=(120, 90)):
    """A made-up picture with something everywhere."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path):
    """Twelve pictures; of the first a crop that is smaller, a mirrored one and the same bytes; of the second the same pixels."""
    folder = tmp_path / "photos"
    (folder / "own").mkdir(parents=True)
    for number in range(12):
        scene(number).save(folder / "own" / f"{number:02}.png", compress_level=1)
    (folder / "taken").mkdir()
    scene(0).crop((6, 4, 112, 84)).save(folder / "taken" / "crop.png")
    scene(0).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "taken" / "mirror.png")
    (folder / "taken" / "bytes.png").write_bytes((folder / "own" / "00.png").read_bytes())
    scene(1).save(folder / "taken" / "pixels.png", compress_level=9)
    return folder


def clean(folder, settings, **options):
    return curate(folder, settings=settings, models={"clip": ColorClip}, **options)


def rows_of(result):
    return {row.id: row for row in read_rows(result.blobs(), result.tasks[0])}


def test_copies_go_with_a_reason_and_a_source_that_vanishes_is_an_alarm(photos, settings):
    result = clean(photos, settings)
    rows = rows_of(result)
    assert {id: row.reason for id, row in rows.items() if row.reason} == {
        "taken/crop.png": "near copy", "taken/mirror.png": "near copy", "taken/bytes.png": "same bytes", "taken/pixels.png": "same pixels",
    }  # fmt: skip
    assert {rows[id].copy_of for id in rows if id.startswith("taken")} == {"own/00.png", "own/01.png"}
    assert "has the most pixels" in rows["taken/crop.png"].why and rows["taken/crop.png"].score > 0.7
    assert (
        len({rows[id].cluster for id in ("own/00.png", "taken/crop.png", "taken/mirror.png", "taken/bytes.png")}) == 1
    )
    [cleaned] = result.tasks
    assert (cleaned.pictures, cleaned.kept, cleaned.clusters) == (16, 12, 2)
    assert any("nothing of 'taken' stays: all of its 4 pictures went" in note for note in result.notes)
    assert sum(each.of for each in cleaned.planted) == 84  # six of each of the fourteen that differ


def test_drawn_copies_are_found_and_look_alikes_stay(tmp_path, settings):
    train, test, truth = drawn_copies(tmp_path, 50, seed=4)
    result = clean(train, settings, test=test)
    found = Counter()
    tests = {row["cluster"] for row in truth.values() if row["split"] == "test"}
    clusters = Counter(row["cluster"] for row in truth.values() if row["split"] == "train")
    kept = Counter()
    for id, row in rows_of(result).items():
        true = truth[id]
        kept[true["cluster"]] += row.kept
        if true["cluster"] in tests:
            found["leak goes", not row.kept] += 1
        elif true["like"] != "none":
            found["look-alike stays", row.kept] += 1
    assert found["leak goes", True] / (found["leak goes", True] + found["leak goes", False]) > 0.9
    assert result.tasks[0].reasons["leak"] > 10
    assert found["look-alike stays", True] / (found["look-alike stays", True] + found["look-alike stays", False]) > 0.8
    left = [kept[cluster] for cluster in clusters if cluster not in tests and cluster.startswith("original")]
    assert min(left) >= 1 and np.mean(np.array(left) == 1) > 0.9


def test_the_kept_set_is_written_as_links_and_taken_back(photos, settings, tmp_path):
    to = tmp_path / "clean"
    before = {path: path.read_bytes() for path in sorted(photos.rglob("*.*"))}
    captions = tmp_path / "captions.csv"
    captions.write_text(
        "image,caption\n" + "".join(f"own/{n:02}.png,picture {n}\n" for n in range(12)), encoding="utf-8"
    )
    result = clean(photos, settings, to=to, captions=captions)
    links = sorted(path.relative_to(to / "pictures") for path in (to / "pictures").rglob("*") if path.is_symlink())
    assert [str(link) for link in links] == [f"own/{number:02}.png" for number in range(12)]
    assert (to / "pictures" / "own" / "03.png").resolve() == photos / "own" / "03.png"
    with (to / "table.csv").open(encoding="utf-8", newline="") as table:
        told = list(csv.DictReader(table))
    assert len(told) == 16 and {row["reason"] for row in told if row["kept"] == "no"} == set(result.tasks[0].reasons)
    datasets = pytest.importorskip("datasets", reason="datasets: pip install 'inloop[datasets]'")
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(to / "pictures"), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert len(loaded) == 12 and set(loaded["text"]) == {f"picture {number}" for number in range(12)}
    clean(photos, settings, to=to)  # again, into the same folder
    (to / "notes.txt").write_text("mine", encoding="utf-8")
    files = json.loads((to / "curate.json").read_text(encoding="utf-8"))["files"]
    assert len(files) >= 2 and undone(to) == 12 + len(files)
    assert [path.name for path in to.rglob("*")] == ["notes.txt"]
    assert {path: path.read_bytes() for path in sorted(photos.rglob("*.*"))} == before
    with pytest.raises(BadInput, match=r"has no curate.json of a cleaning"):
        undone(to)


def test_a_share_sets_the_threshold(photos, settings):
    cleaned = clean(photos, settings, remove="7%").tasks[0]  # of 16 pictures one
    assert cleaned.reasons["near copy"] == 1 and "takes 7%" in cleaned.how
    assert clean(photos, settings, threshold=0.999).tasks[0].reasons.get("near copy", 0) <= 1
    with pytest.raises(BadInput, match="give less"):
        clean(photos, settings, remove="90%")


def test_meaning_is_the_cosine_of_the_encoder(photos, settings):
    scene(3).save(photos / "own" / "again.jpg", quality=60)
    cleaned = clean(photos, settings, copies="meaning", threshold=0.999).tasks[0]
    assert cleaned.reasons["near copy"] == 1
    assert clean(photos, settings, copies="exact").tasks[0].reasons == {"same bytes": 1, "same pixels": 1}


def test_groups_are_shown_before_and_after(tmp_path, settings):
    folder = tmp_path / "colors"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = rng.integers(0, 120, (8, 8, 3))
        pixels[..., 0 if number % 3 else 2] += 130
        Image.fromarray(pixels.astype(np.uint8)).resize((64, 64)).save(folder / f"{number:02}.png")
    result = clean(folder, settings, groups="red; blue")
    before = {each.group: each.share for each in result.tasks[0].audit.shares if each.way == "before"}
    assert before == {"red": pytest.approx(2 / 3), "blue": pytest.approx(1 / 3)}
    assert {each.way for each in result.tasks[0].audit.shares} == {
        "before",
        "random",
        "SemDeDup",
        "FairDeDup",
        "this run",
    }
    assert len(result.forests()) == 2


def test_what_is_unlike_the_examples_goes(tmp_path, settings):
    folder, like = tmp_path / "pool", tmp_path / "like"
    folder.mkdir()
    like.mkdir()
    for number in range(20):
        image = Image.new("RGB", (64, 64), (220, 30, 30) if number % 2 else (30, 30, 220))
        image.paste(scene(number, (24, 24)), (number, 20))
        image.save(folder / f"{number:02}.png")
    for number in range(3):
        image = Image.new("RGB", (64, 64), (220, 30, 30))
        image.paste(scene(100 + number, (24, 24)), (10 * number, 20))
        image.save(like / f"{number}.png")
    rows = rows_of(clean(folder, settings, like=like, threshold=0.99))
    kept = {int(id[:2]) for id, row in rows.items() if row.kept}
    assert kept and all(number % 2 for number in kept)
    assert "four nearest of an example" in rows["00.png"].why


def test_issues_are_remarks_until_they_are_named(photos, settings):
    Image.new("RGB", (80, 80), "black").save(photos / "own" / "night.png")
    scene(50, (400, 60)).save(photos / "own" / "strip.png")
    (photos / "own" / "broken.png").write_bytes(b"no picture")
    rows = rows_of(clean(photos, settings))
    assert {"dark", "grayscale", "little in it"} <= set(rows["own/night.png"].issues) and rows["own/night.png"].kept
    assert "odd aspect" in rows["own/strip.png"].issues
    assert rows["own/broken.png"].reason == "unreadable" and "is no picture" in rows["own/broken.png"].why
    rows = rows_of(clean(photos, settings, drop=("dark", "odd aspect")))
    assert rows["own/night.png"].reason == rows["own/strip.png"].reason == "issue"


def test_a_small_thing_elsewhere_is_no_copy(photos, settings):
    for number, (side, place) in enumerate([(40, (8, 30)), (40, (40, 12)), (48, (30, 40)), (36, (50, 50))]):
        plain = Image.new("RGB", (96, 96), "white")
        plain.paste(scene(60, (side, side)), place)
        plain.save(photos / "own" / f"plain {number}.png")
    plain.save(photos / "own" / "plain 3.jpg", quality=70)
    result = clean(photos, settings)
    assert {id: row.copy_of for id, row in rows_of(result).items() if "plain" in id and row.reason} in (
        {"own/plain 3.jpg": "own/plain 3.png"}, {"own/plain 3.png": "own/plain 3.jpg"},
    )  # fmt: skip
    assert any("is not told from the same small thing elsewhere, and stays" in note for note in result.notes)


def colored(folder, wrong=()):
    """Forty pictures of two classes, red ones and blue ones, dark where the class is `cold`; the table of their classes."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    lines = ["image,kind"]
    for number in range(40):
        cold = number % 2 == 1
        pixels = rng.integers(0, 60, (8, 8, 3))
        pixels[..., 2 if cold else 0] += 90 if cold else 190
        Image.fromarray(pixels.astype(np.uint8)).resize((64, 64)).save(folder / f"{number:02}.png")
        lines.append(f"{number:02}.png,{'cold' if cold != (number in wrong) else 'warm'}")
    return "\n".join(lines)


def test_labels_that_do_not_fit_are_told_and_go_when_that_is_asked_for(tmp_path, settings):
    table = tmp_path / "classes.csv"
    table.write_text(colored(tmp_path / "photos", wrong=(3, 10)), encoding="utf-8")
    result = clean(tmp_path / "photos", settings, captions=table, labels="kind", groups="red; blue")
    rows = rows_of(result)
    assert {id: (row.label, row.likely, row.kept) for id, row in rows.items() if row.likely} == {
        "03.png": ("warm", "cold", True), "10.png": ("cold", "warm", True),
    }  # fmt: skip
    check = result.tasks[0].labels
    assert (check.judged, check.wrong, check.chance, check.commonest) == (
        40,
        2,
        0.5,
        0.5,
    ) and check.accuracy.share == pytest.approx(38 / 40)
    assert check.planted.share > check.others.share
    assert {each.group for each in check.doubted} == {"red", "blue"}
    assert check.clues[0].alarm and any("brightness alone tells the label" in note for note in result.notes)
    assert {(each.group, each.way) for each in result.tasks[0].audit.accuracies} == {
        (group, way) for group in ("", "red", "blue") for way in ("before", "random", "SemDeDup", "FairDeDup", "this run")
    }  # fmt: skip
    assert len(result.forests()) == 5 and not result.tasks[0].audit.alarms
    gone = clean(tmp_path / "photos", settings, captions=table, labels="kind", drop=("wrong label",))
    assert {id for id, row in rows_of(gone).items() if row.reason == "issue"} == {"03.png", "10.png"}


def test_no_picture_goes_for_the_doubts_of_a_probe_that_guesses(tmp_path, settings):
    table = tmp_path / "classes.csv"
    colored(tmp_path / "photos", wrong=())
    rows = [f"{number:02}.png,{'odd' if number % 4 < 2 else 'even'}" for number in range(40)]  # as many of each color
    table.write_text("\n".join(["image,kind", *rows]), encoding="utf-8")
    result = clean(tmp_path / "photos", settings, captions=table, labels="kind", drop=("wrong label",))
    check = result.tasks[0].labels
    assert check.guesses and check.wrong and any("its doubts say nothing" in note for note in result.notes)
    assert not any(row.reason == "issue" for row in rows_of(result).values())


def test_near_copies_of_a_group_stay_where_it_would_fall_below_its_floor(tmp_path, settings):
    folder = tmp_path / "colors"
    folder.mkdir()
    for number in range(12):
        picture = np.array(scene(number, (96, 72)), dtype=np.float64)
        picture[..., 0 if number < 9 else 2] = 150 + 0.4 * picture[..., 0]
        shown = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        shown.save(folder / f"{number:02}.png")
        for copy in range(1 if number < 9 else 4):  # the blue ones are mostly copies
            shown.crop((copy + 1, 1, 94, 71)).save(folder / f"{number:02} {copy}.png")
    free = clean(folder, settings, groups="red; blue").tasks[0]
    shares = {each.group: each.share for each in free.audit.shares if each.way == "this run"}
    assert free.kept == 12 and shares["blue"] == pytest.approx(0.25)
    result = clean(folder, settings, groups="red; blue", floor="40%")
    held = {id: row for id, row in rows_of(result).items() if "floor" in row.why}
    assert {row.group for row in held.values()} == {"blue"} and all(row.kept for row in held.values())
    assert (
        0.4
        <= next(each.share for each in result.tasks[0].audit.shares if (each.group, each.way) == ("blue", "this run"))
        < 0.45
    )
    result = clean(folder, settings, groups="red; blue; green", floor="30%")
    assert any("'green' is 0.0%, below the floor of 30%" in alarm for alarm in result.tasks[0].audit.alarms)


def test_sub_folders_are_classes_and_too_few_are_told(photos, settings):
    result = clean(photos, settings, labels="folder")
    assert rows_of(result)["own/03.png"].label == "own" and result.tasks[0].labels is None
    assert any("fewer than 5 different pictures were not judged: taken" in note for note in result.notes)


def test_a_person_changes_the_threshold_and_keeps_a_picture(photos, settings, tmp_path):
    asked = []

    async def reviewer(question):
        asked.append(question)
        return [
            {"keep": ["nothing.png"]},
            {"groups": "red; blue"},
            Review(keep=("taken/mirror.png",), threshold=0.6),
            {},
        ][len(asked) - 1]

    result = curate(
        photos, settings=settings, models={"clip": ColorClip}, reviewer=reviewer, review=True, to=tmp_path / "clean"
    )
    assert [question["cleaned"]["kept"] for question in asked] == [12, 12, 12, 13]
    assert "there is no such picture" in asked[1]["wrong"] and "give --groups" in asked[2]["wrong"]
    assert asked[3]["wrong"] == ""
    cleaned = result.tasks[0]
    assert (cleaned.kept, cleaned.threshold, cleaned.how) == (13, 0.6, "a person's threshold")
    assert (tmp_path / "clean" / "pictures" / "taken" / "mirror.png").is_symlink()


def test_a_person_stops_it_and_nothing_is_written(photos, settings, tmp_path):
    async def reviewer(question):
        return {"stop": True}

    with pytest.raises(BadInput, match="a person stopped it"):
        curate(photos, settings=settings, models={"clip": ColorClip}, reviewer=reviewer, review=True, to=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    with pytest.raises(Interrupted, match="waits for a person's answer"):
        clean(photos, settings, review=True, to=tmp_path / "x")


def test_a_budget_stops_with_nothing_removed(photos, settings):
    result = clean(photos, settings, budget="seconds=0.000001")
    assert result.tasks == () and "seconds" in result.stopped and result.finding() == "nothing was cleaned"


def test_killed_it_goes_on_with_the_step_under_way(photos, tmp_path):
    """The nodes before the kill are not done again; with the real embedder, its ledger sees to what is within one."""
    spawn = multiprocessing.get_context("spawn")
    runs, log, to = tmp_path / "runs", tmp_path / "log", tmp_path / "clean"
    process = spawn.Process(target=go, args=(str(runs), str(photos), str(to), str(log), 0.02))
    process.start()
    while process.is_alive() and (not log.exists() or len(log.read_text().splitlines()) < 40):
        time.sleep(0.01)  # all pictures are embedded, and some of those that are planted
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    [run] = runs.glob("curate-*")
    log.unlink()
    process = spawn.Process(target=go, args=(str(runs), str(photos), str(to), str(log), 0.0, str(run)))
    process.start()
    process.join()
    assert process.exitcode == 0 and len(list((to / "pictures" / "own").iterdir())) == 12
    again = log.read_text().splitlines()
    assert len(again) == 84  # what is planted; none of the 16 pictures


def test_one_more_picture_is_paid_for_alone(tmp_path, settings):
    train, _, _ = drawn_copies(tmp_path, 45, seed=1)
    first = curate(train, settings=settings.model_copy(update={"device": "cpu"}))
    scene(7, (96, 96)).save(train / "new.png")
    second = curate(train, settings=settings.model_copy(update={"device": "cpu"}))
    paid = [result.calls["embedding"]["paid"] for result in (first, second)]
    assert (
        paid[0] > 300 and paid[1] <= 1 + 3 * 6
    )  # itself; where it is among the 50 that are planted into, six of it and its two neighbours'


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": "red"}, "is one group: give two or more"),
        ({"threshold": 0.5, "remove": "10%"}, "both say how much goes"),
        ({"copies": "exact", "threshold": 0.5}, "leave --threshold and --remove out"),
        ({"copies": "exact", "rule": "components"}, "--rule components is of near copies"),
        ({"choice": "fairdedup"}, "--choice fairdedup says how groups are served"),
        ({"rule": "released", "groups": "red; blue"}, "leave --rule released out"),
        ({"copies": "exact", "groups": "a; b"}, "looks for none"),
        ({"captioner": "mini-promptcap"}, "give --captions"),
        ({"vqa": "mini"}, "judge captions: give --captions"),
        ({"filter": "blip"}, "'blip' is no filter: give clip, itm or itm:"),
        ({"captions": "captions.csv"}, "'other.png'.*'own/00.png'"),
        ({"captions": "columns.csv"}, "has the columns 'a', 'b': give image and caption"),
        ({"captions": "twice.csv"}, "'own/00.png' is in .* twice"),
        ({"captions": "none.csv"}, "cannot be read|does not exist|no such"),
        ({"test": "photos/own"}, "lie in each other"),
        ({"like": "empty"}, "there is no picture in"),
        ({"to": "photos/clean"}, "lies in the folder that is cleaned"),
        ({"to": "full"}, "holds something else"),
        ({"drop": ("ugly",)}, "'ugly' is no issue"),
        ({"remove": "many"}, "'many' is no share"),
        ({"drop": ("wrong label",)}, "give --labels"),
        ({"labels": "kind"}, "names a column: give its table with --captions"),
        ({"labels": "kind", "captions": "good.csv"}, "has the columns 'image', 'caption': give one of them"),
        ({"labels": "caption", "captions": "good.csv"}, "has 1 classes: two or more are needed"),
        ({"floor": "20%"}, "give --groups"),
        ({"floor": "60%", "groups": "a; b"}, "2 groups cannot each have as much"),
        ({"thresold": 1}, "did you mean 'threshold'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_opened(photos, settings, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captions.csv").write_text("image,caption\nother.png,a\n", encoding="utf-8")
    (tmp_path / "columns.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "twice.csv").write_text("image,caption\nown/00.png,a\nown/00.png,b\n", encoding="utf-8")
    (tmp_path / "good.csv").write_text("image,caption\nown/00.png,a\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x", encoding="utf-8")
    with pytest.raises(BadInput, match=f"(?s){message}"):
        clean(photos, settings, **options)
    assert not settings.runs_dir.exists() or not any(settings.runs_dir.iterdir())


def test_a_folder_without_pictures_and_one_that_cannot_be_read(tmp_path, settings):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="there is no picture in"):
        clean(tmp_path / "empty", settings)
    (tmp_path / "empty" / "broken.png").write_bytes(b"no")
    with pytest.raises(BadInput, match="none of the 1 pictures can be read"):
        clean(tmp_path / "empty", settings)


def test_one_picture_alone_stays(tmp_path, settings):
    (tmp_path / "one").mkdir()
    scene(1).save(tmp_path / "one" / "a.png")
    cleaned = clean(tmp_path / "one", settings).tasks[0]
    assert cleaned.kept == 1 and "one picture is too few to plant copies" in cleaned.how


def test_captions_are_named_from_the_folder_or_from_where_the_table_lies(tmp_path):
    files = ["a.png", "more/b.png"]
    for place, names in ((tmp_path / "set", ["images/a.png", "./images/more/b.png"]), (tmp_path, files)):
        place.mkdir(exist_ok=True)
        table = place / "metadata.jsonl"
        table.write_text("".join(json.dumps({"file_name": name, "text": "a  cup"}) + "\n" for name in names))
        found = read_annotations(str(table), "", files, tmp_path / "set" / "images")
        assert (found.captions, found.labels) == (dict.fromkeys(files, "a cup"), {})
    table.write_text('{"image": "c.png", "caption": "a cup"}\n')
    with pytest.raises(BadInput, match=r"name no picture of the folder, such as 'c\.png'"):
        read_annotations(str(table), "", files, tmp_path / "set" / "images")
