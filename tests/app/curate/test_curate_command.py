"""`inloop curate` as it is typed: its words, its page, a person at the terminal, and --undo."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from inloop.app.cli.main import main
from inloop.app.curate import command
from inloop.app.curate.charts import threshold_chart
from inloop.app.curate.review import TerminalReviewer, parsed
from inloop.graphs.curate import Review
from inloop.runtime.errors import BadInput
from inloop.tools.curation import CurvePoint


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((96, 72))
        picture.save(tmp_path / "photos" / f"{number}.png")
        if number < 2:
            picture.crop((4, 3, 92, 69)).save(tmp_path / "photos" / f"crop {number}.png")
    return tmp_path


def test_a_cleaning_is_told_drawn_written_and_taken_back(here, capsys):
    argv = ["curate", "photos", "--to", "clean", "--groups", "a red thing; a blue thing", "--device", "cpu"]
    assert main(argv) == 0
    out, told = capsys.readouterr()
    assert "6 of 8 pictures stay; 2 near copies" in out and "inloop resume" in out
    assert re.search(r"a red thing: \d+\.\d % .* before, \d+\.\d % .* now", out)
    assert told.count("mini-clip knows nothing but the drawn world") == 1
    assert out.count("mini-clip knows nothing but the drawn world") == 1
    [run] = (here / "runs").glob("curate-*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 4 and "2 that show the same" in page and "crop 0.png" in page
    assert "of the planted copies are found" in page and page.count('class="forest"') == 2
    assert len((run / "table.csv").read_text(encoding="utf-8").splitlines()) == 9
    assert sorted(path.name for path in (here / "clean" / "pictures").iterdir())[:3] == ["0.png", "1.png", "2.png"]
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_text(encoding="utf-8") == page
    capsys.readouterr()
    assert main(["curate", "--undo", "clean", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] >= 8 and not (here / "clean").exists()


def test_what_a_pool_has_and_what_is_drawn_evenly_is_told_and_drawn(here, capsys):
    (here / "photos").rename(here / "pool")
    (here / "photos").mkdir()
    for name in ("0.png", "1.png", "2.png"):
        (here / "pool" / name).rename(here / "photos" / name)
    argv = [
        "curate",
        "photos",
        "--pool",
        "pool",
        "--query",
        "a red thing; a blue thing",
        "--each",
        "2",
        "--balance",
        "4",
    ]
    assert main([*argv, "--device", "cpu"]) == 0
    out, _ = capsys.readouterr()
    assert re.search(r"[2-4] of 5 joined from .*pool; \d of these stay", out) and re.search(
        r"4 of \d pictures stay", out
    )
    assert re.search(r"clusters of \d to \d pictures keep \d to \d", out)
    [run] = (here / "runs").glob("curate-*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "a red thing" in page and "joined the folder's own" in page and "4 pictures were asked for" in page
    assert page.count('class="bars"') >= 1


def test_a_source_that_vanishes_ends_with_1(here, capsys):
    (here / "photos" / "taken").mkdir()
    for number in range(3):
        (here / "photos" / "taken" / f"{number}.png").write_bytes((here / "photos" / f"{number}.png").read_bytes())
    assert main(["curate", "photos", "--copies", "exact", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["cleaned"][0]["reasons"] == {"same bytes": 3} and "nothing of 'taken' stays" in told["notes"][0]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "no folder: give one"),
        (("photos", "--undo", "clean"), "leave one of them out"),
        (("--undo", "photos"), "has no curate.json of a cleaning"),
        (("nothing",), "is no folder"),
        (("photos", "--groups", "a"), "give two or more"),
        (("photos", "--remove", "x"), "--remove 'x' cannot be used"),
    ],
)
def test_bad_input_says_what_to_give(here, capsys, argv, message):
    assert main(["curate", *argv]) == 2
    assert message in capsys.readouterr().err
    assert not (here / "runs").exists() or not any((here / "runs").iterdir())


def test_a_person_at_the_terminal_is_asked_until_it_is_right(here, capsys, monkeypatch):
    typed, told = io.StringIO("what\nthreshold 0.999\n\n\n"), io.StringIO()
    monkeypatch.setattr(
        "inloop.app.curate.review.TerminalReviewer.__init__",
        lambda self, page, drawn, init=TerminalReviewer.__init__: init(self, page, drawn, typed=typed, told=told),
    )
    assert main(["curate", "photos", "--review", "--device", "cpu", "--json"]) == 0
    cleaned = json.loads(capsys.readouterr().out)["cleaned"][0]
    assert (cleaned["kept"], cleaned["threshold"], cleaned["reviews"]) == (8, 0.999, 1)
    assert "'what' is no answer" in told.getvalue() and told.getvalue().count("pictures stay") == 2
    [run] = (here / "runs").glob("curate-*")
    assert "data:image/" in (run / "review.html").read_text(encoding="utf-8")


def test_what_is_typed():
    review = parsed("keep a b.png", parsed("threshold 0.8", Review()))
    assert review == Review(threshold=0.8, keep=("a b.png",)) and parsed("stop", review).stop
    for line in ("threshold", "threshold high", "threshold 2", "keep", "drop x"):
        with pytest.raises(BadInput):
            parsed(line, Review())


def test_the_chart_says_what_it_shows():
    points = [
        CurvePoint(threshold=at, recall=1 - at / 2, recall_ci=(0.2, 1), false=0.1, false_ci=(0, 0.3))
        for at in (0.5, 0.6, 0.7)
    ]
    drawn = threshold_chart(points, 0.6)
    assert "At 0.6, 70% of planted copies are found and 10% of look-alikes are taken for copies." in drawn
    assert 'class="base"' in drawn and 'class="base"' not in threshold_chart(points, None)
    assert threshold_chart([], 0.5) == "" and command.curate.config.SUBJECT == "folder"
