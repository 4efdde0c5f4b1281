"""GenEval: the published rule case by case, the published prompts read by our rules, and what it never does."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inloop.evaluators.text_image.geneval import GenEval, Thresholds, judge, keep, relations
from inloop.evaluators.text_image.geneval_prompts import COLORS, Requirements, read_requirements, requirements_of
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedDetector
from inloop.runtime.records import Detection, Sample
from inloop.runtime.store.blobs import BlobStore

DATA = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data"))
METADATA = DATA / "opt2i" / "geneval" / "evaluation_metadata.jsonl"

SHADES = {
    **{"red": (220, 20, 20), "orange": (255, 140, 0), "yellow": (240, 230, 30), "green": (20, 160, 40)},
    **{"blue": (30, 60, 220), "purple": (120, 20, 140), "pink": (255, 160, 190), "brown": (110, 60, 20)},
    **{"black": (0, 0, 0), "white": (255, 255, 255)},
}


def wants(include, exclude=(), tag=""):
    return Requirements.of({"include": include, "exclude": list(exclude), "tag": tag}, "a test")


def seen(label, score, *box):
    return Detection(label=label, score=score, box=box or (0, 0, 10, 10))


class ShadeEmbedder:
    """Cosines that grow as a picture's mean colour comes near to a text's colour word; texts of no colour are near to none."""

    model, revision = "shades", "test"

    def __init__(self, blobs):
        self.blobs, self.crops = blobs, []

    async def texts(self, texts):
        return [[float(color in text) for color in COLORS] for text in texts]

    async def images(self, images):
        self.crops += [self.blobs.get_image(image).size for image in images]
        made = []
        for image in images:
            mean = self.blobs.get_image(image).convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
            gaps = [sum((a - b) ** 2 for a, b in zip(mean, SHADES[color], strict=True)) for color in COLORS]
            made.append([1 / (1 + gap) for gap in gaps])
        return made


# the rule


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ((0, 0, 10, 10), (50, 0, 60, 10), {"left of"}),
        ((50, 0, 60, 10), (0, 0, 10, 10), {"right of"}),
        ((0, 0, 10, 10), (0, 50, 10, 60), {"above"}),
        ((0, 50, 10, 60), (0, 0, 10, 10), {"below"}),
        ((0, 0, 10, 10), (40, 40, 50, 50), {"left of", "above"}),  # 38/56.6 = 0.67 each way
        ((0, 0, 10, 10), (50, 20, 60, 30), {"left of"}),  # 48/53.9 = 0.89 across, 18/53.9 = 0.33 down
        ((0, 0, 10, 10), (0, 0, 10, 10), set()),
        ((0, 0, 100, 100), (15, 0, 115, 100), set()),  # 15 px apart, below a tenth of both sizes
        ((0, 0, 100, 100), (30, 0, 130, 100), set()),  # (30 - 20) / 30 = 0.33: not clearly
        ((0, 0, 100, 100), (50, 0, 150, 100), {"left of"}),  # (50 - 20) / 50 = 0.6
    ],
)
def test_places_of_boxes(one, other, found):
    assert relations(one, other) == found


BOXES = st.tuples(*[st.floats(0, 500)] * 4).map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))  # fmt: skip
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


@given(one=BOXES, other=BOXES, threshold=st.floats(0, 1))
def test_places_are_opposite_from_the_other_side(one, other, threshold):
    found = relations(one, other, threshold)
    assert relations(other, one, threshold) == {OPPOSITE[name] for name in found}
    assert not {"left of", "right of"} <= found and not {"above", "below"} <= found


DOG_BY_BENCH = [{"class": "bench"}, {"class": "dog", "position": ["left of", 0]}]


@pytest.mark.parametrize(
    ("include", "exclude", "found", "value", "why"),
    [
        ([{"class": "cat"}], [], [seen("cat", 0.31)], 1, "all as required"),
        ([{"class": "cat"}], [], [seen("cat", 0.3)], 0, "1 cat: found 0"),
        ([{"class": "cat"}], [], [seen("dog", 0.9)], 0, "1 cat: found 0"),
        ([{"class": "cat", "count": 2}], [], [seen("cat", 0.5)] * 3, 1, "all"),
        ([{"class": "cat", "count": 2}], [{"class": "cat", "count": 3}], [seen("cat", 0.95)] * 3, 0, "fewer than 3 cat"),
        # counting: only what is surer than 0.9 is there
        ([{"class": "cat", "count": 2}], [{"class": "cat", "count": 3}], [seen("cat", 0.95)] * 2 + [seen("cat", 0.8)], 1, "all"),
        (DOG_BY_BENCH, [], [seen("bench", 0.9, 50, 0, 60, 10), seen("dog", 0.9, 0, 0, 10, 10)], 1, "all"),
        (DOG_BY_BENCH, [], [seen("dog", 0.9, 50, 0, 60, 10), seen("bench", 0.9, 0, 0, 10, 10)], 0, "found right of"),
        (DOG_BY_BENCH, [], [seen("dog", 0.9), seen("bench", 0.9)], 0, "found together"),
        (DOG_BY_BENCH, [], [seen("dog", 0.9)], 0, "dog left of bench: found not both"),
        # the surest one is looked at, wherever the others are
        (DOG_BY_BENCH, [], [seen("bench", 0.9, 50, 0, 60, 10), seen("dog", 0.8, 90, 0, 99, 10), seen("dog", 0.9, 0, 0, 10, 10)], 1, "all"),
    ],
)  # fmt: skip
def test_the_rule(include, exclude, found, value, why):
    wanted = wants(include, exclude)
    score = judge(wanted, keep(found, wanted, Thresholds()), {})
    assert score.value == value and why in score.explanation
    assert score.value == float(all(part.value == 1 for part in score.parts))


def test_colors_are_those_of_the_surest_objects():
    wanted = wants([{"class": "cup", "count": 2, "color": "red"}])
    kept = keep([seen("cup", 0.9), seen("cup", 0.8), seen("cup", 0.7)], wanted, Thresholds())
    assert judge(wanted, kept, {0: ["red", "red"]}).value == 1
    assert judge(wanted, kept, {0: ["red", "blue"]}).value == 0
    missing = judge(wanted, {"cup": [seen("cup", 0.9)]}, {})
    assert missing.value == 0 and [part.value for part in missing.parts] == [0, 0]


def test_a_target_that_is_not_as_it_should_be_is_no_target():
    wanted = wants([{"class": "bench", "color": "red"}, {"class": "dog", "position": ["left of", 0]}])
    kept = {"bench": [seen("bench", 0.9, 50, 0, 60, 10)], "dog": [seen("dog", 0.9, 0, 0, 10, 10)]}
    assert judge(wanted, kept, {0: ["red"]}).value == 1
    wrong = judge(wanted, kept, {0: ["blue"]})
    assert [part.value for part in wrong.parts] == [1, 0, 1, 0]


def test_overlapping_boxes_are_dropped_where_that_is_asked_for():
    wanted = wants([{"class": "cat", "count": 2}])
    twice = [seen("cat", 0.9, 0, 0, 99, 99), seen("cat", 0.8, 2, 0, 101, 99)]
    assert len(keep(twice, wanted, Thresholds())["cat"]) == 2
    assert len(keep(twice, wanted, Thresholds(overlap=0.5))["cat"]) == 1
    assert len(keep([seen("cat", 0.9)] * 40, wanted, Thresholds())["cat"]) == 16


def test_thresholds_come_from_the_options_of_the_detector():
    made = Thresholds.of({"detection": "0.4", "counting": "0.6"}, "ssd?...")
    assert (made.detection, made.counting, made.overlap, made.position) == (0.4, 0.6, 1.0, 0.1)
    for options in ({"wish": "1"}, {"detection": "often"}, {"detection": "2"}):
        with pytest.raises(BadInput, match=r"'ssd\?x'.*detection, counting, overlap, position"):
            Thresholds.of(options, "ssd?x")


# prompts


@pytest.mark.skipif(not METADATA.is_file(), reason=f"GenEval's metadata is not there: {METADATA}; set INLOOP_DATA")
def test_the_published_prompts_are_read_as_published():
    table = read_requirements(METADATA)
    assert len(table) == 553
    for prompt, wanted in table.items():
        read = requirements_of(prompt)
        assert (read.include, read.exclude) == (wanted.include, wanted.exclude), prompt
        assert (read.tag == "counting") == (wanted.tag == "counting"), prompt


@pytest.mark.parametrize(
    ("prompt", "include"),
    [
        ("Two red cups.", [("cup", 2, "red", None)]),
        ("a sofa to the left of three people", [("person", 3, None, None), ("couch", 1, None, ("left of", 0))]),
        ("an orange", [("orange", 1, None, None)]),
        ("an orange orange", [("orange", 1, "orange", None)]),
        ("a cat, a dog, and 2 knives", [("cat", 1, None, None), ("dog", 1, None, None), ("knife", 2, None, None)]),
    ],
)
def test_prompts_worded_like_them(prompt, include):
    assert [(w.name, w.count, w.color, w.position) for w in requirements_of(prompt).include] == include


@pytest.mark.parametrize(
    "prompt", ["a red disc", "a happy dog", "", "zero cats", "0 cats", "a dog left of a cat above a cup"]
)
def test_other_prompts_say_what_they_lack(prompt):
    with pytest.raises(BadInput, match=r"cannot be read: .*--geneval FILE"):
        requirements_of(prompt)


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_no_prompt_crashes_the_reader(prompt):
    with contextlib.suppress(BadInput):
        assert requirements_of(prompt).include


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "line 1, is not JSON"),
        ('{"prompt": "x"}', "include: Field required"),
        ('{"prompt": "x", "include": [{"class": "cat", "position": ["left of", 0]}]}', "no object before it"),
        ('{"prompt": "x", "include": [{"class": "cat", "count": 0}]}', "count"),
        ('{"include": []}', "has no prompt"),
    ],
)
def test_bad_requirements_are_named(tmp_path, row, why):
    path = tmp_path / "m.jsonl"
    path.write_text(row, encoding="utf-8")
    with pytest.raises(BadInput, match=why):
        read_requirements(path)


# the evaluator


def painted(blobs, boxes):
    """A grey picture with coloured boxes."""
    picture = Image.new("RGB", (100, 100), (128, 128, 128))
    for color, box in boxes:
        picture.paste(SHADES[color], box)
    return blobs.put_image(picture)


async def test_pictures_are_judged_by_detector_and_colors(tmp_path):
    blobs = BlobStore(tmp_path)
    left, right = (0, 20, 30, 50), (60, 20, 90, 50)
    right_one = painted(blobs, [("red", left), ("blue", right)])
    wrong_one = painted(blobs, [("blue", left), ("red", right)])
    detector = ScriptedDetector(lambda image: [seen("cup", 0.9, *left), seen("bench", 0.8, *right)])
    embedder = ShadeEmbedder(blobs)
    meta = {
        "include": [{"class": "bench", "color": "blue"}, {"class": "cup", "color": "red", "position": ["left of", 0]}]
    }
    samples = [
        Sample(id="right", text="x", image=right_one, meta=meta),
        Sample(id="wrong", text="x", image=wrong_one, meta=meta),
        Sample(id="read", text="a photo of a red cup and a blue bench", image=right_one),
        Sample(id="table", text="what the table says", image=right_one),
        Sample(id="unread", text="something else", image=right_one),
        Sample(id="none", text="a cup"),
    ]
    told = []
    table = {"what the table says": wants([{"class": "cup", "count": 2}])}
    geneval = GenEval(detector, embedder, blobs, table=table, on_color=lambda: told.append(1))
    scores = await geneval.score(samples)
    assert [score.value for score in scores] == [1, 0, 1, 0, None, None]
    assert "blue bench: found red" in scores[1].explanation and "cannot be read" in scores[4].explanation
    assert set(embedder.crops) == {(30, 30)} and told
    assert await geneval.score(samples[::-1]) == scores[::-1]


async def test_a_detector_that_fails_gives_no_score(tmp_path):
    blobs = BlobStore(tmp_path)

    class Failing(ScriptedDetector):
        async def detect(self, asked):
            if any(image.sha256 == bad.sha256 for image, _ in asked):
                raise CallFailed("out of paint")
            return await super().detect(asked)

    good, bad = painted(blobs, []), painted(blobs, [("red", (0, 0, 9, 9))])
    geneval = GenEval(Failing(lambda image: [seen("cat", 0.9)]), ShadeEmbedder(blobs), blobs)
    scores = await geneval.score([Sample(id=str(i), text="a cat", image=image) for i, image in enumerate([good, bad])])
    assert [score.value for score in scores] == [1, None] and scores[1].explanation == "out of paint"


@given(
    found=st.lists(
        st.builds(Detection, label=st.sampled_from(["cat", "dog", "cup"]), score=st.floats(0, 1), box=BOXES), max_size=30
    ),
    include=st.lists(st.tuples(st.sampled_from(["cat", "dog"]), st.integers(1, 3), st.sampled_from([None, "red"])), min_size=1, max_size=3),
    extra=st.lists(st.builds(Detection, label=st.just("tv"), score=st.floats(0, 1), box=BOXES), max_size=5),
)  # fmt: skip
def test_a_score_is_0_or_1_and_other_objects_do_not_matter(found, include, extra):
    wanted = wants([{"class": name, "count": count, "color": color} for name, count, color in include])
    colors = {place: ["red"] * count for place, (_, count, color) in enumerate(include) if color}
    score = judge(wanted, keep(found, wanted, Thresholds()), colors)
    assert score.value in (0.0, 1.0) and all(part.value in (0.0, 1.0) for part in score.parts)
    assert judge(wanted, keep([*extra, *found], wanted, Thresholds()), colors) == score
    json.loads(score.model_dump_json())
