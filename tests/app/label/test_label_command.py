"""`inloop label` as it is typed: its words, its pages, a person at the terminal."""

import io
import json

import pytest
from labelled import CLASSES, drawn_folder

from inloop.app.cli.main import main
from inloop.app.label.review import TerminalReviewer, parsed
from inloop.graphs.label import Added, Review
from inloop.runtime.errors import BadInput

_INIT = TerminalReviewer.__init__


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn_folder(tmp_path, 6)
    return tmp_path


def typing(monkeypatch, text):
    typed, told = io.StringIO(text), io.StringIO()
    monkeypatch.setattr(
        "inloop.app.label.review.TerminalReviewer.__init__",
        lambda self, page, drawn, init=_INIT: init(self, page, drawn, typed=typed, told=told),
    )
    return told


def test_a_labelling_is_told_drawn_and_written(here, capsys):
    assert main(["label", "photos", "--classes", CLASSES, "--to", "labels", "--device", "cpu"]) == 0
    out, _ = capsys.readouterr()
    assert (
        "labelled in 6 pictures" in out and "router: defaults: 0 masks are answered" in out and "inloop resume" in out
    )
    [run] = (here / "runs").glob("label-*")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 5 and "above the defaults (score" in page and "is not known" in page
    assert (run / "table.csv").read_bytes() == (here / "labels" / "table.csv").read_bytes()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_text(encoding="utf-8") == page


def test_a_person_at_the_terminal(here, capsys, monkeypatch):
    told = typing(monkeypatch, "what\nlabel 1 spoon\nwrong 1\n\n" + "\n" * 20)
    argv = ["label", "photos", "--classes", CLASSES, "--review", "--page", "4", "--device", "cpu", "--json"]
    assert main(argv) == 0
    [done] = json.loads(capsys.readouterr().out)["labelled"]
    assert done["looks"] >= 4 and done["routes"]["left out"] == 1 and done["calibration"]["audit"][1] >= 1
    assert "'what' is no answer" in told.getvalue() and "'spoon' is none of the classes" in told.getvalue()
    [run] = (here / "runs").glob("label-*")
    page = (run / "review.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 2 and "Which masks are right?" in page
    assert "were drawn at random and looked at" in (run / "report.html").read_text(encoding="utf-8")


def test_without_an_answer_it_waits_and_is_resumed(here, capsys, monkeypatch):
    typing(monkeypatch, "")
    assert main(["label", "photos", "--classes", CLASSES, "--review", "--device", "cpu"]) == 130
    assert "inloop resume" in capsys.readouterr().err
    [run] = (here / "runs").glob("label-*")
    typing(monkeypatch, "done\n\n")
    assert main(["resume", str(run)]) == 0
    assert "labelled in 6 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("photos",), "no classes: say what is looked for"),
        (("photos", "--classes", "a; b; A"), "'a' is given twice"),
        (("nothing", "--classes", "a"), "is no folder"),
        (("photos", "--classes", "a", "--format", "voc"), "invalid choice: 'voc'"),
        (("photos", "--classes", "a", "--import", "nothing.json"), "nothing.json"),
        (("photos", "--classes", "a", "--precision", "2"), "--precision 2.0 cannot be used"),
    ],
)
def test_bad_input_says_what_to_give(here, capsys, argv, message):
    assert main(["label", *argv]) == 2
    assert message in capsys.readouterr().err
    assert not (here / "runs").exists() or not any((here / "runs").iterdir())


def test_what_is_typed():
    review = Review()
    for line in ("wrong 1 2", "label 3 hot dog", "box 4 1 2 3.5 4", "add 3 5 6 7 8 hot dog", "skip 5", "done"):
        review = parsed(line, review)
    assert review == Review(
        wrong=(1, 2), label={3: "hot dog"}, box={4: (1, 2, 3.5, 4)}, add=(Added(number=3, label="hot dog", box=(5, 6, 7, 8)),), skip=(5,),
        done=True,
    )  # fmt: skip
    assert parsed("stop", Review()).stop
    for line in ("wrong", "wrong x", "label 3", "box 1 2 3", "add 1 2 3 4 5", "done 1", "drop 3"):
        with pytest.raises(BadInput):
            parsed(line, Review())
