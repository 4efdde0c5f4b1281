"""Labellings from Python: routes, people's corrections, what is remembered, what is written and read again, kills, and bad input."""

import json
import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import pytest
from labelled import CLASSES, DegradedSegmenter, Judge, Person, TruthDetector, drawn_folder, go, truth_of
from PIL import Image

from inloop.graphs.label import Review, label, read_objects
from inloop.runtime.errors import BadInput, Interrupted
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation
from inloop.tools.labels import read_labels
from inloop.tools.segmentation import get_mask, mask_iou


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setattr(TruthDetector, "wrong", 0.0)
    return drawn_folder(tmp_path, 12)


MODELS = {"detector": TruthDetector, "segmenter": DegradedSegmenter}


def work(photos, settings, **options):
    return label(photos, settings=settings, **{"classes": CLASSES, "models": MODELS} | options)


def objects_of(result):
    return read_objects(result.blobs(), result.tasks[0])


def overlaps(objects, blobs):
    """The IoU of each label that is kept with what is true; 0 for a wrong name."""
    found = []
    for each in objects:
        if each.kept:
            mask = get_mask(each.mask, blobs)
            name, true = max(truth_of(each.image, Person.truth), key=lambda pair: mask_iou(pair[1], mask))
            found.append(mask_iou(mask, true) * (name == each.label))
    return found


def person(settings):
    return Person(StoreLocation.named_by(settings).open_blobs())


def test_the_bundled_models_label_drawn_pictures_by_themselves(photos, settings, tmp_path):
    result = label(photos, classes=CLASSES, judge="mini", to=tmp_path / "labels", settings=settings)
    [done] = result.tasks
    objects = objects_of(result)
    there = sum(len(truth_of(each, Person.truth)) for each in dict.fromkeys(one.image for one in objects))
    kept = overlaps(objects, result.blobs())
    assert len(kept) >= 0.9 * there and np.mean(kept) > 0.75
    assert set(done.routes) <= {"accepted", "person"} and done.calibration.threshold is None
    assert result.models["detector"]["id"] == "mini-detector" and result.notes == ()
    found = read_labels(tmp_path / "labels" / "labels.json")
    assert sum(len(each.things) for each in found) == len(kept) and all(each.width == 96 for each in found)
    assert (tmp_path / "labels" / "table.csv").read_text(encoding="utf-8").count("\n") == len(objects) + 1


def test_without_a_person_the_doubtful_stay_apart(photos, settings, tmp_path):
    result = work(photos, settings, to=tmp_path / "labels")
    objects = objects_of(result)
    doubtful = [each for each in objects if each.route == "person"]
    assert doubtful and all(each.iou < 0.88 for each in doubtful)
    assert min(overlaps(objects, result.blobs())) > 0.75
    sure, apart = (read_labels(tmp_path / "labels" / name) for name in ("labels.json", "doubtful/labels.json"))
    assert sum(len(each.things) for each in sure) == len(objects) - len(doubtful)
    assert sum(len(each.things) for each in apart) >= len(doubtful)
    assert f"{len(doubtful)} doubtful" in result.finding()


def test_a_judge_is_shown_the_doubtful_alone(photos, settings):
    judge = Judge(0.97)
    before = [each for each in objects_of(work(photos, settings)) if each.route == "person"]
    result = work(photos, settings, models={**MODELS, "judge": judge})
    assert len(judge.asked) == len(before) and "person" not in result.tasks[0].routes
    assert all("outlined in pink" in question for _, question in judge.asked)
    shown = np.asarray(result.blobs().get_image(judge.asked[0][0]))
    assert ((shown == (255, 0, 160)).all(axis=2)).any()  # the outline
    denied = work(photos, settings, models={**MODELS, "judge": Judge(0.02)})
    assert denied.tasks[0].routes["person"] == len(before)


def test_a_person_corrects_and_no_later_run_asks_again(photos, settings, monkeypatch, tmp_path):
    monkeypatch.setattr(TruthDetector, "wrong", 0.2)
    monkeypatch.setattr(DegradedSegmenter, "bad", 0.5)
    asked = person(settings)
    result = work(photos, settings, review=True, reviewer=asked, page=5)
    [done] = result.tasks
    objects, blobs = objects_of(result), result.blobs()
    seen = [item for offer in asked.offers for item in offer.items]
    assert done.looks == len(seen) == len({item.id for item in seen}) and "person" not in done.routes
    assert all(len(offer.items) <= 5 for offer in asked.offers) and any(item.audit for item in seen)
    answers = {each.answer for each in objects}
    assert {"right", "box"} <= answers and done.calibration.answers > 0
    confirmed = [each for each in objects if each.route == "confirmed"]
    assert min(overlaps(confirmed, blobs)) >= 0.75
    again = person(settings)
    repeated = work(photos, settings, review=True, reviewer=again, page=5)
    assert again.offers == [] and not any(kind["paid"] for kind in repeated.calls.values())
    assert _said(objects_of(repeated)) == _said(objects)
    unasked = work(photos, settings)  # and without a person what was said counts as well
    assert unasked.tasks[0].routes == done.routes


