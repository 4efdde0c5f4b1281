"""`inloop capacity`: what it says, its JSON, and its page with the picture."""

import json
from types import SimpleNamespace

import pytest

from inloop.app.capacity.charts import stored_chart
from inloop.app.cli.main import main
from inloop.evaluators.stats import Estimate
from inloop.graphs.capacity import CapacityTask

pytest.importorskip("peft", reason="trains adapters: pip install 'inloop[students]'")


@pytest.fixture
def facts(tmp_path, monkeypatch):
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("INLOOP_STORE", str(tmp_path / "store"))
    path = tmp_path / "facts.jsonl"
    rows = [{"question": f"Who is number {n}?", "answer": f"answer {n}"} for n in range(64)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_the_verdict_in_words_as_json_and_on_the_page(facts, llama_folder, capsys, tmp_path):
    asked = ["capacity", str(facts), "--student", f"lora:{llama_folder}"]
    assert main(asked) == 0
    assert "cannot tell: 64 facts ask for 384 to" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["offered"]["facts"], told["measured"]) == ("cannot tell", 64, False)
    assert main([*asked, "--dry-run", "--measure"]) == 0
    assert "3 trainings on 16, 32, 64 drawn facts" in capsys.readouterr().out
    [page, *_] = sorted((tmp_path / "runs").glob("capacity-*/report.html"))
    assert "cannot tell" in page.read_text(encoding="utf-8")


@pytest.mark.trains
def test_a_measurement_has_a_picture(facts, llama_folder, capsys, tmp_path):
    asked = ["capacity", str(facts), "--student", f"full:{llama_folder}?epochs=1", "--measure", "--sizes", "2"]
    assert main(asked) == 0
    out = capsys.readouterr().out
    assert "stored/offered" in out and "does not fit" in out
    [page] = (tmp_path / "runs").glob("capacity-*/report.html")
    assert "Bits stored by bits offered" in page.read_text(encoding="utf-8")


def test_the_chart_has_a_point_a_size_and_none_without_one():
    ratio = Estimate(value=0.5, ci=(0.4, 0.6), n=10, unscored=0)
    tasks = [CapacityTask(id=f"n{n}", facts=n, exposures=5, answers=4, offered=2.0 * n, ratio=ratio) for n in (20, 10)]
    chart = stored_chart(tasks)
    assert chart.count("<circle") == 2
    assert "Of 40 bits that were offered at most, 20 were stored" in chart
    assert stored_chart([CapacityTask(id="rows", facts=3, exposures=5)]) == ""
    assert stored_chart([SimpleNamespace(offered=None, stored=None, ratio=None)]) == ""
