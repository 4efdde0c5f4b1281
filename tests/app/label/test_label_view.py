"""Masks that a run asks about, answered in the browser: what is said is checked, and a box is drawn with the pointer."""

import json
from urllib.parse import urlsplit

import chromium
import pytest
from labelled import CLASSES, DegradedSegmenter, Person, TruthDetector, drawn_folder
from starlette.testclient import TestClient
from viewed import Browser, served

from inloop.app.view.runs import Runs
from inloop.app.view.server import view_app
from inloop.graphs.label import label, read_objects
from inloop.runtime.errors import Interrupted
from inloop.runtime.session import Questions
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation

MODELS = {"detector": TruthDetector, "segmenter": DegradedSegmenter}
HOST = "http://127.0.0.1:9"


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """The settings, and the folder of a run that waits for an answer about a page of masks."""
    monkeypatch.setattr(DegradedSegmenter, "bad", 0.6)
    settings = Settings(runs_dir=tmp_path / "runs")
    with pytest.raises(Interrupted):
        label(drawn_folder(tmp_path, 8), classes=CLASSES, settings=settings, models=MODELS, review=True, page=4)
    [run] = settings.runs_dir.glob("label-*")
    return settings, run


def test_an_answer_that_cannot_be_taken_is_told_at_once(waiting):
    settings, run = waiting
    client = TestClient(
        view_app(Runs(settings.runs_dir, settings), token="secret"), base_url=HOST, follow_redirects=False
    )
    client.get("/?token=secret")
    [asked] = client.get(f"/api/runs/{run.name}").json()["questions"]
    path = f"/api/runs/{run.name}/answers"

    def told(answer):
        sent = client.post(path, json={"key": asked["key"], "answer": answer}, headers={"origin": HOST})
        return sent.status_code, sent.json().get("error", "")

    assert told({"wrong": [9]}) == (400, "there is no mask 9 on the page: give one from 1 to 4.")
    assert "none of the classes" in told({"label": {"1": "spoon"}})[1]
    assert "mask 1 needs a box of four numbers" in told({"box": {"1": [1, None, 3, 4]}})[1]
    assert "not inside" in told({"box": {"1": [1, 2, 300, 4]}})[1]
    near = client.get(f"/runs/{run.name}/pictures/{asked['question']['items'][0]['near']['sha256']}")
    assert near.status_code == 200 and near.headers["content-type"] == "image/jpeg"
    assert told({"wrong": [1]})[0] == 200
    [pending] = Questions(StoreLocation.named_by(settings), run.name).waiting()
    assert pending.answered


@pytest.mark.slow
@pytest.mark.skipif(chromium.find() is None, reason="chromium: apt install chromium")
def test_a_box_is_drawn_and_the_run_goes_on_with_it(waiting):
    settings, run = waiting
    [asked] = Questions(StoreLocation.named_by(settings), run.name).waiting()
    items = asked.question["items"]
    with served(settings.runs_dir) as url, Browser() as page:
        page.go(url)
        page.go(f"http://{urlsplit(url).netloc}/#/{run.name}")
        page.until(
            "document.querySelectorAll('.stage img').length === 4 && [...document.images].every((each) => each.complete)"
        )
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        page.ask("{ const first = document.querySelector('.masks select'); first.selectedIndex = 1; }")
        place = json.loads(
            page.ask("JSON.stringify(document.querySelectorAll('.stage img')[1].getBoundingClientRect())")
        )
        for kind, share in (("mousePressed", 0.25), ("mouseMoved", 0.5), ("mouseReleased", 0.75)):
            at = {"x": place["x"] + share * place["width"], "y": place["y"] + share * place["height"]}
            page.send("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **at)
        assert page.ask("document.querySelectorAll('.masks input')[1].value") == "24 24 72 72"
        page.ask("document.querySelector('form.waits').requestSubmit()")
        page.until("document.querySelector('form.waits').innerText.includes('Answered')")
        assert page.errors == []
    result = label.resume(
        run, settings=settings, models=MODELS, reviewer=Person(StoreLocation.named_by(settings).open_blobs())
    )
    objects = {each.id: each for each in read_objects(result.blobs(), result.tasks[0])}
    assert objects[items[0]["id"]].answer == "wrong" and objects[items[1]["id"]].answer == "box"
    drawn = [each for each in objects.values() if each.origin == "person" and each.picture == items[1]["picture"]]
    assert drawn[0].box == (24, 24, 72, 72)
