"""`inloop score` on real small models: the table, the files it leaves, what it costs the second time, and bad input."""

import gc
import itertools
import json
import os
import pathlib
import random
import signal
import sys
import time
import tracemalloc

import chromium
import pytest
from pages import looked_at
from PIL import Image

from inloop.app.cli import RunView
from inloop.app.cli import main as cli
from inloop.app.cli.format import counted
from inloop.evaluators.run.registry import METRICS
from inloop.evaluators.run.scoring import Scored, Tally, score_items
from inloop.evaluators.text_image.vqa_score import VQAScore
from inloop.graphs.score import ScoreResult
from inloop.mini.world import draw, scenes
from inloop.runtime.fakes import ScriptedVQA
from inloop.runtime.folder import RunFolder
from inloop.runtime.records import Score
from inloop.runtime.session import Progressed, chunks
from inloop.runtime.store.blobs import BlobStore
from inloop.tools.data.prompted_pictures import Item, Items

COLORS = ("red", "blue", "green")


@pytest.fixture
def home(tmp_path, monkeypatch, blip_folder, clip_folder):
    """An empty working folder with six pictures of three prompts, and small models of the real classes."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "INLOOP_LLM", "INLOOP_RUNS_DIR", "INLOOP_DATA", "INLOOP_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INLOOP_VQA", str(blip_folder))
    monkeypatch.setenv("INLOOP_CLIP", str(clip_folder))
    monkeypatch.setenv("INLOOP_DEVICE", "cpu")
    (tmp_path / "pics").mkdir()
    rng = random.Random(0)
    for number in range(6):
        image = Image.new("RGB", (32, 32), COLORS[number % 3])
        for _ in range(100):
            image.putpixel((rng.randrange(32), rng.randrange(32)), tuple(rng.randrange(256) for _ in range(3)))
        image.save(tmp_path / "pics" / f"{number}.png")
    lines = [f"a {COLORS[number % 3]} disc on the left of a box" for number in range(6)]
    (tmp_path / "prompts.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def score(capsys, *argv, questioner=("--questioner", "simple-english")):
    code = cli.main(["score", "pics", "prompts.txt", *questioner, *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_run_leaves_figures_items_and_a_report_and_a_second_one_calls_no_model(home, capsys):
    code, out, _ = score(capsys, "--metric", "dsg,vqascore,clipscore,cosine,dcs,tifa")
    assert code == 0
    for text in ("95 % interval", "6 pictures of 3 prompts", "worst by dsg", "report.html"):
        assert text in out
    [folder] = home.glob("runs/score-*")
    items = [Scored.model_validate_json(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]
    assert [item.id for item in items] == [f"{n}.png" for n in range(6)]
    assert set(items[0].scores) == {"dsg", "vqascore", "clipscore", "cosine", "dcs", "tifa"}
    assert all(score.value is not None for item in items for score in item.scores.values())
    header, *rows = (folder / "scores.csv").read_text("utf-8").splitlines()
    assert header == "id,text,dsg,vqascore,clipscore,cosine,dcs,tifa" and len(rows) == 6
    page = (folder / "report.html").read_text("utf-8")
    assert page.count("data:image/png;base64,") >= 6 and "<script" not in page and "The lowest scores" in page
    result = RunFolder.open(home / "runs", folder.name).result_as(ScoreResult)
    assert f"<h1>{result.finding()}</h1>" in page and "6 pictures of 3 prompts: dsg 0." in page
    assert list(result.to_pandas()["metric"]) == ["dsg", "vqascore", "clipscore", "cosine", "dcs", "tifa"]
    assert len(result.plot().axes) == 6 and "mean over prompts" in result._repr_html_()
    if chromium.find() is not None:
        looked_at(page, home / "looked_at.html", images=6)
    assert "All items with their reasons" in page and '<td class="num" data-l="not scored">0</td>' in page

    code, out, _ = score(capsys, "--metric", "dsg,vqascore,clipscore,cosine,dcs,tifa", "--json")
    told = json.loads(out)
    assert code == 0 and sum(calls["paid"] for calls in told["calls"].values()) == 0
    assert sum(calls["reused"] for calls in told["calls"].values()) > 20
    figures = {result["metric"]: result["overall"] for result in told["metrics"]}
    assert figures["dsg"]["n"] == 3 and figures["dsg"]["unscored"] == 0


def test_a_picture_that_cannot_be_read_has_no_score_and_the_rest_has(home, capsys):
    (home / "pics" / "3.png").write_bytes(b"broken")
    code, out, _ = score(capsys, "--metric", "vqascore", "--json")
    [result] = json.loads(out)["metrics"]
    assert code == 0 and (result["pictures"], result["unscored"]) == (5, 1)
    assert list(result["reasons"]) == ["'pics/3.png' is no picture that Pillow can read."]
    assert result["overall"]["n"] == 3, "its prompt has another picture"


def test_two_vqa_models_judge_together(home, capsys, blip_folder, tmp_path_factory):
    import shutil

    other = tmp_path_factory.mktemp("other") / "blip-other"
    shutil.copytree(blip_folder, other)
    (other / "README.md").write_text("another revision", encoding="utf-8")
    config = json.loads((other / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "note": "other"}), encoding="utf-8")
    code, out, _ = score(capsys, "--metric", "dsg", "--vqa", f"{blip_folder} + {other}", "--json")
    told = json.loads(out)
    assert code == 0 and told["agreement"]["share"] == 1 and told["agreement"]["questions"] > 0
    assert [model["id"] for role, model in told["models"].items() if role.startswith("vqa")] == [
        f"{blip_folder.name} + blip-other", blip_folder.name, "blip-other"
    ]  # fmt: skip
    assert any(f"by weight: {blip_folder.name} 0.50, blip-other 0.50" in note for note in told["notes"])
    code, _, err = score(capsys, "--metric", "dsg", "--vqa", f"{blip_folder},{other}")
    assert code == 2 and "joined by ' + '" in err


def test_runs_are_compared_by_prompt(home, capsys):
    score(capsys, "--metric", "vqascore,cosine")
    [first] = home.glob("runs/score-*")
    for path in (home / "pics").glob("*.png"):
        Image.open(path).rotate(90).save(path)
    code, out, _ = score(capsys, "--metric", "vqascore,cosine", "--against", first.name)
    assert code == 0 and f"vqascore against {first.name}: " in out and "corrected for 2 metrics" in out
    assert "over 3 prompts" in out
    code, _, err = score(capsys, "--metric", "dcs", "--against", first.name)
    assert code == cli.BAD_INPUT and "has none of these metrics" in err


def test_a_set_is_compared_with_reference_pictures(home, capsys):
    """The set itself as its reference has no distance from it; noise has one."""
    code, out, _ = score(capsys, "--metric", "cosine", "--reference", "pics", "--json")
    told = json.loads(out)
    same = told["statistics"]
    assert code == 0 and (same["n"], same["n_reference"], same["unread"]) == (6, 6, 0)
    assert (
        same["fid"] < 1e-6
        and (same["precision"], same["recall"]) == (1, 1)
        and same["encoder"].startswith("clip-small")
    )
    (home / "noise").mkdir()
    rng = random.Random(1)
    for number in range(6):
        Image.frombytes("RGB", (32, 32), rng.randbytes(3072)).save(home / "noise" / f"{number}.png")
    (home / "noise" / "torn.png").write_bytes(b"no picture")
    before = {*home.glob("runs/score-*")}
    code, out, _ = score(capsys, "--metric", "cosine", "--reference", "noise")
    assert code == 0 and "against the 6 pictures of noise: FID " in out and "recall" in out and "torn.png" in out
    [newest] = {*home.glob("runs/score-*")} - before
    run = json.loads((newest / "result.json").read_text("utf-8"))
    assert run["statistics"]["fid"] > 10 * max(same["fid"], 1e-6) and run["statistics"]["unread"] == 1
    assert "Against the 6 pictures of noise" in (newest / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("argv", "words"), [(("--reference", "nowhere"), "is no folder"), (("--reference", "two"), "too few")]
)
def test_reference_pictures_that_cannot_be_used(home, capsys, argv, words):
    (home / "two").mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8)).save(home / "two" / f"{number}.png")
    code, _, err = score(capsys, "--metric", "cosine", *argv)
    assert code == cli.BAD_INPUT and words in err and not list(home.glob("runs/score-*"))


def test_rewards_and_detectors_are_metrics_too(home, capsys, clip_folder):
    """PickScore of a checkpoint of its layout; GenEval's words are read, and its detector is asked for."""
    code, out, _ = score(capsys, "--metric", "pickscore", "--reward", f"pickscore={clip_folder}", "--json")
    told = json.loads(out)
    assert code == 0 and told["metrics"][0]["overall"]["n"] == 3 and told["calls"]["preference"]["paid"] == 6
    assert told["models"]["pickscore"]["id"] == "clip-small"
    for argv, words in (
        (("--metric", "pickscore", "--reward", "beauty=x"), "is not NAME=ID"),
        (("--metric", "hpsv2", "--reward", "hpsv2=nowhere"), "'nowhere' is neither"),
        (("--metric", "geneval", "--detector", "nowhere"), "'nowhere' is neither"),
        (("--metric", "geneval", "--geneval", "nowhere.jsonl"), "cannot be read"),
    ):
        code, _, err = score(capsys, *argv)
        assert code == cli.BAD_INPUT and words in err, err