def _said(objects):
    return sorted((each.picture, each.label, each.mask.sha256, each.answer, each.route) for each in objects)


def test_one_more_picture_is_paid_for_alone(tmp_path, photos, settings):
    last = photos / "11.png"
    shutil.move(last, tmp_path / "later.png")
    work(photos, settings)
    shutil.move(tmp_path / "later.png", last)
    calls = work(photos, settings).calls
    assert calls["detection"] == {"paid": 1, "reused": 11}
    assert calls["segmentation"]["paid"] == len(truth_of(_ref(last), Person.truth))


def _ref(path):
    import hashlib

    from inloop.runtime.records import BlobRef

    return BlobRef(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), media_type="image/png", bytes=1)


def test_what_was_missed_is_added_and_what_is_wrong_goes(photos, settings):
    async def said(question):
        item = question["items"][0]
        if not asked:
            asked.append(item)
            return Review(wrong=(1,), add=({"number": 1, "label": "bell", "box": (3, 4, 50, 60)},), skip=(2,))
        return Review(done=True)

    asked = []
    result = work(photos, settings, review=True, reviewer=said, page=2)
    objects = {each.id: each for each in objects_of(result)}
    assert (
        objects[asked[0]["id"]].route == "left out" and objects[asked[0]["id"]].why == "a person says that it is wrong"
    )
    added = [each for each in objects.values() if each.origin == "person"]
    assert [(each.label, each.box, each.route) for each in added] == [("bell", (3, 4, 50, 60), "person")]
    assert result.tasks[0].looks == 2
    later = [each for each in objects_of(work(photos, settings)) if each.origin == "person"]
    assert [each.label for each in later] == ["bell"]


def test_a_persons_box_is_not_doubled_by_another_detector(photos, settings):
    async def said(question):
        asked.append(question["items"][0])
        return Review(box={1: question["items"][0]["box"]}) if len(asked) == 1 else Review(done=True)

    class Other(TruthDetector):
        revision = "2"

        async def detect(self, asked):
            shifted = lambda box: (max(0.0, box[0] - 1), *box[1:])  # noqa: E731
            return [
                tuple(each.model_copy(update={"box": shifted(each.box)}) for each in found)
                for found in await super().detect(asked)
            ]

    asked = []
    before = objects_of(work(photos, settings, review=True, reviewer=said, page=1))
    again = objects_of(work(photos, settings, models={**MODELS, "detector": Other}))
    [own] = [each for each in again if each.origin == "person"]
    assert list(own.box) == asked[0]["box"] and own.label == asked[0]["label"]
    [double] = [each for each in again if each.replaced]
    assert (double.picture, double.label, double.route) == (own.picture, own.label, "left out")
    assert "own box stands" in double.why and len(again) == len(before)


def test_an_answer_that_cannot_be_taken_is_asked_again(photos, settings):
    wrongs = []

    async def said(question):
        wrongs.append(question["wrong"])
        return [
            Review(wrong=(99,)), Review(label={1: "spoon"}), Review(box={1: (0, 0, 500, 5)}), Review(wrong=(1,), skip=(1,)),
            {"nothing": 1}, Review(done=True),
        ][len(wrongs) - 1]  # fmt: skip

    work(photos, settings, review=True, reviewer=said)
    for told, why in zip(
        wrongs[1:], ("no mask 99", "none of the classes", "not inside", "named twice", "nothing"), strict=True
    ):
        assert why in told


def test_stop_writes_nothing_and_nobody_there_waits(photos, settings, tmp_path):
    async def stop(question):
        return Review(stop=True)

    with pytest.raises(BadInput, match="a person stopped it"):
        work(photos, settings, review=True, reviewer=stop, to=tmp_path / "labels")
    assert not (tmp_path / "labels").exists()
    with pytest.raises(Interrupted, match="waits for a person's answer"):
        work(photos, settings, review=True)
    run = max(settings.runs_dir.glob("label-*"), key=lambda path: path.stat().st_mtime)
    result = label.resume(run, settings=settings, models=MODELS, reviewer=person(settings))
    assert "person" not in result.tasks[0].routes


@pytest.mark.parametrize("format", ["coco", "yolo", "label-studio"])
def test_labels_that_people_corrected_elsewhere_are_read_and_teach_the_router(photos, settings, tmp_path, format):
    first = work(photos, settings, to=tmp_path / "labels", format=format)
    before = objects_of(first)
    corrected = _corrected(tmp_path / "labels", format, {each.picture: each.image for each in before}, tmp_path)
    result = work(photos, settings, answers=corrected, to=tmp_path / "labels", format=format)
    objects, [done] = objects_of(result), result.tasks
    imported = [each for each in objects if each.origin == "import"]
    there = {each.picture for each in imported}
    assert there == {each.picture for each in before if each.route == "person"}
    assert len(imported) == sum(
        len(truth_of(next(o.image for o in before if o.picture == name), Person.truth)) for name in there
    )
    assert min(overlaps(imported, result.blobs())) > (0.8 if format == "label-studio" else 0.99)  # holes are lost there
    own = [each for each in objects if each.picture in there and each.origin == "detector"]
    assert all(each.route == "left out" and each.replaced for each in own)
    for each in own:  # what the models did well counts for them
        mask = get_mask(each.mask, result.blobs())
        fits = max(mask_iou(mask, true) for _, true in truth_of(each.image, Person.truth))
        assert (each.answer == "right") == (fits > 0.75)
    assert done.calibration.answers == len(own) and "person" not in done.routes


