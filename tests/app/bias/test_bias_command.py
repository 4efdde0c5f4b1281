"""`inloop bias` as a user sees it: the words on the terminal, --json, and the page with its pictures and charts."""

import json
from pathlib import Path

import pytest

import inloop.app.cli.main as cli
from inloop.app.report import lines

QUICK = ["--measures", "conflict,shifted,changes", "--pictures", "16"]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RUNS_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"INLOOP_{name}", str(tmp_path / name.lower()))
    return tmp_path


def test_the_bundled_clip_without_any_data(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bias", "mini", *QUICK]) == 0
    told = capsys.readouterr().out
    for words in (
        "16 classes; 240 cue-conflict",
        "shape bias",
        "either cue named of",
        "No single bias explains",
        "6 or more",
    ):
        assert words in told, told
    assert cli.main(["bias", "mini", *QUICK, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["calls"]["embedding"]["paid"] == 0 and data["conflicts"] == 240
    page = Path(data["report"]).read_text(encoding="utf-8")
    assert page.count("data:image/") >= 12 and "No single bias explains" in page
    for part in ("Cue-conflict pictures", "Shape bias by class", "What else moves the answers", "too few"):
        assert part in page


def test_what_is_refused_says_what_to_do(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bias", "mini", "--on", str(at / "nothing")]) == cli.BAD_INPUT
    assert "does not exist" in capsys.readouterr().err


def test_lines_with_intervals_are_drawn_and_nothing_is_for_nothing() -> None:
    drawn = lines({"a<b": [(0.1, 50.0, (40.0, 60.0)), (0.9, 75.0, None)]}, name="accuracy", across="cutoff")
    assert drawn.count("<circle") == 2 and drawn.count('class="series') == 2 and "a&lt;b" in drawn
    assert "50.0 at 0.1 (40.0 to 60.0)" in drawn
    assert lines({"empty": []}, name="accuracy", across="cutoff") == ""