def test_a_stopped_run_goes_on_and_pays_for_nothing_again(home, capsys, monkeypatch):
    import inloop.evaluators.run.scoring as module

    monkeypatch.setattr("inloop.graphs.score.loop.CHUNK", 2)
    real = module._read
    seen = []

    def stopping(items, item, blobs):
        seen.append(item.id)
        if item.id == "4.png" and len(seen) < 7:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return real(items, item, blobs)

    monkeypatch.setattr(module, "_read", stopping)
    code, _, err = score(capsys, "--metric", "vqascore")
    assert code == cli.INTERRUPTED and "inloop resume" in err
    [folder] = home.glob("runs/score-*")
    monkeypatch.setattr(module, "_read", real)
    assert cli.main(["resume", folder.name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["items"] == 6 and told["calls"]["vqa"] == {"paid": 6, "reused": 4}, (
        "of the whole run, and of this process"
    )
    assert cli.main(["report", folder.name]) == 0


def test_a_budget_stops_between_chunks_with_a_result(home, capsys, monkeypatch):
    monkeypatch.setattr("inloop.graphs.score.loop.CHUNK", 2)
    code, out, _ = score(capsys, "--metric", "vqascore", "--budget", "answers=3", "--json")
    told = json.loads(out)
    assert code == cli.BUDGET and (told["items"], len(told["tasks"])) == (4, 2) and "answers" in told["stopped"]
    assert told["metrics"][0]["pictures"] == 4
    code, out, _ = score(capsys, "--metric", "vqascore", "--budget", "answers=3")
    assert code == cli.BUDGET and "stopped by the budget" in out, "what is reused counts as well"
    code, _, err = score(capsys, "--budget", "wishes=3")
    assert code == cli.BAD_INPUT and "wishes" in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--metric", "beauty"), "there is no metric 'beauty': there are dsg, "),
        (("--metric", ","), "no metric was named"),
        (("--limit", "0"), "--limit 0"),
        (("--metric", "vqascore", "--template", "Is it good?"), "must hold '{}' once"),
        (("--metric", "dsg", "--vqa", "nowhere"), "'nowhere' is neither"),
        (("--against", "score-never"), "there is no run"),
        (("--metric", "tifa", "--questions", "nowhere.json"), "cannot be read"),
    ],
)
def test_bad_input_is_named(home, capsys, argv, words):
    code, out, err = score(capsys, *argv)
    assert code == cli.BAD_INPUT and words in err and out == ""


