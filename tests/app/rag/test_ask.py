"""`inloop ask` as a person uses it: real index on the disk, real offline answerer and check, exit codes, report."""

import json
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from pages import looked_at

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")

from inloop.app.cli.main import main
from inloop.app.rag.ask_report import render
from inloop.graphs.rag.result import RagResult
from inloop.runtime.passages import Passage
from inloop.runtime.run import run
from inloop.tools.index.open import open_index

DOCUMENTS = {
    "bridge.md": "The Harbour Bridge was opened in 1932. It carries eight lanes of road traffic.",
    "evil.md": "<script>alert(1)</script> The Harbour Bridge was \x1b[31mpainted grey & green.",
    "tea.md": "Green tea is not fermented. The leaves are steamed soon after the harvest.",
}


async def fill(url):
    index = await open_index(url)
    await index.upsert(
        [
            Passage(
                id=name, document=name, text=text, end=len(text), title=name, source=f"docs/{name}", meta={"year": year}
            )
            for year, (name, text) in enumerate(DOCUMENTS.items(), start=2000)
        ]
    )
    await index.close()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder with an index of words; no setting of the tester's counts."""
    import os

    for name in [*os.environ]:
        if name.startswith("INLOOP_"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "cache"))
    run(fill("lancedb:///./index"))
    return tmp_path


ASK = ("ask", "--index", "lancedb:///./index")


