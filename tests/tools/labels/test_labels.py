"""COCO, YOLO and Label Studio: what is written is read again, masks pixel for pixel where the format can hold them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inloop.runtime.errors import BadInput
from inloop.tools.labels import (
    LabelledThing,
    PictureLabels,
    read_coco,
    read_label_studio,
    read_labels,
    read_yolo,
    written_labels,
)
from inloop.tools.segmentation import box_of, mask_iou

CLASSES = ("cup", 'a "dog": big')


def ring():
    mask = np.zeros((40, 60), dtype=bool)
    mask[5:30, 10:45] = True
    mask[12:20, 20:30] = False
    mask[33:38, 50:58] = True  # a second part
    return mask


def shown():
    mask = ring()
    things = (
        LabelledThing(label="cup", box=box_of(mask), mask=mask),
        LabelledThing(label='a "dog": big', box=(1.0, 2.0, 9.0, 12.0)),
    )
    return [
        PictureLabels(picture="a/one.png", width=60, height=40, things=things),
        PictureLabels(picture="two.jpg", width=30, height=20),
    ]


def written(folder, format, pictures=None, classes=CLASSES):
    for name, data in written_labels(format, pictures or shown(), classes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return {"coco": folder / "labels.json", "yolo": folder, "label-studio": folder / "tasks.json"}[format]


def same(found, *, exact=True):
    one, two = found
    assert (one.picture, one.width, one.height, two.picture, two.things) == ("a/one.png", 60, 40, "two.jpg", ())
    cup = next(each for each in one.things if each.label == "cup")
    dog = next(each for each in one.things if each.label == 'a "dog": big')
    assert dog.mask is None and dog.box == pytest.approx((1, 2, 9, 12), abs=1e-3)
    assert (cup.mask == ring()).all() if exact else mask_iou(cup.mask, ring()) > 0.85
    assert cup.box == box_of(cup.mask)


@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_what_is_written_is_read_again(tmp_path, format):
    same(read_labels(written(tmp_path, format)))


def test_pycocotools_reads_it(tmp_path):
    coco = pytest.importorskip("pycocotools.coco", reason="no pycocotools: pip install pycocotools").COCO(
        str(written(tmp_path, "coco"))
    )
    rows = coco.loadAnns(coco.getAnnIds(imgIds=[1], catIds=coco.getCatIds(catNms=["cup"])))
    assert len(rows) == 1 and (coco.annToMask(rows[0]) == ring()).all() and rows[0]["area"] == ring().sum()


def test_label_studio_keeps_parts_together_and_fills_holes(tmp_path):
    path = written(tmp_path, "label-studio")
    tasks = json.loads(path.read_text(encoding="utf-8"))
    assert (
        len(tasks[0]["annotations"][0]["result"]) == 3
        and tasks[0]["predictions"] == []
        and tasks[1]["annotations"] == []
    )
    [one] = read_labels(path)  # nobody annotated the second one
    assert one.picture == "a/one.png" and {each.label for each in one.things} == set(CLASSES)
    cup = next(each for each in one.things if each.label == "cup")
    solid = ring()
    solid[12:20, 20:30] = True
    assert (cup.mask == solid).all()
    assert 'value="a &quot;dog&quot;: big"' in (tmp_path / "config.xml").read_text(encoding="utf-8")


def test_label_studio_has_what_is_doubtful_as_predictions():
    mask = ring()
    doubtful = LabelledThing(label="cup", box=box_of(mask), mask=mask, sure=0.4)
    sure = LabelledThing(label="cup", box=(1.0, 1.0, 5.0, 5.0))
    [task] = json.loads(
        written_labels(
            "label-studio", [PictureLabels(picture="x.png", width=60, height=40, things=(sure, doubtful))], CLASSES
        )["tasks.json"]
    )
    assert task["annotations"] == [] and {each.get("score") for each in task["predictions"][0]["result"]} == {None, 0.4}
    assert read_label_studio([task], "it") == []


def test_the_newest_annotation_counts_and_a_cancelled_one_does_not():
    def annotation(label, when, **more):
        value = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": [label]}
        return {
            "updated_at": when, "result": [{"type": "rectanglelabels", "original_width": 200, "original_height": 100, "value": value}], **more,
        }  # fmt: skip

    task = {
        "data": {"image": "/data/local-files/?d=photos/x.png"},
        "annotations": [annotation("new", "2026-02-01"), annotation("old", "2026-01-01"), annotation("gone", "2026-03-01", was_cancelled=True)],
    }  # fmt: skip
    [found] = read_label_studio([task], "it")
    assert found.picture == "photos/x.png" and [(each.label, each.box) for each in found.things] == [
        ("new", (20.0, 20.0, 80.0, 60.0))
    ]


@given(hnp.arrays(bool, st.tuples(st.integers(2, 12), st.integers(2, 12))).filter(lambda mask: mask.any()))
def test_any_mask_survives_yolo(mask):
    import tempfile
    from pathlib import Path

    height, width = mask.shape
    thing = LabelledThing(label="cup", box=box_of(mask), mask=mask)
    with tempfile.TemporaryDirectory() as place:
        folder = written(
            Path(place), "yolo", [PictureLabels(picture="x.png", width=width, height=height, things=(thing,))]
        )
        [found] = read_yolo(folder)
    assert (found.things[0].mask == mask).all()


def test_polygons_and_lists_of_run_lengths_of_others_are_read():
    content = {
        "images": [{"id": 7, "file_name": "x.png", "width": 4, "height": 3}],
        "categories": [{"id": 3, "name": "cup"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "bbox": [1, 0, 2, 2], "segmentation": [[1, 0, 3, 0, 3, 2, 1, 2]]},
            {
                "image_id": 7,
                "category_id": 3,
                "bbox": [0, 0, 1, 3],
                "segmentation": {"size": [3, 4], "counts": [0, 3, 9]},
            },
            {"image_id": 7, "category_id": 3, "bbox": [0, 0, 2, 2]},
        ],
    }
    [found] = read_coco(content, "it")
    polygon, runs, box = found.things
    assert polygon.mask.sum() == 4 and polygon.box == (1, 0, 3, 2) and runs.mask[:, 0].all() and runs.mask.sum() == 3
    assert box.mask is None and box.box == (0, 0, 2, 2)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "is no JSON"),
        ('{"a": 1}', "neither COCO"),
        ('{"images": [], "annotations": [{}]}', "no COCO file"),
        ('{"images": [{"id": 1, "file_name": "x", "width": 2, "height": 2}], "categories": [{"id": 1, "name": "c"}], "annotations":'
         ' [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "segmentation": {"size": [2, 2], "counts": [1]}}]}', "come to 1 pixels"),
        ('[{"annotations": [{"result": [{}]}]}]', "no export of Label Studio"),
        ('[{"data": {"image": "x"}, "annotations": [{"result": [{"type": "brushlabels", "original_width": 3, "original_height": 3, "value": {}}]}]}]', "brush"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, content, why):
    path = tmp_path / "it.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=why) as told:
        read_labels(path)
    assert "it.json" in str(told.value)


def test_a_folder_that_is_not_of_yolo_and_a_line_that_is_none(tmp_path):
    with pytest.raises(BadInput, match=r"no folder of YOLO labels|cannot be read"):
        read_labels(tmp_path)
    written(tmp_path, "yolo")
    (tmp_path / "labels" / "two.txt").write_text("0 0.1 0.2 0.3\n", encoding="utf-8")
    with pytest.raises(BadInput, match="three corners"):
        read_labels(tmp_path)
    (tmp_path / "labels" / "two.txt").unlink()
    assert [each.picture for each in read_labels(tmp_path)] == ["a/one.png"]