def test_every_metric_says_what_it_is_not_comparable_to():
    for metric in map(METRICS.find, METRICS):
        assert any(word in metric.about for word in ("Not ", "not ", "only")), metric.name


@pytest.mark.slow
async def test_ten_thousand_pictures_in_bounded_memory(tmp_path):
    """The same few files under ten thousand names: what is held must not grow with what was scored."""
    files = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
        files.append(str(path))
    items = Items([Item(id=str(n), text=f"prompt {n % 50}", path=files[n % 4]) for n in range(10_000)])
    tally = Tally(["vqascore"])
    held = {}

    class Quiet(ScriptedVQA):
        async def answer(self, asked):
            made = await super().answer(asked)
            self.asked.clear()
            return made

    def take(scored):
        for item in scored:
            tally.add(item)
        if tally.items in (2_000, 10_000):
            gc.collect()
            # pathlib interns the parts of a path, and the interpreter's table of interned strings grows in leaps of megabytes
            kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, pathlib.__file__)])
            held[tally.items] = sum(statistic.size for statistic in kept.statistics("filename"))

    tracemalloc.start()
    try:
        vqa = Quiet(lambda image, question: random.Random(image.sha256 + question).random())
        evaluators, blobs = {"vqascore": VQAScore(vqa)}, BlobStore(tmp_path / "b")
        for rows in chunks(items.items, 40):
            take(await score_items(items, rows, evaluators, blobs))
    finally:
        tracemalloc.stop()
    assert tally.items == 10_000 and held[10_000] - held[2_000] < 1_000_000, held
    assert len(tally.result("vqascore").worst) == 8 and tally.result("vqascore").overall.n == 50


