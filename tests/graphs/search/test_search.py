"""The machine with a task of one's own: what it is given, what it may not give, floors, instances, and going on after a kill."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from PIL import Image

import inloop
from inloop.app.cli.main import main
from inloop.graphs.opt2i import Floors, Standing, race_of
from inloop.graphs.opt2i.graph import ranked
from inloop.graphs.opt2i.search import Kept
from inloop.graphs.search.search_task import places
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.settings import Settings


class Dial(inloop.SearchTask):
    """Texts are numbers up to 9: a larger one is sweeter, and from 6 on hardly anyone eats it."""

    scores = ("sweet", "eaten")

    def __init__(self):
        self.seen = []

    def propose(self, text, history, *, n, seed):
        return [str(min(9, int(history[-1].text) + step)) for step in range(1, n + 1)]

    def realise(self, texts, seeds):
        self.seen.append(tuple(seeds))
        return [[{"level": int(text), "seed": seed} for seed in seeds] for text in texts]

    def score(self, text, made):
        return {"sweet": made["level"] / 10, "eaten": 0.1 if made["level"] > 5 else 0.8}


@pytest.fixture
def settings(tmp_path):
    return Settings(runs_dir=tmp_path / "runs")


def search(settings, task, **options):
    asked = {"iterations": 6, "candidates": 2, "instances": 2, "heldout_seeds": 6} | options
    return inloop.search("1", task=task, settings=settings, **asked)


def test_without_a_floor_the_best_is_what_nobody_eats_and_with_one_it_is_not(settings):
    [free] = search(settings, Dial()).tasks
    [held] = search(settings, Dial(), floor=("eaten=0.5",)).tasks
    assert (free.best_text, free.accepted, free.broken) == ("9", True, "")
    assert free.heldout["best"].scores["eaten"] == pytest.approx(0.1)
    assert (held.best_text, held.accepted, held.chosen) == ("5", True, "5")
    broken = [trial for trial in held.trials if int(trial.text) > 5]
    assert broken and all(trial.broken == "eaten 10.0, and the floor is 50" for trial in broken)


def test_a_floor_that_breaks_on_unseen_instances_is_not_accepted(settings):
    class Fickle(Dial):
        def score(self, text, made):
            unseen = made["seed"] >= 50_000
            return {"sweet": made["level"] / 10, "eaten": 0.2 if unseen and made["level"] > 1 else 0.9}

    result = search(settings, Fickle(), floor=("eaten=0.5",))
    [task] = result.tasks
    assert task.best_text == "9" and task.verdict == "gain" and not task.accepted and task.chosen == "1"
    assert "breaks a floor" in result.finding()


def test_against_a_text_that_breaks_a_floor_one_that_holds_it_is_better(settings):
    class Down(Dial):
        def propose(self, text, history, *, n, seed):
            return [str(int(history[-1].text) - 1)]

        def score(self, text, made):
            return {"sweet": made["level"] / 10, "eaten": 1 - made["level"] / 10}

    result = inloop.search(
        "10",
        task=Down(),
        settings=settings,
        floor=("eaten=0.5",),
        iterations=6,
        candidates=1,
        instances=2,
        heldout_seeds=6,
    )
    [task] = result.tasks
    assert task.best_text == "5" and task.verdict == "loss" and task.accepted
    assert task.stop == "iterations", "the perfect text breaks the floor: it is not the target"


def test_holding_a_floor_by_luck_is_no_gain(settings):
    """Which of two texts is above the floor on a few seeds is chance where their scores differ by nothing but chance."""

    class Noisy(Dial):
        def propose(self, text, history, *, n, seed):
            return [str(int(history[-1].text) - 1)]

        def score(self, text, made):
            swing = (0.1 if made["seed"] % 2 else -0.1) * (1 if text == "10" else -1)
            return {"sweet": made["level"] / 10, "eaten": 0.5 + swing - (0.01 if text == "10" else 0.0)}

    asked = {"floor": ("eaten=0.5",), "iterations": 2, "candidates": 1, "instances": 2, "heldout_seeds": 6}
    [task] = inloop.search("10", task=Noisy(), settings=settings, **asked).tasks
    assert task.best_text == "9" and task.heldout["user"].broken and not task.broken
    assert not task.accepted and task.chosen == "10"


def test_what_is_optimised_on_and_held_out_is_never_the_same_instance(settings):
    class Few(Dial):
        size = 9

    task = Few()
    search(settings, task, instances=3)
    optimised = {seed for seeds in task.seen[:-1] for seed in seeds}
    assert len(optimised) == 3 and len({*task.seen[-1]}) == 6 and not optimised & {*task.seen[-1]}
    with pytest.raises(BadInput, match="the task has 9 instances, and 10 are asked for"):
        search(settings, Few(), instances=4)


def test_places_are_drawn_once_each():
    found = places(20, {"a": 5, "b": 15}, 3)
    assert sorted(itertools.chain(*found.values())) == [*range(20)] and found == places(20, {"a": 5, "b": 15}, 3)
    assert found != places(20, {"a": 5, "b": 15}, 4)


@pytest.mark.parametrize(
    "made", ["a text", {"a": [1]}, 3, Image.new("RGB", (4, 4), "red")], ids=lambda made: type(made).__name__
)
def test_what_is_realised_comes_back_to_the_score_as_it_was(settings, made):
    class Any(Dial):
        def realise(self, texts, seeds):
            return [[made for _ in seeds] for _ in texts]

        def score(self, text, given):
            if isinstance(made, Image.Image):
                assert given.getpixel((0, 0)) == (255, 0, 0)
            else:
                assert given == made
            return {"sweet": int(text) / 10, "eaten": None}

    [task] = search(settings, Any()).tasks
    assert task.best_text == "9" and task.heldout["best"].scores["eaten"] is None


async def test_methods_may_be_async_and_failures_are_not_zero(settings):
    class Slow(Dial):
        async def propose(self, text, history, *, n, seed):
            return super().propose(text, history, n=n, seed=seed)

        async def realise(self, texts, seeds):
            return [[None if text == "3" else {"level": int(text)} for _ in seeds] for text in texts]

        async def score(self, text, made):
            if text == "2":
                raise CallFailed("the taster is ill")
            return super().score(text, made)

    result = await inloop.search.run(
        "1", task=Slow(), settings=settings, iterations=2, candidates=3, instances=2, heldout_seeds=6
    )
    by_text = {trial.text: trial for trial in result.tasks[0].trials}
    assert by_text["2"].objective is None and "the taster is ill" in by_text["2"].images[0].scores["sweet"].explanation
    assert by_text["3"].objective is None and by_text["3"].note == "2 of 2 could not be made"
    assert by_text["4"].objective == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"score": lambda self, text, made: {"sweet": 1}}, "must give sweet, eaten by name"),
        ({"score": lambda self, text, made: {"sweet": 7, "eaten": 1}}, "scored sweet 7: give a number from 0 to 1"),
        ({"realise": lambda self, texts, seeds: 3}, "must give a list of a list for each text"),
        (
            {"realise": lambda self, texts, seeds: [[object() for _ in seeds] for _ in texts]},
            "give JSON, a text, a picture",
        ),
        ({"realise": lambda self, texts, seeds: [[] for _ in texts]}, "one for each text and seed"),
        ({"propose": lambda self, *args, **named: "abc"}, "must give a list of texts"),
        ({"scores": ()}, "name at least one"),
    ],
    ids=["a score is missing", "out of range", "no lists", "no JSON", "too few", "no list of texts", "no scores"],
)
def test_a_task_that_gives_something_else_is_named(settings, change, why):
    with pytest.raises((BadInput, CallFailed), match=why):
        search(settings, type("Odd", (Dial,), change)())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"floor": ("crunch=0.5",)}, "there is no such score; there are sweet, eaten"),
        ({"floor": ("eaten",)}, "as in accuracy=0.6"),
        ({"floor": ("eaten=2",)}, "above 0 and up to 1"),
        ({"objective": "crunch"}, "the task has no such score"),
        ({"floor": ("eaten=0.5",), "prove": 8, "heldout_seeds": 0}, "a floor is looked at on unseen seeds"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_made(settings, options, why):
    task = Dial()
    with pytest.raises(BadInput, match=why):
        search(settings, task, **options)
    assert task.seen == []


def test_a_search_without_a_task_says_what_to_give(settings):
    for task, why in ((None, "give task="), ("nowhere.py", "does not exist"), (object(), "is no SearchTask")):
        with pytest.raises(BadInput, match=why):
            inloop.search("1", settings=settings, **({} if task is None else {"task": task}))


FILE = """
import inloop