def _corrected(folder, format, images, tmp_path):
    """As a person would leave the doubtful pictures: every thing with its true mask."""
    from inloop.tools.labels import LabelledThing, PictureLabels, written_labels
    from inloop.tools.segmentation import box_of

    if format == "label-studio":
        tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
        names = [task["data"]["picture"] for task in tasks if task["predictions"]]
    else:
        names = [
            each.picture for each in read_labels(folder / "doubtful" / ("labels.json" if format == "coco" else ""))
        ]
    true = [
        PictureLabels(
            picture=name, width=96, height=96,
            things=tuple(LabelledThing(label=each, box=box_of(mask), mask=mask) for each, mask in truth_of(images[name], Person.truth)),
        )
        for name in names
    ]  # fmt: skip
    out = tmp_path / "corrected"
    for name, data in written_labels(format, true, CLASSES.split("; ")).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    return {"coco": out / "labels.json", "yolo": out, "label-studio": out / "tasks.json"}[format]


def test_killed_it_goes_on_with_the_step_under_way(photos, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    runs, log = tmp_path / "runs", tmp_path / "log"
    process = spawn.Process(target=go, args=(str(runs), str(photos), str(Person.truth), str(log), 0.1))
    process.start()
    while process.is_alive() and (not log.exists() or len(log.read_text().splitlines()) < 5):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    [run] = runs.glob("label-*")
    before = log.read_text().splitlines()
    process = spawn.Process(target=go, args=(str(runs), str(photos), str(Person.truth), str(log), 0.0, str(run)))
    process.start()
    process.join()
    told = log.read_text().splitlines()
    assert process.exitcode == 0 and (run / "result.json").is_file()
    assert len(set(told)) == 12 and len(told) - len(before) in (
        12 - len(before),
        13 - len(before),
    )  # the one under way at most twice


def test_photographs_are_nothing_to_the_bundled_models_and_that_is_said(tmp_path, settings):
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "x.png")
    result = label(tmp_path / "photos", classes="cup", judge="mini", settings=settings)
    assert (
        result.tasks[0].objects == 0
        and "nothing but the drawn world" in result.notes[0]
        and "--detector" in result.notes[0]
    )
    assert "vqa" not in result.calls


def test_a_picture_that_fails_is_named_and_the_others_are_labelled(photos, settings):
    (photos / "broken.png").write_bytes(b"no picture")
    result = work(photos, settings)
    assert list(result.tasks[0].unlabelled) == ["broken.png"] and "no labels of broken.png" in result.notes[0]
    assert result.tasks[0].pictures == 12


def test_a_budget_stops_it_with_a_result(photos, settings):
    result = work(photos, settings, budget="calls=1")
    assert result.tasks == () and "calls" in result.stopped and result.finding() == "nothing was labelled"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"classes": ""}, "no classes"),
        ({"classes": " ; "}, "no classes"),
        ({"classes": "cup; dog; Cup"}, "'cup' is given twice"),
        ({"format": "voc"}, "format = 'voc' cannot be used"),
        ({"detector": "nowhere"}, "'nowhere' is neither"),
        ({"detector": "ssd?detection=0.2"}, "takes no options here: --score"),
        ({"to": "photos/labels"}, "lies in the folder that is labelled"),
        ({"to": "other"}, "holds something else"),
        ({"answers": "labels.json"}, "'zz.png', which is no picture"),
        ({"answers": "classes.json"}, "the class 'spoon', which --classes does not name"),
        ({"format": "yolo"}, "would have one file of labels"),
    ],
)
def test_bad_input_costs_nothing(tmp_path, monkeypatch, settings, options, why):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "x").write_text("mine", encoding="utf-8")
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (20, 20)).save(tmp_path / "photos" / name)
    picture = {"id": 1, "file_name": "zz.png", "width": 20, "height": 20}
    coco = {"images": [picture], "categories": [{"id": 1, "name": "spoon"}], "annotations": []}
    (tmp_path / "labels.json").write_text(json.dumps(coco), encoding="utf-8")
    coco["images"][0] = picture | {"file_name": "a.png"}
    coco["annotations"] = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}]
    (tmp_path / "classes.json").write_text(json.dumps(coco), encoding="utf-8")
    with pytest.raises(BadInput, match=why):
        label("photos", settings=settings, **{"classes": "cup; dog"} | options)
    assert not list(settings.runs_dir.glob("label-*")) if settings.runs_dir.exists() else True


def test_a_closed_detector_says_what_it_knows(photos, settings):
    class Closed(TruthDetector):
        labels = ("cup", "dog")

    with pytest.raises(BadInput, match="does not know the class 'star'; it knows cup, dog"):
        work(photos, settings, models={**MODELS, "detector": Closed})
