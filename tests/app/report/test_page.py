"""The page that every run has: what loops share, also for a loop that brings no template of its own."""

import chromium
import pytest
from pages import looked_at
from PIL import Image

from inloop.app.report import run_page
from inloop.runtime.folder import RunResult, Task
from inloop.runtime.records import BlobRef, Cost, Score
from inloop.runtime.store import BlobStore, StoreLocation

ADDRESS = "https://example.org/a/rather/long/path/that/goes/on?and=on&for=ever#" + "x" * 60


class Painted(Task):
    """A task with a picture."""

    text: str
    picture: BlobRef | None = None
    score: Score = Score(value=None)


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def result(blobs):
    tasks = [
        Painted(
            id=f"t{place}",
            text=f"yours is unknown: {ADDRESS}" if place % 2 else "沙发上坐着一只红色的猫",
            picture=blobs.put_image(Image.new("RGB", (40, 40), (40 * place, 90, 120))),
            score=Score(value=place / 7),
        )
        for place in range(6)
    ]
    return RunResult[Painted](
        run_id="paint-20260101-093000-ab12",
        loop="paint",
        created="2026-01-01T09:30:00+00:00",
        seconds=74.2,
        config={"llm": ADDRESS, "images": "mini-diffusion", "words": 8, "way": {"votes": 3, "rule": ""}, "budget": ""},
        models={
            "llm": {"id": "Qwen/Qwen3-8B", "revision": "9f2c41d0" * 8},
            "images": {"id": "mini-diffusion", "revision": "1b7e"},
        },
        tasks=tuple(tasks),
        failed={"t9": "CallFailed: the model gave no tokens"},
        stopped="images=10 are spent",
        cost=Cost(images=12, input_tokens=18_200),
        calls={"llm": {"paid": 3, "reused": 4}},
        notes=("the log-probabilities are not there",),
    )


def test_it_says_what_every_run_says(result, blobs):
    page = run_page(result, blobs)
    for part in (
        "6 tasks, 1 failed", "paint-20260101-093000-ab12", "74 s", "images=10 are spent", "the log-probabilities are not there",
        "CallFailed: the model gave no tokens", "Qwen/Qwen3-8B", "inloop resume paint-", "18\u202f200",
        "沙发上坐着一只红色的猫", "no font for it",
    ):  # fmt: skip
        assert part in page, part
    assert page.count("data:image/png") == 6
    assert page == run_page(result, blobs)


def test_a_model_stands_in_it_once(result, blobs):
    page = run_page(result, blobs)
    assert page.count("<dt>llm</dt>") == 1 and page.count("<dt>images</dt>") == 1
    assert page.count("mini-diffusion") == 1, "it was asked for by its id"
    assert "<dt>way: votes</dt><dd>3</dd>" in page and "budget" not in page, "what was left unset is not listed"


def test_a_limit_leaves_pictures_out_and_says_so(result, blobs):
    page = run_page(result, blobs, 100)
    assert page.count("data:image/png") < 6 and "--all-images" in page


def test_pictures_that_are_gone_are_counted(result, tmp_path):
    assert "6 pictures are missing" in run_page(result, BlobStore(tmp_path / "elsewhere"))


def test_text_cannot_become_markup(result, blobs):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>"
    changed = result.model_copy(
        update={
            "tasks": (result.tasks[0].model_copy(update={"text": evil}),), "notes": (evil,), "failed": {evil: evil},
            "config": {evil: evil}, "models": {evil: {"id": evil, "revision": evil}}, "stopped": evil, "loop": evil,
        }
    )  # fmt: skip
    page = run_page(changed, blobs)
    assert "<script" not in page and "<img src=x" not in page


def test_a_template_of_another_package_adds_its_part(result, blobs, tmp_path, monkeypatch):
    package = tmp_path / "painting_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "page.html.j2").write_text(
        "{% extends 'report/base.html.j2' %}{% block main %}<p>{{ extra }} of {{ result.tasks|length }}</p>{% endblock %}",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    page = run_page(result, blobs, template="painting_plugin:page.html.j2", extra="my part", headline="My own finding")
    assert "<p>my part of 6</p>" in page and "<h1>My own finding</h1>" in page and "Qwen/Qwen3-8B" in page


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_in_a_browser(result, blobs, tmp_path):
    looked_at(run_page(result, blobs), tmp_path / "paint.html", images=6)


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_a_notebook_in_a_browser(result, blobs, tmp_path):
    shown = result.kept_in(StoreLocation.of(tmp_path))._repr_html_()
    looked_at(
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><body>{shown}",
        tmp_path / "notebook.html",
        images=6,
        dark=False,
    )
