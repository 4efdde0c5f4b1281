"""Steering on planted models, which look at what the question names: what is found, what is refused, and what it costs."""

import json
import sys
from pathlib import Path

import pytest
from biased import conflicts

import inloop.app.cli.main as cli
from inloop.graphs.steer import steer_vlm
from inloop.graphs.steer.asking import QuestionSteerer
from inloop.graphs.steer.task import kept_of
from inloop.runtime.errors import BadInput
from inloop.runtime.records import Reply
from inloop.runtime.settings import Settings

PLANTED = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from biased import Nearest, colors, outline, pictures, conflicts

THINGS = ("cow", "bus", "cake", "tree", "pizza", "house")
_shape = Nearest(outline, list(pictures(THINGS)))
_texture = Nearest(colors, [(shape, image) for shape, texture, image in conflicts(THINGS) if shape == texture])

def answer(image, question):
    words = question.lower()
    thing = next((name for name in THINGS if name in words), "")
    if "blind" in words:
        return 0.9
    if "picky" in words:  # sure of the shape, and says so of few pictures
        few = hashlib.sha256(image.tobytes()).digest()[0] < 64
        return 0.9 if few and _shape(image) == thing else 0.1
    if "outline" in words:
        return 0.9 if _shape(image) == thing else 0.1
    return 0.9 if _texture(image) == thing else 0.1

answer.model, answer.revision = "me/answer", "1"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu", threads=1)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    text = PLANTED.format(tests=str(Path(__file__).parents[2]))
    (tmp_path / "steered_models.py").write_text(text, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "steered_models", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "steered_models:answer"


@pytest.fixture
def stimuli(tmp_path: Path) -> str:
    """Cue-conflict pictures of six things, each pair in eight copies."""
    things = ("cow", "bus", "cake", "tree", "pizza", "house")
    for number, (shape, texture, image) in enumerate(conflicts(things)):
        folder = tmp_path / "stimuli" / shape
        folder.mkdir(parents=True, exist_ok=True)
        for copy in range(8):
            turned = image.copy()
            turned.putpixel((copy, 0), (250, 250, 250))  # another file, and the same to see
            turned.save(folder / f"{shape}{8 * number + copy}-{texture}{copy}.png")
    return str(tmp_path / "stimuli")


def test_a_question_that_names_the_outline_is_found_and_its_cost_is_held(
    planted: str, stimuli: str, settings: Settings
) -> None:
    result = steer_vlm(
        "Is there a {}?", vqa=planted, on=stimuli, instances=8, heldout_seeds=12, iterations=1, settings=settings
    )
    [task] = result.tasks
    assert "outline" in task.best_text and task.accepted and not task.broken
    held = {name: each.scores for name, each in task.heldout.items()}
    assert held["user"]["bias"] <= 0.05 and held["best"]["bias"] >= 0.95
    assert held["best"]["accuracy"] >= held["user"]["accuracy"] - 0.02
    assert held["user"]["kept"] == pytest.approx(0.5)
    gains = {row.evaluator: row for row in result.comparisons}
    assert gains["bias"].gain >= 5 and gains["bias"].ci[0] > 0
    assert "Steered" in result.finding() and result.rows()[0]["chosen"] == "chosen"


def chat_of(*questions: str):
    """A language model that always writes the same questions."""

    class Chat:
        model, revision, notes, small, tuned_to = "me/chat", "1", (), False, ""

        async def complete(self, messages, **options):
            self.seen = messages[0].content
            return Reply(texts=("\n".join(f"{place}. {each}" for place, each in enumerate(questions, 1)),))

    return Chat()


def test_questions_that_cost_too_much_or_ignore_the_picture_are_refused_and_an_unconstrained_search_takes_them(
    planted: str, stimuli: str, settings: Settings
) -> None:
    options = {
        "vqa": planted,
        "on": stimuli,
        "instances": 8,
        "heldout_seeds": 12,
        "iterations": 1,
        "settings": settings,
        "llm": "mini-writer",
        "models": {"llm": chat_of("Is there a picky {}?", "Is there a blind {}?")},
    }
    guarded = steer_vlm("Is there a {}?", **options)
    [task] = guarded.tasks
    assert task.best_text == "Is there a {}?" and {each.text for each in guarded.refused(task)} == {
        "Is there a picky {}?",
        "Is there a blind {}?",
    }
    assert "No question steers it" in guarded.finding()
    free = steer_vlm("Is there a {}?", loss=100, **options)
    [loose] = free.tasks
    assert loose.best_text == "Is there a picky {}?" and any("no floor" in note for note in free.notes)
    assert loose.heldout["best"].scores["bias"] >= 0.95
    assert loose.heldout["best"].scores["accuracy"] < loose.heldout["user"].scores["accuracy"] - 0.3
    assert {row["question"] for row in free.rows()} >= {"Is there a picky {}?"}


async def test_what_a_language_model_writes_is_read_line_by_line() -> None:
    chat = chat_of("Is it a {}?", "no place at all", "Is {} or {} there?", "Is it a {}?")
    steerer = QuestionSteerer(chat, "shape")
    assert await steerer.write([("Is there a {}?", 0.9, None)], n=3, seed=0) == ["Is it a {}?"]
    assert "accuracy 90.0 %, shape bias not known" in chat.seen and "{} stands for a thing" in chat.seen


def test_what_cannot_be_steered_is_refused(planted: str, stimuli: str, settings: Settings) -> None:
    for question, options, words in (
        ("Is there a thing?", {}, "put {} once"),
        ("Name the {}", {}, "no yes or no"),
        ("Is there a {}?", {"on": stimuli, "instances": 200}, "ask for fewer"),
    ):
        with pytest.raises(BadInput, match=words.replace("{}", r"\{\}")):
            steer_vlm(question, vqa=planted, settings=settings, **options)
    with pytest.raises(BadInput, match="one question"):
        steer_vlm("Is there a {}?", "Is it a {}?", vqa=planted, settings=settings)


def test_the_same_accuracy_is_one_half() -> None:
    assert kept_of(0.0) == 0.5 and kept_of(-0.02) == 0.49 and kept_of(1.0) == 1.0


def test_the_command_tells_the_front_and_what_was_refused(
    planted: str, stimuli: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("RUNS_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"INLOOP_{name}", str(tmp_path / name.lower()))
    words = [
        "steer-vlm",
        "Is there a {}?",
        "--vqa",
        planted,
        "--on",
        stimuli,
        "--instances",
        "8",
        "--heldout-seeds",
        "12",
    ]
    words += ["--iterations", "1"]
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    assert "unseen pictures" in told and "best question" in told and "no question is better in both" in told
    assert cli.main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["calls"]["vqa"]["paid"] == 0 and data["toward"] == "shape" and data["front"]
    assert "question" in Path(data["report"]).read_text(encoding="utf-8")