def test_a_question_by_words_loads_no_model(place):
    """The first question of a process: what it imports is looked at, not its time."""
    command = [*ASK, "When was the Harbour Bridge opened?", "--embedder", "none", "--json"]
    code = (
        "import os, sys\nfrom inloop.app.cli.main import main\nassert main(sys.argv[1:]) == 0\n"
        "print(*sys.modules, os.environ['OMP_WAIT_POLICY'], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert "1932" in json.loads(done.stdout)["answers"][0]["text"]
    *loaded, policy = done.stderr.split()
    assert not {"torch", "transformers", "openai", "xllamacpp", "inloop.app.rag.eval_rag"}.intersection(loaded)
    assert "lancedb" in loaded and "lance_namespace_urllib3_client.api" not in loaded
    assert policy == "PASSIVE"


def test_the_rest_client_of_lancedb_is_there_for_who_asks():
    code = (
        "from inloop.tools.index.lancedb_table import lancedb_package\nlancedb_package()\n"
        "import lance_namespace_urllib3_client as client\nfrom lance_namespace_urllib3_client import ApiClient\n"
        "assert client.TableApi is client.api.TableApi and ApiClient and client.models.JsonArrowField\n"
        "assert not hasattr(client, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_an_answer_with_its_quotations(place, capsys):
    assert main([*ASK, "When was the Harbour Bridge opened?"]) == 0
    shown = capsys.readouterr()
    assert "The Harbour Bridge was opened in 1932. [1]" in " ".join(shown.out.split())
    assert "docs/bridge.md, characters 0-38" in shown.out
    assert "neither a language model nor a model of inference" in " ".join(shown.out.split())
    assert "retrieve" in shown.err and "verify" in shown.err
    assert main([*ASK, "--embedder", "none", "--json", "When was the Harbour Bridge opened?"]) == 0
    assert told(capsys)["answers"][0]["answered"]
    page = sorted(place.glob("runs/rag-*/report.html"))[0]
    assert "<blockquote>“The Harbour Bridge was opened in 1932.”</blockquote>" in page.read_text(encoding="utf-8")
    assert main(["resume", "--json"]) == 0
    again = told(capsys)
    assert again["answers"][0]["answered"] and sum(kind["paid"] for kind in again["calls"].values()) == 0


def test_no_answer_has_a_reason_and_exit_code_0(place, capsys):
    assert main([*ASK, "--json", "Who composed the opera Turandot?"]) == 0
    found = told(capsys)
    assert found["answers"][0]["abstained"]["reason"] == "nothing_found" and not found["answers"][0]["answered"]
    assert main([*ASK, "Who composed the opera Turandot?"]) == 0
    assert "No answer: nothing found." in capsys.readouterr().out


def test_a_filter_holds(place, capsys):
    where = json.dumps({"op": "ne", "field": "document", "value": "bridge.md"})
    assert main([*ASK, "--json", "--where", where, "When was the Harbour Bridge opened?"]) == 0
    answer = told(capsys)["answers"][0]
    shown = (
        answer["abstained"]["citations"]
        if answer["abstained"]
        else [c for s in answer["sentences"] for c in s["citations"]]
    )
    assert all(citation["document"] != "bridge.md" for citation in shown)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ((*ASK, "  ?! "), 2, "has no word in it"),
        ((*ASK, "x" * 5000), 2, "at most 4000"),
        ((*ASK,), 2, "no question"),
        (("ask", "--index", "lancedb:///./elsewhere", "What is tea?"), 2, "elsewhere"),
        (("ask", "--index", "nonsense:x", "What is tea?"), 2, "nonsense"),
        ((*ASK, "--where", "{'year'}", "What is tea?"), 2, "is no filter"),
        ((*ASK, "--where", '{"op": "like", "field": "title", "value": "x"}', "What is tea?"), 2, "is no filter"),
        ((*ASK, "--verifier", "magic", "What is tea?"), 2, "--verifier 'magic'"),
        ((*ASK, "--k", "0", "What is tea?"), 2, "--k 0"),
        ((*ASK, "--budget", "wishes=3", "What is tea?"), 2, "no limit 'wishes'"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing_behind(place, capsys, argv, code, words):
    assert main([*argv]) == code
    shown = capsys.readouterr()
    assert words in shown.err and "Traceback" not in shown.err
    assert not list(place.glob("runs/rag-*"))


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_the_page_in_a_browser(place, capsys):
    assert main([*ASK, "--json", "Is the Harbour Bridge painted grey and green?", "Who composed Turandot? 图兰朵"]) == 0
    result = RagResult.model_validate(json.loads(Path(told(capsys)["result"]).read_text(encoding="utf-8")))
    looked_at(render(result), place / "ask.html")
    assert set(result.to_pandas()["ending"]) <= {"answered", "answered, not checked"} | {
        f"no answer: {reason}" for reason in ("nothing found", "does not say", "not sure", "contradicting sources")
    }
    assert result.finding() == f"{len(result.to_pandas()['answer'].dropna())} of 2 questions answered"
    [axes] = result.plot().axes
    assert sum(bar.get_width() for bar in axes.patches) == 2


def test_the_report_shows_documents_as_text(place, capsys):
    assert main([*ASK, "--json", "Is the Harbour Bridge painted grey and green?"]) == 0
    result = json.loads(Path(told(capsys)["result"]).read_text(encoding="utf-8"))
    outcome = RagResult.model_validate(result)
    page = render(outcome)
    assert "&lt;script&gt;" in page and "<script" not in page
    assert render(outcome) == page
    assert main([*ASK, "Is the Harbour Bridge painted grey and green?"]) == 0
    assert "\x1b" not in capsys.readouterr().out


async def test_the_loop_as_a_graph_is_asked_in_json(place):
    from inloop.graphs.rag.loop import graph

    question = "When was the Harbour Bridge opened?"
    state = await graph().ainvoke({"questions": [question], "index": "lancedb:///./index", "k": 4})
    [task] = state["result"]["tasks"]
    assert task["answer"]["sentences"][0]["text"] == "The Harbour Bridge was opened in 1932."
    assert state["result"]["config"]["k"] == 4 and list(place.glob("runs/rag-*/result.json"))


def test_many_questions_at_once(place, capsys):
    (place / "q.txt").write_text(
        "# two\nWhen was the Harbour Bridge opened?\nIs green tea fermented?\n", encoding="utf-8"
    )
    assert main([*ASK, "--json", "--questions", "q.txt"]) == 0
    answers = told(capsys)["answers"]
    assert [answer["question"] for answer in answers] == [
        "When was the Harbour Bridge opened?",
        "Is green tea fermented?",
    ]
    assert main(["runs", "--json"]) == 0
    assert told(capsys)
    assert main(["report"]) == 0
    page = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8")
    assert "2 questions answered" in page or "of 2 questions answered" in page


def test_claims_are_measured_with_and_without_the_check(place, capsys):
    from inloop.app.rag.eval_answers import both_ways, in_words
    from inloop.evaluators.rag.claim_answers import compare_answers, score_answers
    from inloop.runtime.settings import Settings
    from inloop.tools.data.claims import Claim

    claims = [
        Claim(id="1", text="The Harbour Bridge was opened in 1932.", label="SUPPORT", evidence=(("bridge.md", 0),)),
        Claim(id="2", text="Elephants prefer steamed vegetables after swimming.", label="NOT_ENOUGH_INFO"),
    ]
    sentences = {"bridge.md": ["The Harbour Bridge was opened in 1932.", "It carries eight lanes of road traffic."]}
    given = {"questions": tuple(claim.text for claim in claims), "index": "lancedb:///./index"}
    outcomes, folders = both_ways(given, Settings.load(), quiet=True)
    answers = {name: [task.answer for task in outcome.tasks] for name, outcome in outcomes.items()}
    found = {name: score_answers(claims, made, sentences) for name, made in answers.items()}
    assert found["verified"].precision.value > found["retrieve and answer"].precision.value
    assert found["verified"].abstentions.recall.value == 1.0 and found["retrieve and answer"].answered == 2
    change = compare_answers(claims, answers["retrieve and answer"], answers["verified"], sentences)
    assert change.lost.value == 0.0
    assert "citation precision" in in_words(found, change)
    assert len(set(folders.values())) == 2


def test_eval_rag_with_claims(place, capsys):
    corpus = [{"_id": name, "title": name, "text": text} for name, text in DOCUMENTS.items()]
    (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), encoding="utf-8")
    evidence = {"bridge.md": [{"sentences": [0], "label": "SUPPORT"}]}
    claims = [
        {"id": 1, "claim": "The Harbour Bridge was opened in 1932.", "evidence": evidence},
        {"id": 2, "claim": "Elephants prefer steamed vegetables after swimming.", "evidence": {}},
    ]
    (place / "claims.jsonl").write_text("".join(json.dumps(row) + "\n" for row in claims), encoding="utf-8")
    sentences = {
        "bridge.md": {
            "sentences": ["The Harbour Bridge was opened in 1932.", "It carries eight lanes of road traffic."]
        }
    }
    (place / "sentences.json").write_text(json.dumps(sentences), encoding="utf-8")
    command = [
        "eval-rag",
        "--claims",
        "claims.jsonl",
        "--sentences",
        "sentences.json",
        "--index",
        "lancedb:///./claims",
    ]
    assert main([*command, "--corpus", "corpus.jsonl", "--mode", "bm25", "--json"]) == 0
    found = told(capsys)
    assert found["verified"]["claims"] == 2 and found["verified"]["found"]["value"] == 1.0
    assert found["change"]["lost"]["value"] == 0.0
    assert any("neither a language model" in note for note in found["notes"])
    assert main([*command, "--mode", "bm25"]) == 0
    assert "citation precision" in capsys.readouterr().out
    assert main(["eval-rag", "--claims", "claims.jsonl", "--index", "lancedb:///./claims"]) == 2
    assert "--sentences" in capsys.readouterr().err
    assert main(["eval-rag", "--claims", "claims.jsonl", "--sentences", "sentences.json"]) == 2
    assert "--index" in capsys.readouterr().err