def test_the_time_left_is_counted_from_the_first_picture_on():
    now = iter([0.0, 500.0, 520.0, 525.0, 530.0])  # loading takes what it takes
    view = RunView("", clock=lambda: next(now))
    lines = [view.see(Progressed(text="pictures", done=count, of=101)) for count in (1, 41, 51, 101)]
    assert lines == [
        ["1 of 101 pictures"],
        ["41 of 101 pictures, 2.0 a second, 30 s left"],
        [],
        ["101 of 101 pictures, 3.3 a second"],
    ]
    assert view.begun


def test_one_of_a_thing_is_one():
    assert (counted(1, "prompt"), counted(0, "prompt"), counted(12_000, "prompt")) == (
        "1 prompt",
        "0 prompts",
        "12\u202f000 prompts",
    )


def test_the_worst_are_the_worst_and_unscored_ones_are_counted():
    tally = Tally(["m"], worst=3)
    values = [0.5, 0.1, None, 0.9, 0.1, 0.3]
    for place, value in enumerate(values):
        scores = {"m": Score(value=value, explanation="" if value is not None else "no answer")}
        tally.add(Scored(id=str(place), text=f"t{place}", tags=("odd",) if place % 2 else (), scores=scores))
    made = tally.result("m")
    assert [item.id for item in made.worst] == ["1", "4", "5"]
    assert (made.pictures, made.unscored, made.reasons) == (5, 1, {"no answer": 1})
    assert made.slices["odd"].value == pytest.approx((0.1 + 0.9 + 0.3) / 3)


OWN = """
def redness(image, text):
    "The mean red of a picture, 0 to 1. Compare with nothing but itself."
    red = image.resize((1, 1)).getpixel((0, 0))[0] / 255
    return red if "red" in text else None
"""


def test_an_evaluator_of_ones_own_is_a_metric(home, capsys, monkeypatch):
    (home / "mine.py").write_text(OWN, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    code, out, _ = score(capsys, "--metric", "mine:redness,cosine", "--json")
    told = json.loads(out)
    own, _ = told["metrics"]
    assert (
        code == 0 and own["metric"] == "mine:redness" and own["about"].startswith("The mean red of a picture, 0 to 1")
    )
    assert own["pictures"] == 2 and own["unscored"] == 4 and own["overall"]["value"] > 0.8
    assert told["models"]["mine:redness"]["id"] == "mine:redness" and told["calls"]["score"]["paid"] == 6
    code, _, err = score(capsys, "--metric", "mine:greenness")
    assert code == cli.BAD_INPUT and "names no metric: 'mine' has no 'greenness', but 'redness'" in err


@pytest.mark.parametrize("reference", [(), ("--reference", "pics")])
def test_bundled_scorers_say_once_that_pictures_are_none_of_their_world(home, capsys, reference):
    def notes(*argv):
        code, out, _ = score(capsys, "--json", *argv)
        assert code == 0
        return [note for note in json.loads(out)["notes"] if "drawn world" in note]

    real = (os.environ["INLOOP_VQA"], os.environ["INLOOP_CLIP"])
    [note] = notes("--metric", "clipscore", "--clip", "mini", "--vqa", real[0], *reference)
    assert note.startswith("mini-clip knows nothing but the drawn world") and note.endswith("is set by --clip.")
    assert f"{12 if reference else 6} of {12 if reference else 6} pictures" in note
    [note] = notes("--metric", "dsg", "--vqa", f"mini + {real[0]}", "--clip", real[1])
    assert note.startswith("mini-vqa knows") and note.endswith("is set by --vqa.")
    assert notes("--metric", "clipscore,vqascore", *reference) == []
    for number, scene in enumerate(itertools.islice(scenes(5), 6)):
        draw(scene).save(home / "pics" / f"{number}.png")
    assert notes("--metric", "clipscore", "--clip", "mini") == []
