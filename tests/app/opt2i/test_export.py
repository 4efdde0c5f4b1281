"""What other programs are given of a run: prompts as text and as a table, pictures that carry their prompt."""

import csv
import re

import pytest
from drawn import make_outcome
from PIL import Image

from inloop.app.opt2i.export import parameters, pictures, tables
from inloop.runtime.store.blobs import BlobStore


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return BlobStore(tmp_path_factory.mktemp("store") / "blobs")


@pytest.fixture(scope="module")
def outcome(blobs):
    return make_outcome(blobs, prompts=3, iterations=2, candidates=2)


def test_the_prompts_to_use_one_a_line_and_as_a_table(outcome, tmp_path):
    paths = tables(outcome, tmp_path)
    assert paths["chosen"].read_text(encoding="utf-8").splitlines() == [task.chosen for task in outcome.tasks]
    with paths["table"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["prompt"] for row in rows] == [task.text for task in outcome.tasks]
    held = outcome.tasks[0].heldout
    assert float(rows[0]["dsg of the best"]) == pytest.approx(100 * held["best"].scores["dsg"], abs=0.01)


def test_a_picture_carries_its_prompt_and_is_the_same_picture(outcome, blobs, tmp_path):
    written = pictures(outcome, blobs, tmp_path / "pictures")
    task = outcome.tasks[0]
    shots = next(held.images for held in task.heldout.values() if held.text == task.chosen)
    mine = [path for path in written if path.name.startswith(f"{task.id}-")]
    assert [path.name for path in mine] == [f"{task.id}-{shot.seed}.png" for shot in shots]
    with Image.open(mine[0]) as image:
        prompt, settings = image.text["parameters"].split("\n")
        assert prompt == task.chosen and f"Seed: {shots[0].seed}" in settings
        assert image.tobytes() == blobs.get_image(shots[0].image).tobytes()


def test_the_settings_are_told_as_the_web_ui_reads_them():
    told = parameters(
        "a red cup", 7, {"id": "stabilityai/sd-turbo", "recipe": "steps=1 guidance=0.0 batch=4"}, (512, 512)
    )
    prompt, settings = told.split("\n")
    # its reader finds "name: value" pairs in the last line, three or more
    found = dict(re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', settings))
    assert (
        prompt == "a red cup" and found["Steps"] == "1" and found["CFG scale"] == "0.0" and found["Size"] == "512x512"
    )
    assert "Steps" not in parameters("a red cup", 7, {"id": "mine"}, (8, 8))