class Longer(inloop.SearchTask):
    scores = ("length",)

    def propose(self, text, history, *, n, seed):
        return [history[-1].text + " word" * (place + 1) for place in range(n)]

    def realise(self, texts, seeds):
        return [[text for _ in seeds] for text in texts]

    def score(self, text, made):
        return {"length": min(1.0, len(made.split()) / 10)}


task = Longer
"""


def test_the_command_takes_a_file_shows_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "longer.py").write_text(FILE, encoding="utf-8")
    assert main(["search", "one two", "--task", "longer.py", "--iterations", "2", "--instances", "2"]) == 0
    shown = capsys.readouterr().out
    assert "best text   one two word" in shown and "confirmed: use it" in shown
    assert main(["resume"]) == 0 and "confirmed: use it" in capsys.readouterr().out
    assert main(["report"]) == 0
    capsys.readouterr()
    [page] = tmp_path.glob("runs/search-*/report.html")
    assert "one two word" in page.read_text(encoding="utf-8")
    assert main(["search", "one two", "--task", "longer.py", "--iterations", "1", "--instances", "2", "--json"]) == 0
    [task] = json.loads(capsys.readouterr().out)["tasks"]
    assert task["text"] == "one two" and task["accepted"] and task["heldout"]["best"]["scores"]["length"] > 0.2


def test_floors_order_texts_by_how_far_they_fall_short_and_scored_ones_before_unscored():
    def kept(id, objective, short=0.0):
        return Kept(id=id, objective=objective, certainty=0.0, **({"short": short} if short else {}))

    trials = [kept("a", 0.9, 0.3), kept("b", 0.2), kept("c", 0.4), kept("d", 1.0, 0.1), kept("e", None)]
    random.Random(1).shuffle(trials)
    assert [each["id"] for each in ranked(trials)] == ["e", "a", "d", "b", "c"]


def test_a_halving_race_keeps_who_holds_the_floors():
    standings = [Standing(0.9, 1.0, 0.5), Standing(0.1, 1.0), Standing(0.3, 1.0), Standing(0.8, 1.0, 0.2)]
    assert [bool(why) for why in race_of("halve").leaving(standings, None)] == [True, False, False, True]


def test_a_score_that_cannot_be_told_is_short_of_its_whole_floor():
    floors = Floors.of(["a=0.5", "b=0.2"])
    assert floors.short({"a": None, "b": 0.2}) == pytest.approx(0.5) and floors.short({"a": 0.5, "b": 1.0}) == 0
    assert floors.broken({"a": None, "b": 0.1}) == "a is not scored, and the floor is 50; b 10.0, and the floor is 20"
