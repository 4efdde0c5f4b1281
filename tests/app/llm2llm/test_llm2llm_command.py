"""`inloop llm2llm` from files to table: with a loopback teacher and a small real student; every bad input ends in words."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter

import chromium
import numpy as np
import pytest
from pages import looked_at
from row_stand_ins import FILL, NAMES, THINGS, WordStudent, made_rows, open_word_student, teaching, write_rows
from servers import completion, fails, says, serving

from inloop.app.cli.main import main
from inloop.graphs.llm2llm import Llm2LlmResult
from inloop.graphs.llm2llm import models as llm2llm_models
from inloop.runtime.folder.run_folder import RunFolder, latest
from inloop.runtime.store.open import Store
from inloop.tools.students import open as students

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(llm2llm_models, "open_student", open_word_student)
    test = made_rows(20, seed=2, start=1000)
    taken = {row.text for row in test}
    write_rows(tmp_path / "test.jsonl", test)
    write_rows(tmp_path / "train.jsonl", [row for row in made_rows(30, seed=1) if row.text not in taken])
    return tmp_path


def run(capsys, *arguments):
    code = main(["llm2llm", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


USUAL = ("train.jsonl", "--test", "test.jsonl", "--seeds-per-class", "4", "--verifier", "none", "--rouge", "0.95")


def test_all_ways_at_equal_size_with_an_oracle(files, capsys):
    code, told = run(
        capsys, *USUAL, "--teacher", "oracle:train.jsonl", "--repeat", "3", "--compare", "all", "--steps", "2"
    )
    assert code == 0
    rows = {row["way"]: row for row in told["table"]}
    assert list(rows) == ["seed-only", "repeated", "eda", "random", "paper", "ours", "oracle"]
    sizes = {name: row["rows"] for name, row in rows.items()}
    assert sizes["ours"] == sizes["repeated"] == sizes["eda"] == sizes["random"] == sizes["oracle"] > 0
    assert sizes["seed-only"] == 0 == sizes["paper"] and "no errors left" in rows["paper"]["note"]
    assert all(row["repeats"] == 3 and row["se"] is not None for row in told["table"])
    gains = [w["accuracy"] for w in told["main"]], [w["accuracy"] for w in told["ways"] if w["way"] == "seed-only"]
    assert rows["ours"]["gain"] == pytest.approx(100 * sum(a - b for a, b in zip(*gains, strict=True)) / 3)
    assert rows["ours"]["gain"] > 2 * rows["ours"]["gain_se"] > 0, "real rows help this student"
    assert any("oracle" in note for note in told["notes"]) and told["counts"]["dev"] == 6
    folder = RunFolder.open(files / "runs", told["run_id"])
    data = [
        json.loads(line) for line in (folder.path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    added = [row for row in data if row["origin"] == "added"]
    assert len(data) == 12 + told["main"][0]["added"]
    assert all(row["seed"] and row["mistake"] and row["teacher"] and row["step"] for row in added)
    assert {row["text"] for row in added}.isdisjoint(row.text for row in made_rows(20, seed=2, start=1000))
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "LLM2LLM, ours" in page and "<script" not in page and "From the mistake to the rows" in page
    card = (folder.path / "data" / "README.md").read_text(encoding="utf-8")
    assert "data_files: train.jsonl" in card and "oracle" in card and told["main"][0]["data_sha256"] in card
    assert (folder.path / "student").is_dir()
    before = page
    assert main(["report", told["run_id"], "--json"]) == 0
    assert (folder.path / "report.html").read_text(encoding="utf-8") == before


def test_a_teacher_behind_a_server_is_paid_once(files, capsys):
    with serving() as server:
        server.behaviours = [teaching]
        arguments = (*USUAL, "--teacher", f"{server.url}#m", "--steps", "2", "--per-error", "2")
        code, told = run(capsys, *arguments)
        asked = len(server.seen)
        again_code, again = run(capsys, *arguments)
        assert (code, again_code) == (0, 0) and len(server.seen) == asked
        assert again["main"][0]["data_sha256"] == told["main"][0]["data_sha256"] and told["main"][0]["added"] > 0
        assert again["calls"]["llm"]["paid"] == 0 < told["calls"]["llm"]["paid"]
        spent = told["spent"]["teacher"]
        assert spent["calls"] == again["spent"]["teacher"]["calls"] > 0, "the account is that of the first run"
        assert spent["money"] is None and told["cost"]["money"] is None, "a price that is not known is not 0"
        # other thresholds: the replies are there
        capsys.readouterr()
        assert main(["rescore", told["run_id"], "--rouge", "0.4", "--json"]) == 0
        scored = json.loads(capsys.readouterr().out)
        assert len(server.seen) == asked
        [one] = scored["repeats"]
        assert one["accepted"] < one["accepted_before"] == told["main"][0]["added"] and one["paid"] == 0
        assert main(["rescore", told["run_id"], "--json"]) == 0
        [same] = json.loads(capsys.readouterr().out)["repeats"]
        assert same["data_sha256"] == told["main"][0]["data_sha256"], "the same rules give the same rows"


def test_a_dry_run_says_what_it_would_ask_and_asks_nothing(files, capsys):
    with serving() as server:
        code, told = run(capsys, *USUAL, "--teacher", f"{server.url}#m", "--dry-run")
        assert code == 0 and not [body for body in server.seen if "messages" in body]
    assert 0 < told["expected"]["calls"] <= told["most"]["calls"] and told["expected"]["money"] is None
    assert "answered wrongly" in told["example"] and latest(files / "runs") is None


class WordVectors:
    """Unit vectors of word counts, hashed."""

    model, revision = "word-vectors", "1"

    async def texts(self, texts, *, role=None):
        made = np.zeros((len(texts), 256))
        for place, text in enumerate(texts):
            for word in text.lower().split():
                made[place, zlib.crc32(word.encode()) % 256] += 1
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).tolist()

    async def aclose(self):
        pass


def test_the_fast_student_with_its_embeddings_and_a_soup(files, capsys, monkeypatch):
    pytest.importorskip("sklearn", reason="the fast student needs scikit-learn: pip install 'inloop[students]'")
    monkeypatch.undo()
    monkeypatch.chdir(files)
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(files / "cache"))
    monkeypatch.setattr(students, "open_text_embedder", lambda *args, **options: WordVectors())
    with serving() as server:
        server.behaviours = [teaching]
        code, told = run(
            capsys, *USUAL[:5], "--teacher", f"{server.url}#m", "--steps", "2", "--per-error", "2", "--soup", "uniform", "--compare", "none"
        )  # fmt: skip
    assert code == 0, told
    rows = {row["way"]: row for row in told["table"]}
    assert list(rows) == ["ours", "soup"] and rows["soup"]["accuracy"] is not None
    assert told["main"][0]["added"] > 0
    folder = RunFolder.open(files / "runs", told["run_id"])
    assert (folder.path / "student" / "student.json").is_file() and (folder.path / "soup" / "student.json").is_file()
    data = [
        json.loads(line) for line in (folder.path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert all(
        row["agreement"] is not None and "classifier" in row["verifier"] for row in data if row["origin"] == "added"
    )


BAD_TEACHERS = {
    "refuses": (says("I'm sorry, I cannot help with that."), "refused by the teacher"),
    "repeats itself": (None, "duplicate"),
    "writes other labels": (says('{"rows": [{"text": "a fine new text", "label": "sports"}]}'), "unknown label"),
    "returns html": (says("<html><body>Gateway</body></html>"), "unreadable reply"),
    "fails for good": (fails(400, "not for you"), "call failed"),
}


@pytest.mark.parametrize("name", BAD_TEACHERS)
def test_a_bad_teacher_ends_with_the_table_and_the_student_of_the_seeds(files, capsys, name):
    behaviour, kind = BAD_TEACHERS[name]

    def repeats(handler, body):
        seed = re.search(r"Text: (.+)", body["messages"][-1]["content"])
        label = re.search(r"Right answer: (\w+)", body["messages"][-1]["content"])
        row = {"text": seed[1] if seed else "x", "label": label[1] if label else "music"}
        handler.json(completion([json.dumps({"rows": [row] * 4})], output_tokens=9))

    with serving() as server:
        server.behaviours = [behaviour or repeats]
        code, told = run(capsys, *USUAL, "--teacher", f"{server.url}#m", "--attempts", "2")
    assert code == 1 and told["error"]["kind"] == "nothing accepted"
    assert kind in told["error"]["message"] and re.search(r"accepted +0", told["error"]["message"])
    assert told["main"][0]["stop"] == "nothing accepted" and told["main"][0]["accuracy"] > 0.3, "there is a result"
    assert told["main"][0]["rows"][kind] > 0


def test_a_teacher_that_is_down_can_be_waited_for(files, capsys):
    with serving() as server:
        server.behaviours = [fails(503, "overloaded")]
        code, told = run(capsys, *USUAL, "--teacher", f"{server.url}#m", "--steps", "1")
        assert code == 1 and "failed on all" in told["error"]["message"] and "overloaded" in told["error"]["message"]
        server.behaviours = [teaching]
        assert main(["resume", "--json"]) == 0
        done = json.loads(capsys.readouterr().out)
    assert done["main"][0]["added"] > 0
    with Store(files / "runs" / ".store") as store:
        assert store.ledger.paid_twice() == []


BAD_FILES = {
    "empty": ([], "no rows"),
    "one class": ([("a b", "x"), ("c d", "x"), ("e f", "x")], "all 3 rows have the label 'x'"),
    "typo": (
        [
            *[(f"song {i}", "music") for i in range(8)],
            *[(f"rain {i}", "weather") for i in range(8)],
            ("hail", "weathr"),
        ],
        "Did you mean 'weather'",
    ),
    "too few": ([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")], "class"),
    "too long": (
        [*[(f"song {i} {'la ' * 90}", "music") for i in range(9)], *[(f"rain {i}", "weather") for i in range(9)]],
        "60 are read",
    ),
}


ODD_LABELS = {
    "numbers": [3, 11],
    "truth values": [True, False],
    "other scripts": ["天気", "música 🎵"],
    "a dozen": [f"class {n}" for n in range(12)],
}


@pytest.mark.parametrize("name", ODD_LABELS)
def test_odd_but_legal_files(files, capsys, name):
    """With a byte order mark, empty lines, other columns, one test label that cannot be learned, and a class of one row."""
    labels = ODD_LABELS[name]
    rows = [
        {
            "text": f"{FILL[n % 8]} word{place} {NAMES[n]} ☂",
            "label": label,
            "id": f"{place}-{n}",
            "source": {"a": [1]},
            "x": None,
        }
        for place, label in enumerate(labels)
        for n in range(9)
    ]
    rows.append({"text": 12.5, "label": "rare"})
    test = [{"text": f"only word{place} now", "label": label} for place, label in enumerate(labels)]
    test.append({"text": "now only word0", "label": "never"})
    for name, some in (("odd.jsonl", rows), ("odd_test.jsonl", test)):
        lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in some)
        (files / name).write_text(f"{lines}\n  \n", encoding="utf-8-sig")
    code, told = run(
        capsys, "odd.jsonl", "--test", "odd_test.jsonl", "--seeds-per-class", "3", "--teacher", "oracle:odd.jsonl",
        "--compare", "all", "--steps", "1", "--repeat", "2",
    )  # fmt: skip
    assert code == 0, told
    assert told["counts"]["seeds"] == 3 * len(labels) + 1 and told["counts"]["test"] == len(labels) + 1
    for row in told["table"]:
        assert [one["repeat"] for one in row["values"]] == [0, 1]
        assert row["accuracy"] == pytest.approx(sum(one["accuracy"] for one in row["values"]) / 2)
        assert row["accuracy"] > 0
    assert any("'never'" in note for note in told["notes"]) and any("'rare' (1)" in note for note in told["notes"])


@pytest.mark.parametrize("name", BAD_FILES)
def test_rows_that_cannot_be_used_are_refused_before_anything_is_paid(files, capsys, name):
    rows, why = BAD_FILES[name]
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    (files / "bad.jsonl").write_text("\n".join(lines), encoding="utf-8")
    code, told = run(capsys, "bad.jsonl", "--seeds-per-class", "4", "--teacher", "oracle:bad.jsonl")
    assert code == 2 and why in told["error"]["message"], told
    assert latest(files / "runs") is None, "a refused command leaves nothing behind"


def test_ids_that_come_twice_and_files_that_changed(files, capsys):
    row = {"id": "1", "text": "a", "label": "x"}
    (files / "bad.jsonl").write_text("\n".join([json.dumps(row), json.dumps({**row, "text": "b"})]), encoding="utf-8")
    code, told = run(capsys, "bad.jsonl")
    assert code == 2 and "'1' is that of row 1" in told["error"]["message"]
    code, told = run(capsys, *USUAL, "--teacher", "oracle:train.jsonl", "--compare", "none", "--steps", "1")
    assert code == 0
    write_rows(files / "train.jsonl", made_rows(30, seed=5))
    assert main(["resume", told["run_id"], "--json"]) == 2
    assert "has changed since the run began" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--compare", "everything"), "--compare 'everything'"),
        (("--steps", "0"), "--steps 0"),
        (("--rouge", "2"), "--rouge 2.0"),
        (("--budget", "apples=3"), "apples"),
        (("--verifier", "self:1"), "self:VOTES"),
        (("--verifier", "nothing.py"), "does not exist"),
        (("--task", "poetry"), "'poetry'"),
        (("--seeds-per-class", "4000"), "4000"),
        (("--test", "train.jsonl"), "must not share"),
    ],
)
def test_flags_that_cannot_be_are_named(files, capsys, flags, why):
    code, told = run(capsys, *USUAL, "--teacher", "oracle:train.jsonl", *flags)
    assert code == 2 and why in told["error"]["message"], told


def test_a_budget_is_a_stop_with_a_result(files, capsys):
    with serving() as server:
        server.behaviours = [teaching]
        code, told = run(capsys, *USUAL, "--teacher", f"{server.url}#m", "--budget", "calls=1", "--steps", "5")
    assert code == 4 and told["stopped_by_budget"] and told["main"][0]["accuracy"] is not None


def test_other_columns_and_progress_in_lines(files, capsys):
    rows = [json.loads(line) for line in (files / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({"utterance": row["text"], "intent": row["label"]}) for row in rows]
    (files / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    code = main(["llm2llm", "own.jsonl", "--seeds-per-class", "4", "--teacher", "oracle:own.jsonl", "--steps", "1"])
    out, err = capsys.readouterr()
    assert code == 0 and "seeds are wrong" in err and "no test rows were given" in out
    assert "runs/llm2llm-" in out and "student" in out


@pytest.mark.skipif(chromium.find() is None, reason="the pages in a browser: apt install chromium")
def test_the_page_in_a_browser(files, capsys):
    code, told = run(
        capsys, *USUAL, "--teacher", "oracle:train.jsonl", "--compare", "all", "--steps", "1", "--repeat", "2"
    )
    assert code == 0
    page = (files / "runs" / told["run_id"] / "report.html").read_text(encoding="utf-8")
    looked_at(page, files / "page.html")
    result = RunFolder.open(files / "runs", told["run_id"]).result_as(Llm2LlmResult)
    assert f"<h1>{result.finding()}</h1>" in page and len(result.to_pandas()) == len(told["table"])


def test_rows_that_the_dev_rows_put_aside_were_accepted_all_the_same(files, capsys):
    """A teacher whose rows pass every check and make the student worse: the finding of the run, and no failure."""
    misleading = {"music": "weather", "weather": "dining", "dining": "music"}

    def script(handler, body):
        label = re.search(r"(?:Right answer|Answer): (\w+)", body["messages"][-1]["content"])[1]
        things = THINGS[misleading[label]][1]
        rows = [
            {"text": f"{word} {FILL[body['seed'] % 9]} {NAMES[n]}", "label": label} for n, word in enumerate(things)
        ]
        handler.json(completion([json.dumps({"rows": rows})], output_tokens=20))

    arguments = ["llm2llm", *USUAL, "--steps", "1", "--per-error", "8", "--dev-per-class", "8", "--compare", "none"]
    with serving() as server:
        server.behaviours = [script]
        assert main([*arguments, "--teacher", f"{server.url}#m"]) == 0
        out = capsys.readouterr().out
        code, told = run(capsys, *arguments[1:], "--teacher", f"{server.url}#m")
    rows = told["main"][0]["rows"]
    assert code == 0 and "error" not in told and rows["accepted"] > 0 == told["main"][0]["added"]
    assert f"{rows['accepted']} rows accepted, and put aside by the dev rows (step 1: dev fell from" in out
    assert "no row" not in out


def test_a_server_that_has_gone_is_not_needed_to_judge_its_replies_again(files, capsys):
    arguments = (*USUAL, "--steps", "1", "--per-error", "2", "--compare", "none")
    with serving() as server:
        server.behaviours = [teaching]
        named_code, named = run(capsys, *arguments, "--teacher", f"{server.url}#m")
        server.models = ["m"]
        code, told = run(capsys, *arguments, "--teacher", server.url)  # whose model's name it says itself
        assert code == named_code == 0 and told["main"][0]["added"] > 0
    for original in (told, named):
        assert main(["rescore", original["run_id"], "--rouge", "0.4", "--json"]) == 0
        [one] = (scored := json.loads(capsys.readouterr().out))["repeats"]
        folder = RunFolder.open(files / "runs", original["run_id"]).path / "rescored-1"
        assert {name: scored[name] for name in ("path", "data", "student")} == {
            "path": str(folder), "data": str(folder / "data"), "student": str(folder / "student")
        }  # fmt: skip
        lines = (folder / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
        added = [row for row in map(json.loads, lines) if row["origin"] == "added"]
        assert len(added) == one["accepted"] < one["accepted_before"] and all(row["step"] == 1 for row in added)
        counts = json.loads((folder / "student" / "counts.json").read_text(encoding="utf-8"))
        words = Counter(word for row in map(json.loads, lines) for word in row["text"].lower().split())
        assert Counter(word for label in counts.values() for word in Counter(label).elements()) == words
        assert one["data_sha256"] in (folder / "data" / "README.md").read_text(encoding="utf-8")
    assert main(["rescore", told["run_id"], "--rouge", "7", "--json"]) == 2
    capsys.readouterr()
    assert not (folder.parent / "rescored-2").exists(), "a refused command leaves nothing behind"


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--seeds-per-class", "27", "--teacher", "oracle:train.jsonl"), "--teacher oracle: none of the rows of 'train.jsonl'"),
        (("--compare", "oracle", "--teacher", "http://127.0.0.1:9/v1#m"), "--compare oracle: there are no real rows left"),
        (("--soup", "greedy", "--dev-per-class", "0", "--teacher", "oracle:train.jsonl"), "soup needs students"),
        (("--verifier", "http://127.0.0.1:9/v1#m", "--teacher", "http://127.0.0.1:9/v1#m"), "cannot check itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_a_student_is_trained(files, capsys, monkeypatch, flags, why):
    rows = made_rows(30, seed=1)
    write_rows(files / "train.jsonl", rows)
    monkeypatch.setattr(WordStudent, "fit", None)
    chosen = [] if "--seeds-per-class" in flags else ["--seeds-per-class", "4"] if "oracle:train.jsonl" in flags else []
    dev = () if "--dev-per-class" in flags else ("--dev-per-class", "3")
    code, told = run(capsys, "train.jsonl", *chosen, *dev, *flags)
    assert code == 2 and why in told["error"]["message"], told
    assert latest(files / "runs") is None


def test_repeats_of_the_same_seeds_have_no_standard_error(files, capsys):
    arguments = ("train.jsonl", "--test", "test.jsonl", "--dev-per-class", "0", "--verifier", "none", "--rouge", "1")
    write_rows(files / "pool.jsonl", made_rows(10, seed=3, start=5000))
    teacher = ("--teacher", "oracle:pool.jsonl", "--compare", "seed-only", "--steps", "1", "--per-error", "1")
    code, told = run(capsys, *arguments, *teacher, "--repeat", "3")
    assert code == 0 and any("the same in all 3 repeats" in note for note in told["notes"])
    rows = {row["way"]: row for row in told["table"]}
    assert all(row["se"] is None and row["gain_se"] is None for row in rows.values())
    low, high = rows["ours"]["ci"]
    assert low <= rows["ours"]["gain"] <= high
    assert main(["llm2llm", *arguments, *teacher, "--repeat", "3"]) == 0
    assert "± " not in capsys.readouterr().out
    code, told = run(capsys, *arguments, *teacher, "--repeat", "3", "--seeds-per-class", "6")
    assert code == 0 and all(row["se"] is not None for row in told["table"])
    assert not any("the same in all" in note for note in told["notes"])


def _writes(*contents, finish="stop"):
    """A teacher that writes these contents, one a request and then the last one again; JSON escapes are kept as they are."""
    left = list(contents)

    def behave(handler, body):
        content = left.pop(0) if len(left) > 1 else left[0]
        reply = completion([content], output_tokens=20)
        reply["choices"][0]["finish_reason"] = finish
        handler.json(reply)

    return behave


def test_half_a_letter_in_a_reply_ends_no_run(files, capsys):
    """As an escape in the rows' JSON, and as one in the server's own."""
    rows = [{"text": f"play the ballad {n} \\ud83d now", "label": "music"} for n in range(4)]
    escaped = json.dumps({"rows": rows}).replace("\\\\ud83d", "\\ud83d")
    for content in (escaped, json.dumps({"rows": rows}, ensure_ascii=False).replace("\\\\ud83d", "\ud83d")):
        with serving() as server:
            server.behaviours = [_writes(content)]
            code, told = run(
                capsys,
                *USUAL,
                "--teacher",
                f"{server.url}#m",
                "--steps",
                "1",
                "--compare",
                "none",
                "--dev-per-class",
                "0",
            )
        assert code == 0 and told["main"][0]["added"] > 0, told
        assert main(["resume", told["run_id"], "--json"]) == 0
        assert main(["rescore", told["run_id"], "--json"]) == 0
        capsys.readouterr()
        data = (files / "runs" / told["run_id"] / "data" / "train.jsonl").read_text(encoding="utf-8")
        assert "play the ballad 0 \ufffd now" in data


def test_a_reply_that_was_cut_off_keeps_its_whole_rows(files, capsys):
    rows = json.dumps({"rows": [{"text": f"play the {thing} of {name} tonight", "label": "music"} for thing, name in
                                zip(THINGS["music"][1], NAMES, strict=False)]})  # fmt: skip
    cut = rows[: rows.index("remix") + 3]
    with serving() as server:
        server.behaviours = [_writes(cut, finish="length")]
        code, told = run(
            capsys, *USUAL, "--teacher", f"{server.url}#m", "--steps", "1", "--attempts", "1", "--per-error", "8",
            "--compare", "none", "--dev-per-class", "0",
        )  # fmt: skip
    outcomes = told["main"][0]["rows"]
    assert code == 0 and "unreadable reply" not in outcomes and outcomes["accepted"] == told["main"][0]["added"] == 6
    data = (files / "runs" / told["run_id"] / "data" / "train.jsonl").read_text(encoding="utf-8")
    assert "play the ballad of rome tonight" in data and "play the rem" not in data


def test_lines_that_were_cut_off_keep_the_whole_ones(files, capsys):
    lines = "1 | play the song of adele | music\n2 | play the album of bowie | music\n3 | play the tr"
    with serving() as server:
        server.behaviours = [_writes("no JSON", lines), _writes(lines, finish="length")]
        code, told = run(
            capsys, *USUAL, "--teacher", f"{server.url}#m", "--steps", "1", "--attempts", "1", "--compare", "none",
            "--dev-per-class", "0",
        )  # fmt: skip
    data = (files / "runs" / told["run_id"] / "data" / "train.jsonl").read_text(encoding="utf-8")
    assert code == 0 and "play the album of bowie" in data and "play the tr" not in data


def test_rows_without_a_text_and_endless_ones_are_told(files, capsys):
    texts = ["", "\u200b \u2060", "play " * 1000, "play the record of nobu"]
    rows = json.dumps({"rows": [{"text": text, "label": "music"} for text in texts]})
    with serving() as server:
        server.behaviours = [_writes(rows)]
        code, told = run(
            capsys, *USUAL, "--teacher", f"{server.url}#m", "--steps", "1", "--attempts", "1", "--compare", "none",
            "--dev-per-class", "0",
        )  # fmt: skip
    rows = told["main"][0]["rows"]
    assert code == 0 and rows["accepted"] == 1 and rows["empty"] > 0 == rows["empty"] % 2 and rows["too long"] > 0
    assert (
        rows["parsed"] == rows["asked for"] == sum(rows[name] for name in rows if name not in ("asked for", "parsed"))
    )


def test_rows_in_another_language_are_noted(files, capsys):
    things = {"music": "lied", "weather": "wetter", "dining": "restaurant"}

    def german(handler, body):
        label = re.search(r"(?:Right answer|Answer): (\w+)", body["messages"][-1]["content"])[1]
        text = f"bitte sag mir wo das {things[label]} {body['seed'] % 1000} ist"
        handler.json(completion([json.dumps({"rows": [{"text": text, "label": label}]})], output_tokens=9))

    rows = [json.loads(line) for line in (files / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    english = [json.dumps(row | {"text": f"what is the {row['text']} for me"}) for row in rows]
    (files / "english.jsonl").write_text("\n".join(english), encoding="utf-8")
    arguments = (
        "--seeds-per-class",
        "4",
        "--verifier",
        "none",
        "--steps",
        "1",
        "--compare",
        "none",
        "--dev-per-class",
        "0",
    )
    with serving() as server:
        server.behaviours = [german]
        code, told = run(capsys, "english.jsonl", *arguments, "--teacher", f"{server.url}#m")
        added = told["main"][0]["added"]
        assert code == 0 and added > 0
        [note] = [note for note in told["notes"] if "another language" in note]
        assert note.startswith(f"{added} of {added} added rows") and f"{added} German" in note
        server.behaviours = [teaching]
        code, told = run(capsys, "english.jsonl", *arguments, "--teacher", f"{server.url}#m", "--seed", "7")
    assert code == 0 and told["main"][0]["added"] > 0
    assert not any("another language" in note for note in told["notes"])


def test_the_columns_of_the_users_rows_are_kept(files, capsys):
    lines = (files / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"source": f"shop-{n}", "seed": n, "tags": ["a", n]} for n, line in enumerate(lines)]
    (files / "own.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    code, told = run(
        capsys,
        "own.jsonl",
        "--seeds-per-class",
        "4",
        "--teacher",
        "oracle:own.jsonl",
        "--steps",
        "1",
        "--compare",
        "none",
    )
    folder = files / "runs" / told["run_id"] / "data"
    data = [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    by_text = {row["text"]: row for row in rows}
    assert code == 0 and len(data) > 12 and len({tuple(row) for row in data}) == 1
    for row in data:
        mine = by_text[row["text"]]
        assert (row["source"], row["own_seed"], row["tags"]) == (mine["source"], mine["seed"], mine["tags"])
        assert row["origin"] == "added" or row["id"] == mine["id"]
    code, again = run(capsys, str(folder / "train.jsonl"), "--teacher", "oracle:train.jsonl", "--steps", "1")
    assert code == 0, again
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'inloop[datasets]'")
    assert pyarrow.parquet.read_table(folder / "train.parquet").column("tags").to_pylist()[0] == json.dumps(
        data[0]["tags"]
    )
