"""OPT2I from prompts to the outcome. The models are stand-ins that tell the truth (see `stand_ins`); the rest is real."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stand_ins
from stand_ins import StandInChat, StandInImages, StandInVQA, painted

import inloop.graphs.opt2i.context as context
from inloop.app.opt2i.report import render
from inloop.graphs.opt2i.config import Opt2iConfig
from inloop.graphs.opt2i.loop import opt2i
from inloop.graphs.opt2i.plan import plan_of
from inloop.graphs.opt2i.result import Opt2iResult
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.folder import RunFolder
from inloop.runtime.records import Answer
from inloop.runtime.run import carry
from inloop.runtime.session import Event, Warned
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation
from inloop.runtime.store.open import Store

DISC = "a crimson disc to the left of an azure box"
STARS = "a trio of golden pentagrams"
CAT = "a kitty beneath a scarlet valentine"


class Bench:
    """Runs in one folder; what the last one opened is in `opened`."""

    def __init__(self, root: Path, put) -> None:
        self.root, self.put = root, put
        self.settings = Settings(runs_dir=root)
        self.told: list[Event] = []

    def run(self, *prompts, folder=None, pause=0.0, with_=None, resume=False, **config) -> Opt2iResult:
        self.opened = stand_ins.install(self.put, pause=pause, **(with_ or {}))
        small = {"iterations": 3, "candidates": 3, "images_per_prompt": 3, "heldout_seeds": 6}
        config = Opt2iConfig(prompts=prompts, **{**small, **config})
        self.folder = folder or RunFolder.create(self.root, "opt2i", config)
        self.told = []
        return asyncio.run(
            carry(
                opt2i,
                config,
                folder=self.folder,
                settings=self.settings,
                on_event=self.told.append,
                resumed=resume,
            )
        )

    def warnings(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Warned)]

    def paid(self) -> dict[str, int]:
        return {name: sum(one.paid for one in opened) for name, opened in self.opened.items()}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path / "runs", lambda name, value: monkeypatch.setattr(context, name, value))


def gist(task) -> dict:
    """What must be the same in every run of one prompt: texts, scores and pictures, without ids."""
    return {
        "trials": [(t.text, t.objective, t.scores, [i.image.sha256 for i in t.images]) for t in task.trials],
        "best": next(t.text for t in task.trials if t.id == task.best),
        "held": {k: (h.text, h.scores, [i.image.sha256 for i in h.images]) for k, h in task.heldout.items()},
        "end": (task.stop, task.iterations, task.accepted),
    }


def test_a_loose_prompt_gets_better_and_the_gain_is_on_unseen_seeds(bench):
    outcome = bench.run(DISC, iterations=6)
    [task] = outcome.tasks
    best = next(trial for trial in task.trials if trial.id == task.best)
    assert best.objective > task.trials[0].objective and task.accepted
    assert task.heldout["best"].scores["dsg"] > task.heldout["user"].scores["dsg"]
    seen = {image.seed for trial in task.trials for image in trial.images}
    assert seen == {0, 1, 2} and not seen & set(task.heldout_seeds)
    assert [image.seed for image in task.heldout["best"].images] == list(task.heldout_seeds)
    # the scores are of the user's questions, whatever the rewrite says
    names = [question.question for question in task.questions]
    assert all([part.name for part in trial.parts["dsg"]] == names for trial in task.trials)
    assert Opt2iResult.model_validate(bench.folder.result()) == outcome
    page = render(outcome, StoreLocation.named_by(bench.settings).open_blobs())
    assert best.text in page and "data:image/png;base64" in page
    events = [event["event"] for event in bench.folder.events()]
    assert events[:3] == ["run_started", "models", "graph"] and events[-1] == "run_done"
    assert events.count("trial") == len(task.trials) and all(one.closed for row in bench.opened.values() for one in row)


def test_a_second_run_makes_no_call_and_comes_to_the_same(bench):
    first = bench.run(DISC, STARS)
    paid = bench.paid()
    assert min(paid.values()) > 0 and first.cost.images == paid["images"]
    second = bench.run(DISC, STARS)
    assert set(bench.paid().values()) == {0} and second.run_id != first.run_id
    assert [gist(task) for task in second.tasks] == [gist(task) for task in first.tasks]
    assert second.comparisons == first.comparisons and second.cost.calls == 0
    assert all(numbers["paid"] == 0 and numbers["reused"] for numbers in second.calls.values())


def test_another_threshold_pays_only_for_what_is_new(bench):
    bench.run(DISC, iterations=2, baselines=False)
    bench.run(DISC, iterations=3, baselines=False)
    # one more round of three candidates with three seeds, and perhaps another best prompt on the unseen seeds
    assert bench.paid()["images"] <= 3 * 3 + 4


def test_resuming_a_finished_run_gives_its_result_again(bench):
    first = bench.run(DISC)
    again = bench.run(DISC, folder=bench.folder, resume=True)
    assert set(bench.paid().values()) == {0}
    assert again.tasks == first.tasks and again.comparisons == first.comparisons
    # what the run cost is what it cost in all its processes
    assert again.cost == first.cost and again.calls["image"]["paid"] == first.calls["image"]["paid"] > 0
    assert again.seconds >= first.seconds


def test_another_seed_is_another_run(bench):
    one, other = bench.run(DISC, baselines=False), bench.run(DISC, baselines=False, seed=1)
    assert bench.paid()["images"] > 0 and gist(one.tasks[0]) != gist(other.tasks[0])
    assert {image.seed for image in other.tasks[0].trials[0].images} == {100_000, 100_001, 100_002}


def test_prompts_in_flight_together_come_out_as_they_do_alone(bench, tmp_path):
    together = bench.run(DISC, STARS, CAT, pause=0.01)
    assert len(bench.opened["images"]) == 1 and bench.opened["images"][0].busiest > 9, (
        "prompts do not share the painter"
    )
    for number, prompt in enumerate((DISC, STARS, CAT)):
        alone = Bench(tmp_path / f"alone{number}", bench.put).run(prompt)
        assert gist(alone.tasks[0]) == gist(together.tasks[number])


def test_in_flight_is_a_limit(bench):
    bench.run(DISC, STARS, CAT, pause=0.005, in_flight=1, baselines=False, iterations=1)
    order = [event.task for event in bench.told if event.task]
    assert order == sorted(order)


@pytest.mark.parametrize("objective", ["dcs", "both"])
def test_the_other_objectives(bench, objective):
    outcome = bench.run(DISC, objective=objective)
    for trial in outcome.tasks[0].trials:
        dsg, dcs = trial.scores["dsg"], trial.scores["dcs"]
        assert trial.objective == pytest.approx(dcs if objective == "dcs" else (dsg + dcs) / 2)
    told = "\n".join(message for call in _asked(bench, "Rewrite:") for message in call if "Wrong:" in message)
    assert "a crimson disc" in told


def _asked(bench, start):
    with Store.open(bench.settings) as store:
        rows = store.ledger._rows.select("SELECT call FROM results WHERE kind = 'llm'")
    import json

    found = [json.loads(row[0])["inputs"] for row in rows]
    return [messages for messages in found if messages[-1].startswith(start)]


def test_the_rewriter_is_shown_integer_scores_in_ascending_order(bench):
    bench.run(DISC, iterations=4, baselines=False)
    shown = [messages[-1].splitlines() for messages in _asked(bench, "Rewrite:")]
    assert all(lines[0] == f"Rewrite: {DISC}" and lines[-1].startswith("Write ") for lines in shown)
    scores = [[int(line.split()[0]) for line in lines[2:] if line[0].isdigit()] for lines in shown]
    assert all(row == sorted(row) and all(0 <= score <= 100 for score in row) for row in scores)
    assert max(len(row) for row in scores) == 3


# what the result is compared with


def test_the_baselines_get_as_many_pictures(bench):
    outcome = bench.run(DISC, STARS, iterations=2)
    rows = {(row.way, row.evaluator): row for row in outcome.comparisons}
    assert set(rows) == {(w, e) for w in ("inloop", "blind paraphrases", "more seeds") for e in ("dsg", "dcs")}
    for evaluator in ("dsg", "dcs"):
        images = {way: rows[way, evaluator].images for way in ("inloop", "blind paraphrases", "more seeds")}
        assert images["inloop"] == images["more seeds"] == sum(3 * (len(task.trials) - 1) for task in outcome.tasks)
        assert images["blind paraphrases"] == images["inloop"] or rows["blind paraphrases", evaluator].note
    gains = [100 * (t.heldout["best"].scores["dsg"] - t.heldout["user"].scores["dsg"]) for t in outcome.tasks]
    own = rows["inloop", "dsg"]
    assert own.gain == pytest.approx(sum(gains) / 2) and own.n == 2 and (own.ci, own.verdict) == (None, "too few")


def test_one_prompt_has_its_interval_over_seeds(bench):
    outcome = bench.run(STARS, baselines=False, iterations=2)
    assert [(row.way, row.evaluator, row.n) for row in outcome.comparisons] == [
        ("inloop", "dsg", 6),
        ("inloop", "dcs", 6),
    ]
    assert all(row.ci is not None for row in outcome.comparisons)


def test_a_prompt_that_is_right_at_once_costs_no_search(bench):
    outcome = bench.run("a red circle above a blue square")
    [task] = outcome.tasks
    assert (task.stop, task.iterations, task.accepted, len(task.trials)) == ("perfect", 0, False, 1)
    assert "chat" not in bench.paid() or not bench.paid()["chat"], (
        "rules wrote the questions, and no rewrite was needed"
    )
    assert all(row.gain == 0 for row in outcome.comparisons if row.way == "inloop")


def test_without_unseen_seeds_no_gain_is_claimed(bench):
    outcome = bench.run(DISC, heldout_seeds=0)
    assert outcome.tasks[0].heldout == {} and all(row.gain is None for row in outcome.comparisons)


# what is said on the way


def test_what_the_painter_cannot_read_is_said(bench):
    long = DISC + ", highly detailed, sharp focus, trending on artstation, masterpiece, best quality, 4k"
    outcome = bench.run(long, iterations=1, baselines=False, questioner="simple-english")
    [warning] = [text for text in bench.warnings() if "cut off" in text]
    cut = " ".join(long.split()[16:])
    assert repr(cut) in warning and warning in outcome.tasks[0].warnings
    unasked = ("highly", "detailed", "sharp", "focus", "trending", "artstation", "masterpiece", "best", "quality", "4k")
    assert outcome.tasks[0].unasked == unasked
    assert f"words of {long!r} that are in no question: {', '.join(unasked)}." in outcome.tasks[0].warnings


class Photographs(StandInImages):
    """A painter of larger pictures than those of the drawn world."""

    async def generate(self, requests):
        made = [self.store.blobs.get_image(ref).resize((256, 256)) for ref in await super().generate(requests)]
        return [self.store.blobs.put_image(picture) for picture in made]


class Bundled(StandInVQA):
    """The judge of the drawn world by its name; it says yes to everything."""

    def __init__(self, store, *, pause=0.0):
        super().__init__(store, pause=pause)
        self.model = "mini-vqa"

    async def answer(self, asked):
        return [Answer(text="yes", p_yes=0.9) for _ in asked]


def test_bundled_judges_of_photographs_are_told_once(bench):
    def notes(**with_):
        outcome = bench.run(DISC, STARS, with_=with_, baselines=False, questioner="simple-english")
        told = [text for text in bench.warnings() if "drawn world" in text]
        assert [note for note in outcome.notes if "drawn world" in note] == told
        return told

    [note] = notes(images=Photographs, vqa=Bundled)
    assert note.startswith("mini-vqa knows nothing but the drawn world") and note.endswith("is set by --vqa.")
    assert notes(images=Photographs) == [] == notes(vqa=Bundled)


class NoGraphs(StandInChat):
    """A language model that cannot write scene graphs."""

    async def complete(self, messages, **options):
        if messages[-1].content.startswith("Tuples"):
            reply = await super().complete(messages, **options)
            return reply.model_copy(update={"texts": ("1 | a red thing\n3 | what",)})
        return await super().complete(messages, **options)


def test_the_rules_for_simple_english_are_named_when_they_wrote_the_questions(bench):
    by_llm = {"iterations": 1, "baselines": False, "questioner": "mini-writer"}
    outcome = bench.run(STARS, **by_llm, with_={"chat": NoGraphs})
    [task] = outcome.tasks
    assert task.questioner == "rules for simple English" and task.questions[0].question == "Are there pentagrams?"
    [warning] = bench.warnings()
    assert "wrote no usable tuples" in warning and "rules for simple English" in warning
    assert warning in task.warnings
    asked = bench.run(STARS, **by_llm)
    assert asked.tasks[0].questioner == "mini-writer (mini)" and not bench.warnings()


@pytest.mark.parametrize("questioner", ["", "simple-english"])
def test_the_rules_write_what_they_understand_whole(bench, questioner):
    outcome = bench.run(STARS, iterations=1, baselines=False, questioner=questioner)
    assert outcome.tasks[0].questioner == "rules for simple English" and not bench.warnings()
    assert not _asked(bench, "Tuples")


class Silent(StandInChat):
    """A language model that has nothing to propose."""

    async def complete(self, messages, **options):
        reply = await super().complete(messages, **options)
        if messages[-1].content.startswith("Rewrite"):
            return reply.model_copy(update={"texts": ("As a language model I would rather not.",)})
        return reply


def test_a_language_model_without_ideas_ends_the_run_and_leaves_the_prompt(bench):
    outcome = bench.run(DISC, iterations=9, with_={"chat": Silent})
    [task] = outcome.tasks
    assert (task.stop, task.iterations, task.accepted) == ("nothing new was proposed", 3, False)
    assert len(task.trials) == 1 and task.heldout["best"] == task.heldout["user"]


class Refusing(StandInChat):
    """A language model that refuses to rewrite, for good."""

    async def complete(self, messages, **options):
        if messages[-1].content.startswith("Rewrite"):
            raise CallFailed("the server refused (400): content filter")
        return await super().complete(messages, **options)


class NoParaphrases(StandInChat):
    """A language model that rewrites with feedback, and refuses to paraphrase without."""

    async def complete(self, messages, **options):
        if (options.get("seed") or 0) >= 5_000:  # the seeds of the blind paraphrases
            raise CallFailed("it refused")
        return await super().complete(messages, **options)


def test_a_baseline_that_cannot_be_had_takes_no_result_with_it(bench):
    [task] = bench.run(DISC, iterations=1, with_={"chat": NoParaphrases}).tasks
    assert len(task.trials) > 1 and task.heldout
    refused, seeds = task.baselines
    assert (refused.way, refused.note, set(refused.gains.values())) == ("blind paraphrases", "could not be had", {None})
    assert seeds.way == "more seeds" and seeds.gains["dsg"] is not None
    assert any("blind paraphrases could not be had" in warning for warning in task.warnings)


def test_a_refused_rewrite_is_a_warning(bench):
    outcome = bench.run(DISC, iterations=9, with_={"chat": Refusing})
    assert outcome.tasks[0].stop == "nothing new was proposed" and "content filter" in bench.warnings()[0]


# failures are never scores


class Blanking(StandInImages):
    """A painter whose safety checker blanks some pictures."""

    async def generate(self, requests):
        if any("crimson" in request.prompt and request.seed % 3 == 1 for request in requests):
            raise CallFailed("the safety checker blanked the picture")
        return await super().generate(requests)


def test_a_picture_that_cannot_be_painted_is_no_score_and_no_end(bench):
    outcome = bench.run(DISC, STARS, with_={"images": Blanking})
    own = outcome.tasks[0].trials[0]
    assert [image.seed for image in own.images] == [0, 2] and own.note == "1 of 3 could not be made"
    assert any(DISC in text and "seed 1" in text and "blanked" in text for text in outcome.tasks[0].warnings)
    assert own.objective == pytest.approx(sum(image.scores["dsg"].value for image in own.images) / 2)
    assert len(outcome.tasks[0].trials) > 1 and outcome.tasks[1].trials[0].note == ""


class Mute(StandInVQA):
    """A VQA model that fails on the pictures of one seed."""

    async def _one(self, image, question):
        if int(image.sha256[:2], 16) < 128:
            raise CallFailed("the model answered NaN")
        return await super()._one(image, question)


def test_what_could_not_be_asked_is_unscored_not_zero(bench):
    outcome = bench.run(DISC, iterations=2, with_={"vqa": Mute})
    images = [image for trial in outcome.tasks[0].trials for image in trial.images]
    muted = [image for image in images if int(image.image.sha256[:2], 16) < 128]
    assert muted and all(image.scores["dsg"].value is None and image.scores["dcs"].value is not None for image in muted)


def test_a_failed_run_can_be_resumed(bench, tmp_path):
    whole = Bench(tmp_path / "whole", bench.put).run(DISC)
    with pytest.raises(CallFailed, match="server is down"):
        bench.run(DISC, with_={"images": FailingTwice})
    assert not bench.folder.finished
    resumed = bench.run(DISC, folder=bench.folder, resume=True)
    assert gist(resumed.tasks[0]) == gist(whole.tasks[0])


class FailingTwice(StandInImages):
    """A painter behind a server that is down after some pictures."""

    async def generate(self, requests):
        if self.paid > 10:
            raise CallFailed("the server is down (4 attempts)", retryable=True)
        return await super().generate(requests)


# from Python


def test_from_python_it_is_as_short_as_the_command(bench, monkeypatch, tmp_path):
    stand_ins.install(bench.put)
    monkeypatch.chdir(tmp_path)
    outcome = opt2i(STARS, iterations=3, candidates=3, images_per_prompt=2, baselines=False)
    assert outcome.tasks[0].chosen != STARS and list(Path("runs").glob("opt2i-*/result.json"))
    assert outcome.config["llm"] == "mini-writer" and opt2i(STARS, iterations=1, llm="x").config["llm"] == "x"
    refused = outcome.tasks[0].model_copy(update={"accepted": False})
    assert refused.chosen == STARS
    with pytest.raises(BadInput, match="iterations = 0 cannot be used"):
        opt2i(STARS, iterations=0)
    with pytest.raises(BadInput, match="wishes"):
        opt2i(STARS, wishes=3)


# budgets


def test_a_budget_of_pictures_stops_the_search(bench):
    outcome = bench.run(DISC, iterations=9, budget="images=10")
    [task] = outcome.tasks
    assert task.stop.startswith("budget: the budget of 10 images is spent") and task.iterations == 1
    assert task.heldout and [row.way for row in outcome.comparisons] == ["inloop", "inloop"]
    again = bench.run(DISC, iterations=9, budget="images=10")
    assert again.tasks[0].stop == task.stop and set(bench.paid().values()) == {0}
    assert [gist(t) for t in again.tasks] == [gist(t) for t in outcome.tasks]


def test_a_budget_of_seconds_counts_the_earlier_processes_of_the_run(bench):
    config = Opt2iConfig(prompts=(DISC,), iterations=9, candidates=1, images_per_prompt=1, budget="seconds=30")
    folder = RunFolder.create(bench.root, "opt2i", config)
    now = time.time()
    folder.event({"event": "run_started", "at": now - 1000})
    folder.event({"event": "models", "at": now - 960})
    folder.event({"event": "run_started", "at": now - 10})
    outcome = bench.run(DISC, folder=folder, resume=True, **config.model_dump(exclude={"prompts"}))
    assert "30.0 seconds is spent" in outcome.tasks[0].stop and outcome.seconds > 40


def test_bad_prompts_cost_nothing(bench):
    for prompts in [(DISC, "  "), ("x " * 3000,)]:
        with pytest.raises(BadInput, match=r"empty|characters"):
            bench.run(*prompts)
        assert all(not opened for opened in bench.opened.values()) and not (bench.root / ".store").exists()


# kill -9


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with everything imported, so that most of their life is the run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed"])
    return context


@pytest.mark.slow
def test_killed_ten_times_and_resumed_it_is_the_run_that_was_never_killed(processes, tmp_path):
    from killed import go

    config = Opt2iConfig(prompts=(DISC, CAT), iterations=3, candidates=3, images_per_prompt=3, heldout_seeds=6)
    outcomes, rng, kills, length = [], random.Random(0), 0, 0.0
    for name in ("unbroken", "killed"):
        folder = RunFolder.create(tmp_path / name, "opt2i", config)
        arguments = (str(tmp_path / name), folder.id, 0.1)
        while True:
            begun = len(folder.events())
            process = processes.Process(target=go, args=arguments)
            process.start()
            if name == "killed" and kills < 10:
                deadline = time.monotonic() + 60
                while rng.random() > 0.003 and len(folder.events()) == begun and process.is_alive():
                    assert time.monotonic() < deadline
                    time.sleep(0.005)
                process.join(rng.uniform(0, 0.14) * length)
                if process.is_alive():
                    process.kill()
                    kills += 1
            started = time.monotonic()
            process.join(120)
            if process.exitcode == 0:
                break
            assert process.exitcode == -9, f"the run ended with {process.exitcode}"
        length = time.monotonic() - started
        outcomes.append(Opt2iResult.model_validate(folder.result()))
        with Store(tmp_path / name / ".store", run_id=folder.id) as store:
            assert store.ledger.paid_twice() == [] and store.ledger.failures() == []
            counts = store.ledger._rows.select("SELECT COUNT(*), COUNT(DISTINCT key) FROM uses WHERE paid = 1")
            finished = store.ledger._rows.select("SELECT COUNT(*) FROM results")
            assert counts == [(finished[0][0],) * 2], "each finished call was paid once, over all processes"
    assert kills == 10
    unbroken, killed = outcomes
    assert [gist(task) for task in killed.tasks] == [gist(task) for task in unbroken.tasks]
    assert killed.tasks == unbroken.tasks and killed.comparisons == unbroken.comparisons
    assert killed.cost.images == unbroken.cost.images


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_stopped_politely_it_can_be_resumed(processes, tmp_path, signal_name):
    from killed import go

    config = Opt2iConfig(prompts=(DISC,), iterations=2, candidates=2, images_per_prompt=2, baselines=False)
    folder = RunFolder.create(tmp_path / "runs", "opt2i", config)
    process = processes.Process(target=go, args=(str(tmp_path / "runs"), folder.id, 0.2))
    process.start()
    while "trial" not in [event["event"] for event in folder.events()]:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, getattr(signal, signal_name))
    process.join(600)  # a busy machine
    assert process.exitcode == 1 and not folder.finished, "Interrupted was raised"
    process = processes.Process(target=go, args=(str(tmp_path / "runs"), folder.id, 0.0))
    process.start()
    process.join(600)  # a busy machine
    assert process.exitcode == 0
    with Store(tmp_path / "runs" / ".store", run_id=folder.id) as store:
        assert store.ledger.paid_twice() == []
    assert folder.result()["tasks"][0]["iterations"] >= 1


# the bundled models


@pytest.fixture
def real(tmp_path, monkeypatch):
    """Settings with the bundled models; skipped while they are not there."""
    from inloop.runtime import models
    from inloop.runtime.errors import PrerequisiteError

    monkeypatch.chdir(tmp_path)
    settings = Settings.load(runs_dir=tmp_path / "runs")
    try:
        for name in ("painter", "vqa", "clip", "writer"):
            models.bundled(name)
    except PrerequisiteError as error:
        pytest.skip(f"the bundled models are not trained yet: {error.problem}")
    if models.find("smollm2", settings.cache_dir) is None:
        pytest.skip("the local language model is not fetched: inloop models --fetch")
    return settings


@pytest.mark.slow
def test_with_the_bundled_models_from_end_to_end(real):
    def go():
        return opt2i(DISC, CAT, settings=real, iterations=2, candidates=3, images_per_prompt=2, heldout_seeds=2, seed=3)

    first = go()
    for task in first.tasks:
        assert task.trials[0].scores["dsg"] is not None and task.trials[0].scores["dcs"] is not None
        assert len(task.trials) > 1 or task.stop == "perfect"
        assert task.questioner == "rules for simple English"
    assert first.calls["llm"]["paid"] and first.calls["image"]["paid"] and first.calls["vqa"]["paid"]
    second = go()
    assert [gist(task) for task in second.tasks] == [gist(task) for task in first.tasks]
    assert all(numbers["paid"] == 0 for numbers in second.calls.values())


@pytest.mark.slow
def test_the_command_killed_and_resumed_with_the_bundled_models(real, tmp_path):
    """`kill -9` of the command itself, at random moments, until it comes to its end; then the run that was never killed."""
    flags = ["--iterations", "3", "--candidates", "3", "--images-per-prompt", "2", "--heldout-seeds", "2", "--json"]
    start = [sys.executable, "-m", "inloop.app.cli.main", "opt2i", DISC, *flags, "--out"]
    rng = random.Random(1)

    def tasks(runs_dir):
        [path] = Path(runs_dir).glob("opt2i-*")
        return [gist(task) for task in Opt2iResult.model_validate(RunFolder.open(Path(runs_dir), path).result()).tasks]

    began = time.monotonic()
    subprocess.run([*start, "unbroken"], check=True, capture_output=True, timeout=600)
    took = time.monotonic() - began
    command = [*start, "killed"]
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.1, 0.6) * took)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        if list(Path("killed").glob("opt2i-*/config.json")):
            command = [sys.executable, "-m", "inloop.app.cli.main", "resume", "--json", "--out", "killed"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    assert tasks("killed") == tasks("unbroken")
    [path] = Path("killed").glob("opt2i-*")
    with Store(Path("killed/.store"), run_id=path.name) as store:
        assert store.ledger.paid_twice() == []


def test_an_evaluator_of_ones_own_is_climbed_by_its_name(bench, tmp_path, monkeypatch):
    """A plain function, named as `module:object`: what it scores is the objective, and a resumed run knows it."""
    (tmp_path / "wideness.py").write_text("def wide(image, text):\n    return image.width / 1000\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    outcome = bench.run(DISC, objective="wideness:wide")
    [task] = outcome.tasks
    assert task.trials[0].objective == task.trials[0].scores["wideness:wide"] > 0
    assert outcome.models["wideness:wide"]["id"] == "wideness:wide" and outcome.calls["score"]["paid"] > 0
    assert any("names no model and revision" in note for note in outcome.notes)


def test_what_each_phrase_adds_is_told_and_idle_ones_are_left_out(bench):
    outcome = bench.run(DISC, iterations=6, shorten=True)
    [task] = outcome.tasks
    effects = {effect.phrase: effect for effect in task.effects}
    assert task.accepted and any(effect.effect > 0 for effect in effects.values())
    assert all(effect.phrase not in effect.without for effect in task.effects)
    page = render(outcome, StoreLocation.named_by(bench.settings).open_blobs())
    assert "Which words did it" in page and all(effect.without in page for effect in task.effects)
    kept = task.shortened is not None and task.shortened.kept
    assert task.chosen == (task.shortened.text if kept else task.best_text)
    again = bench.run(DISC, iterations=6, shorten=True)
    assert again.tasks[0].effects == task.effects and set(bench.paid().values()) == {0}


def test_phrases_need_unseen_seeds():
    with pytest.raises(BadInput, match=r"^ablate with heldout_seeds=0"):
        Opt2iConfig.of(DISC, settings=Settings(), ablate=True, heldout_seeds=0)


def test_the_papers_settings_are_exact_or_an_error():
    config = Opt2iConfig(prompts=(DISC,), preset="paper")
    assert (config.iterations, config.candidates, config.images_per_prompt, config.history) == (30, 5, 4, 5)
    with pytest.raises(BadInput, match=r"^preset='paper' with other settings: the paper has candidates=5"):
        Opt2iConfig.of(DISC, settings=Settings(), preset="paper", candidates=3)


@pytest.mark.parametrize("objective", ["dsg", "dcs"])
def test_gains_are_told_as_the_papers_tables_have_them_too(bench, objective):
    outcome = bench.run(DISC, STARS, objective=objective, one_shot=True)
    rows = {row.way: row for row in outcome.published}
    assert set(rows) == {"inloop", "blind paraphrases", "one-shot feedback"}

    def gain(first, best):
        return 100 * (best / first - 1) if objective == "dcs" else 100 * (best - first)

    for way, row in rows.items():
        gains = []
        for task in outcome.tasks:
            first = task.user_trial.objective
            others = [baseline.objective for baseline in task.baselines if baseline.way == way]
            gains.append(gain(first, task.best_trial.objective if way == "inloop" else (others or [first])[0]))
        assert row.gain == pytest.approx(sum(gains) / len(gains)) and row.relative is (objective == "dcs")
    page = render(outcome, StoreLocation.named_by(bench.settings).open_blobs())
    assert "feedback on your prompt alone" in page and "As the paper" in page


def test_what_moved_with_the_score_is_told(bench):
    [task] = bench.run(DISC, iterations=6).tasks
    assert task.best_text != task.text and -1 <= task.drift.similarity <= 1
    assert set(task.drift.diversity) == {"user", "best"}
    assert all(0 <= value <= 2 for value in task.drift.diversity.values())


def test_the_pictures_as_a_set_are_held_against_real_ones_before_and_after(bench, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    for seed in range(6):
        painted("three yellow stars" if seed % 2 else "a red circle to the left of a blue square", seed).save(
            real / f"{seed}.png"
        )
    (real / "broken.png").write_bytes(b"no picture")
    result = bench.run(DISC, STARS, reference=str(real))
    before, after = result.realism["user"], result.realism["best"]
    assert (before.n, after.n, after.n_reference) == (12, 12, 6) and after.encoder
    assert 0 <= before.precision <= 1 and 0 <= after.recall <= 1
    # what the painter does not know it leaves out: only better prompts have what is in the real pictures
    assert after.kid < before.kid and after.recall > before.recall
    assert any("broken.png" in note for note in result.notes)
    page = render(result, StoreLocation.named_by(bench.settings).open_blobs())
    assert "against real ones" in page and "best prompts" in page
    assert bench.run(DISC).realism == {}


def test_a_reference_is_looked_at_before_anything_is_paid(bench, tmp_path):
    with pytest.raises(BadInput, match="is no folder"):
        bench.run(DISC, reference=str(tmp_path / "nowhere"))
    (tmp_path / "few").mkdir()
    painted(DISC, 0).save(tmp_path / "few" / "1.png")
    with pytest.raises(BadInput, match=r"6 pictures on unseen seeds and 1 in .* are too few"):
        bench.run(DISC, reference=str(tmp_path / "few"))
    assert not any(bench.paid().values())


@pytest.mark.parametrize(
    "asked",
    [{"shorten": True, "one_shot": True}, {"heldout_seeds": 0}],
    ids=["with everything", "no unseen seeds"],
)
def test_a_run_does_at_most_what_its_plan_says(bench, asked):
    config = {"iterations": 2, "candidates": 2, "images_per_prompt": 2, "heldout_seeds": 6, **asked}
    plan = plan_of(Opt2iConfig(prompts=(DISC, STARS), **config))
    bench.run(DISC, STARS, **config)
    paid = bench.paid()
    assert plan.least <= plan.total.pictures and paid["images"] <= plan.total.pictures
    assert paid["vqa"] <= plan.total.answers and paid["chat"] <= plan.total.calls
    assert str(plan).count("\n") >= len(plan.steps)


def test_a_plan_of_the_papers_settings_is_604_pictures_and_no_baselines():
    config = Opt2iConfig(prompts=(DISC,), preset="paper", heldout_seeds=0)
    assert plan_of(config).total.pictures == 604  # 4 of the user's prompt and 30 rounds of 5 candidates with 4 each
