"""`inloop index` and `inloop eval-rag`, as commands on real files and a real store."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image
from rag_files import pdf

from inloop.app.cli import main as cli

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("pypdfium2", reason="the extra rag is not installed: pip install 'inloop[rag]'")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("INLOOP_RUNS_DIR", raising=False)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# Apples\nAn apple a day.", encoding="utf-8")
    (tmp_path / "docs" / "b.pdf").write_bytes(pdf("Bananas are yellow."))
    return tmp_path


def run(capsys, *argv):
    code = cli.main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_folder_is_indexed_and_searched(here, capsys):
    flags = ("index", "docs", "--embedder", "none", "--clip", "none", "--json")
    code, out, _ = run(capsys, *flags)
    told = json.loads(out)
    assert code == 0 and (told["added"], told["held"], told["url"]) == (2, 2, "lancedb:///./index")
    assert (here / "index" / "manifest.json").is_file()
    (here / "docs" / "scan.pdf").write_bytes(pdf(""))
    code, out, _ = run(capsys, *flags)
    told = json.loads(out)
    assert code == 1 and told["unchanged"] == 2 and [note["file"] for note in told["failed"]] == ["scan.pdf"]
    code, out, _ = run(capsys, *flags[:-1])
    assert code == 1 and "not indexed: scan.pdf" in out and "--ocr" in out and "inloop resume" in out
    before = sorted((here / "runs").iterdir())
    code, out, err = run(capsys, "index", "absent")
    assert code == 2 and "does not exist" in err
    code, out, err = run(capsys, "index", "docs", "--to", "ftp://x", "--embedder", "none", "--clip", "none")
    assert code == 2 and "no index that inloop knows" in err
    code, _, err = run(capsys, "index", "docs", "--chunk", "3")
    assert code == 2 and "--chunk" in err
    assert sorted((here / "runs").iterdir()) == before  # refused: nothing stays behind

    (here / "queries.jsonl").write_text('{"_id": "q1", "text": "yellow fruit"}\n', encoding="utf-8")
    (here / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tdocs/b.pdf\t1\n", encoding="utf-8")
    code, out, _ = run(
        capsys, "eval-rag", "--index", "lancedb:///./index", "--queries", "queries.jsonl", "--qrels", "qrels.tsv",
        "--mode", "bm25", "--json",
    )  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["measures"]["ndcg@10"]["value"] == 1.0 and told["documents"] == 2


def test_a_run_is_listed_shown_again_and_drawn(here, capsys):
    flags = ("--embedder", "none", "--clip", "none")
    first = json.loads(run(capsys, "index", "docs", *flags, "--json")[1])
    (here / "docs" / "c.txt").write_text("Cherries are red.", encoding="utf-8")
    code, out, _ = run(capsys, "resume", "--json")  # it had ended: its result, and not another run
    assert code == 0 and (json.loads(out)["added"], json.loads(out)["run_id"]) == (2, first["run_id"])
    [listed] = json.loads(run(capsys, "runs", "--json")[1])["runs"]
    assert (listed["loop"], listed["state"], listed["prompts"]) == ("index", "finished", [str(here / "docs")])
    page = (here / "runs" / first["run_id"] / "report.html").read_text(encoding="utf-8")
    assert "2 added" in page and run(capsys, "report")[0] == 0
    assert json.loads(run(capsys, "index", "docs", *flags, "--json")[1])["added"] == 1


def test_a_picture_that_nothing_can_find_is_named_and_stops_no_other_file(here, capsys):
    Image.new("RGB", (8, 8)).save(here / "docs" / "plain.png")
    code, out, _ = run(capsys, "index", "docs", "--embedder", "none", "--clip", "none", "--json")
    told = json.loads(out)
    assert code == 1 and (told["added"], told["held"]) == (2, 2)
    [failed] = told["failed"]
    assert failed["file"] == "plain.png" and "without an embedder of pictures" in failed["reason"]


def test_photographs_in_an_index_by_the_bundled_clip_are_told_once(here, capsys):
    for name in ("one", "two"):
        Image.new("RGB", (200, 100), "red").save(here / "docs" / f"{name}.png")
    code, out, _ = run(capsys, "index", "docs", "--embedder", "none", "--json")
    told = json.loads(out)
    [note] = told["run_notes"]
    assert (
        code == 0
        and told["held"] == 4
        and note.startswith("mini-clip knows")
        and "2 of 2 pictures" in note
        and "--clip" in note
    )


def test_a_spent_budget_keeps_what_was_done_and_deletes_nothing(here, capsys):
    flags = ("--embedder", "none", "--clip", "none", "--json")
    run(capsys, "index", "docs", *flags)
    (here / "docs" / "a.md").unlink()
    code, out, _ = run(capsys, "index", "docs", *flags, "--budget", "seconds=0.000001")
    assert code == 4 and json.loads(out)["stopped_by_budget"]
    told = json.loads(run(capsys, "index", "docs", *flags)[1])
    assert (told["unchanged"], told["deleted"], told["held"]) == (1, 1, 1)


def test_a_killed_run_goes_on(here, capsys):
    for number in range(600):
        (here / "docs" / f"{number:03}.txt").write_text(f"page {number} of many", encoding="utf-8")
    command = [sys.executable, "-m", "inloop.app.cli.main", "index", "docs", "--embedder", "none", "--clip", "none"]
    started = subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: any('"done": 3' in path.read_text() for path in here.glob("runs/index-*/events.jsonl")), started)
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
    code, out, _ = run(capsys, "resume", "--json")
    told = json.loads(out)
    assert code == 0 and told["held"] == 602 and told["added"] + told["unchanged"] == 602


def until(happened, process):
    """Wait for what a process does; it must not end before."""
    while not happened():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)


def test_a_test_set_is_evaluated(here, capsys):
    corpus = ["apples are red", "bananas are yellow", "the sky is blue", "grass is green"]
    rows = [json.dumps({"_id": f"d{n}", "title": "", "text": text}) for n, text in enumerate(corpus)]
    (here / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
    asked = {"q0": "red apples", "q1": "what is yellow", "q2": "is the grass red", "q3": "not judged"}
    rows = [json.dumps({"_id": key, "text": text}) for key, text in asked.items()]
    (here / "queries.jsonl").write_text("\n".join(rows), encoding="utf-8")
    judged = "query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\td1\t1\nq2\td3\t1\nq9\td3\t1\n"
    (here / "qrels.tsv").write_text(judged, encoding="utf-8")
    files = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl", "--qrels", "qrels.tsv")
    code, out, _ = run(capsys, "eval-rag", *files, "--mode", "bm25", "--run", "run.trec", "--json")
    told = json.loads(out)
    assert code == 0 and (told["queries"], told["documents"], told["judged_queries_not_asked"]) == (3, 4, 1)
    assert set(told["measures"]) == {"ndcg@10", "recall@10", "recall@100", "mrr@10"}
    one = told["measures"]["recall@10"]
    assert one["value"] == 1.0 and one["ci"] is None and one["n"] == 3  # three are no interval
    first = (here / "run.trec").read_text(encoding="utf-8").splitlines()[0].split()
    assert first[:4] == ["q0", "Q0", "d0", "1"] and first[5] == "inloop-bm25"
    code, out, _ = run(capsys, "resume", "--json")
    assert code == 0 and json.loads(out)["measures"] == told["measures"]
    page = (here / "runs" / told["run_id"] / "report.html").read_text(encoding="utf-8")
    assert f"ndcg@10 {told['measures']['ndcg@10']['value']:.3f}" in page and "q2" in page
    code, out, _ = run(capsys, "eval-rag", *files, "--mode", "bm25", "--measures", "mrr@5", "--limit", "1")
    assert code == 0 and "1 queries, 4 documents" in out and "mrr@5" in out
    for wrong, reason in (
        (("eval-rag", "--qrels", "qrels.tsv"), "give --queries"),
        (("eval-rag", *files, "--measures", "map"), "no measure"),
        (("eval-rag", *files[:4], "--qrels", "absent.tsv"), "cannot be read"),
        (("eval-rag", *files, "--limit", "0"), "--limit 0"),
        (("eval-rag", *files, "--run", "no/folder/run.trec"), "no folder"),
    ):
        code, _, err = run(capsys, *wrong)
        assert code == 2 and reason in err


def test_an_odd_test_set_is_evaluated(here, capsys):
    """Ids that are numbers, no heading, grades below 0, a document that is judged and absent, one that comes again."""
    rows = [{"_id": n, "title": "", "text": text} for n, text in enumerate(["apple", "apple", "apple pie", "", "sky"])]
    (here / "corpus.jsonl").write_text("\n".join(map(json.dumps, [*rows, rows[2]])), encoding="utf-8")
    asked = [
        {"_id": 1, "text": "apple"},
        {"_id": 2, "text": "sky"},
        {"_id": 3, "text": "the"},
        {"_id": 4, "text": "pie"},
    ]
    (here / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    (here / "qrels.tsv").write_text("1\t0\t2\n1\t1\t-1\n1\tgone\t1\n2\t4\t0\n3\t4\t1\n", encoding="utf-8")
    files = ("--corpus", "corpus.jsonl", "--queries", "queries.jsonl", "--qrels", "qrels.tsv", "--mode", "bm25")
    code, out, _ = run(capsys, "eval-rag", *files, "--measures", "recall@2, mrr@10", "--json")
    told = json.loads(out)
    assert code == 0 and (told["queries"], told["documents"], told["without_results"]) == (3, 4, 1)
    assert (told["relevant_documents"], told["relevant_documents_not_indexed"]) == (3, 1)
    recall, mrr = told["measures"]["recall@2"], told["measures"]["mrr@10"]
    assert (recall["value"], recall["n"], recall["unscored"]) == (0.25, 2, 1)  # 1 of 2, 0 of 1, none to be found
    assert mrr["value"] == 0.5
    code, out, _ = run(capsys, "eval-rag", *files, "--ignore-identical-ids", "--run", "run.trec", "--json")
    places = [line.split()[2:4] for line in (here / "run.trec").read_text(encoding="utf-8").splitlines()]
    assert places[:2] == [["0", "1"], ["2", "2"]]  # of query 1, without document 1
    (here / "qrels.tsv").write_text("1\tdoc-0\t2\n1\tdoc-1\t1\n", encoding="utf-8")
    code, out, err = run(capsys, "eval-rag", *files)
    assert code == 2 and "none of the 2 documents" in err and "'doc-0'" in err


def test_as_many_documents_are_found_as_a_measure_counts(here, capsys):
    """Of documents in many passages, and for a recall beyond 100."""
    for n in range(4):
        text = "\n\n".join(f"apple {n} {part} " + "word " * 20 for part in range(120 if n < 3 else 1))
        (here / "docs" / f"{n}.txt").write_text(text, encoding="utf-8")
    code, out, _ = run(capsys, "index", "docs", "--embedder", "none", "--clip", "none", "--chunk", "120", "--json")
    assert code == 0 and json.loads(out)["passages"] > 150
    (here / "queries.jsonl").write_text('{"_id": "q", "text": "apple 0 1 2"}', encoding="utf-8")
    (here / "qrels.tsv").write_text("q\tdocs/3.txt\t1\n", encoding="utf-8")
    given = ("--index", "lancedb:///./index", "--queries", "queries.jsonl", "--qrels", "qrels.tsv", "--mode", "bm25")
    code, out, _ = run(capsys, "eval-rag", *given, "--run", "run.trec", "--json")
    assert code == 0 and json.loads(out)["documents"] == 6
    assert json.loads(out)["measures"]["recall@10"]["value"] == 1.0
    rows = [json.dumps({"_id": f"d{n:03}", "text": "apple"}) for n in range(150)]
    (here / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (here / "qrels.tsv").write_text("q\td120\t1\n", encoding="utf-8")
    given = ("--corpus", "corpus.jsonl", *given[2:])
    code, out, _ = run(capsys, "eval-rag", *given, "--measures", "recall@100,recall@130", "--json")
    assert [one["value"] for one in json.loads(out)["measures"].values()] == [0.0, 1.0]


@pytest.mark.slow
def test_scifact_by_words(capsys, monkeypatch, tmp_path):
    """BM25 on the real BEIR set: nDCG@10 at least 0.67."""
    from pathlib import Path

    root = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[4] / "shared" / "data"))
    data = root / "rag" / "scifact"
    if not data.is_dir():
        pytest.skip(f"{data} is not there: set INLOOP_DATA to the folder that holds rag/scifact")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(
        capsys, "eval-rag", "--corpus", f"{data}/corpus.jsonl", "--queries", f"{data}/queries.jsonl",
        "--qrels", f"{data}/qrels/test.tsv", "--mode", "bm25", "--index", "lancedb:///./index", "--json",
    )  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["queries"] == 300 and told["documents"] == 5183
    assert told["measures"]["ndcg@10"]["value"] >= 0.67
