"""`inloop promptcap synthesize` against a server that writes, reads and judges by rules a test can foresee."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from servers import Body, Endpoint, Handler, completion, fails, serving

from inloop.app.cli.main import main
from inloop.evaluators.vqa.cider import Cider
from inloop.graphs.captioning import caption_synthesis
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.store.ledger import Ledger
from inloop.tools.data.caption_rows import read_caption_rows

COLORS = ("red", "blue", "green")


def role(body: Body) -> str:
    content = str(body["messages"][-1]["content"]) if "messages" in body else ""
    return next((name for name, start in ROLES.items() if content.startswith(start)), "probe")


ROLES = {"write": "Summarize the context", "read": "Please answer", "judge": "Somebody wrote"}


def answers(handler: Handler, body: Body) -> None:
    """Writes a good caption, one that leaves the color out, one that only restates, and a planted one; reads colors."""
    if "lora_name" in body:
        return fails(404)(handler, body)
    content = str(body["messages"][-1]["content"])
    kind = role(body)
    if kind == "write":
        block = content.rpartition("Original contexts:")[2]
        color, thing = re.findall(r"Answer: (\w+)", block)[0], re.findall(r"is the (\w+)", block)[0]
        texts = {
            "ball": [
                f"A {color} ball lies on the grass.",
                "A ball lies on the grass.",
                f"The ball is {color}.",
                f"A {color} ball lies on the grass!",
            ],
            "kite": [f"A kite in the sky, its color is {color}.", "A kite in the sky."],
            "boat": ["A boat.", "Some boat on water."],
        }[thing]
        return handler.json(completion((texts * 4)[: body.get("n", 1)], output_tokens=9))
    if kind == "read":
        context = content.rpartition("Context:")[2].partition("===")[0]
        said = next((color for color in COLORS if color in context), "unknown")
        return handler.json(completion([said], output_tokens=1))
    if kind == "judge":
        return handler.json(completion(["Known." if "kite" in content else "seen"], output_tokens=1))
    return handler.json(completion(["ok"] * body.get("n", 1), output_tokens=1))


@pytest.fixture
def server() -> Iterator[Endpoint]:
    with serving() as endpoint:
        endpoint.behaviours = [answers]
        yield endpoint


def row(number: int, thing: str, color: str, *captions: str) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "question": f"what color is the {thing}?",
        "answers": [color] * 10,
        "captions": list(captions),
    }


ROWS = [
    row(1, "ball", "red", "A red ball on the grass", "A ball in a garden"),
    row(2, "kite", "blue", "A kite above the sea", "A kite flies"),
    row(3, "boat", "green", "A boat on the sea", "People in a boat"),
    row(4, "ball", "blue", "A ball in a garden", "A toy"),
]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INLOOP_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("INLOOP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def synthesize(server: Endpoint, home: Path, *more: str, rows: Path | None = None) -> int:
    rows = rows or write_rows(home / "rows.jsonl", ROWS)
    return main(["promptcap", "synthesize", str(rows), "--out", str(home / "out"), "--llm", f"{server.url}#m", *more])


def test_the_filter_and_the_leak_check_choose(server: Endpoint, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synthesize(server, home, "--samples", "4", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["accepted"], summary["refused"], summary["failed"]) == (2, 2, 0)
    made = {row["id"]: row for row in lines(home / "out" / "train.jsonl")}
    # row 1: another caption shows the red; row 4: none does, and the judge, who sees this caption alone, finds it can be seen
    assert {name: row["caption"] for name, row in made.items()} == {
        "r1": "A red ball lies on the grass.",
        "r4": "A blue ball lies on the grass.",
    }
    assert made["r1"]["soft"] == made["r1"]["hard"] == 1.0 and made["r1"]["cider"] > 0
    refused = {row["id"]: row for row in lines(home / "out" / "refused.jsonl")}
    assert "cannot be seen" in refused["r2"]["reason"] and "does not answer right" in refused["r3"]["reason"]
    judged = [str(body["messages"][-1]["content"]) for body in server.seen if role(body) == "judge"]
    assert len(judged) == 2 and not any("garden" in text or "above the sea" in text for text in judged)
    read = [str(body["messages"][-1]["content"]) for body in server.seen if role(body) == "read"]
    assert any("Context: The ball is red" in text for text in read)  # another caption shows the red
    assert not any("Context: The ball is blue" in text for text in read)  # what only restates is not paid for
    assert len(read) == len(set(read))
    card = (home / "out" / "README.md").read_text(encoding="utf-8")
    assert "2 of 4 rows" in card and "captions/promptcap_synthesis" in card and "size_categories:\n- n<1K" in card
    loaded = read_caption_rows(home / "out" / "train.jsonl", needs=("question", "answers", "caption"))
    assert [row.id for row in loaded] == ["r1", "r4"]


def test_the_same_command_again_pays_nothing(server: Endpoint, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synthesize(server, home) == 0
    before = len(server.seen)
    first = (home / "out" / "train.jsonl").read_bytes()
    assert synthesize(server, home, "--least", "0.9", "--json") == 0  # another threshold, the same calls
    assert len(server.seen) == before and (home / "out" / "train.jsonl").read_bytes() == first


def test_without_the_filter_the_first_caption_is_taken(server: Endpoint, home: Path) -> None:
    assert synthesize(server, home, "--filter", "none") == 0
    assert [row["caption"] for row in lines(home / "out" / "train.jsonl")][1] == "A kite in the sky, its color is blue."
    assert {role(body) for body in server.seen} <= {"write", "probe"}


def test_without_a_judge_a_planted_answer_is_refused(server: Endpoint, home: Path) -> None:
    assert synthesize(server, home, "--judge", "none", "--filter", "hard") == 0
    assert [row["id"] for row in lines(home / "out" / "train.jsonl")] == ["r1"]


def test_nothing_of_the_users_is_written_over(server: Endpoint, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "out").mkdir()
    card = home / "out" / "README.md"
    card.write_text("my notes", encoding="utf-8")
    assert synthesize(server, home) == 2 and "is not of this command" in capsys.readouterr().err
    card.unlink()
    rows = write_rows(home / "out" / "train.jsonl", ROWS)
    assert synthesize(server, home, rows=rows) == 2 and "write over the rows" in capsys.readouterr().err
    assert not [body for body in server.seen if "messages" in body]


def test_a_picture_with_many_questions_counts_once_for_rare_words(home: Path) -> None:
    captions = {"a": ["a red ball"], "b": ["a blue kite"]}
    rows = []
    for image, number in (("a", 0), ("a", 1), ("a", 2), ("b", 0)):
        Image.new("RGB", (8, 8)).save(home / f"{image}.png")
        asked = {"image": f"{image}.png", "question": f"what is thing {number}?", "answers": ["ball"]}
        rows.append({"id": f"{image}{number}", "captions": captions[image], **asked})
    path = write_rows(home / "rows.jsonl", rows)
    models = {
        "writer": ScriptedChat(lambda messages: "a red ball lies there"),
        "reader": ScriptedChat(lambda messages: "ball"),
    }
    done = caption_synthesis(path, out=home / "out", samples=1, judge="none", models=models)
    expected = Cider([tuple(each) for each in captions.values()]).score("a red ball lies there", captions["a"])
    assert done.tasks[0].proposals[0].cider == pytest.approx(expected, abs=1e-4)
    assert done.models["writer"]["id"] and [task.id for task in done.accepted] == ["a0", "a1", "a2"]


def test_rows_of_one_picture_are_not_repeated(server: Endpoint, home: Path) -> None:
    Image.new("RGB", (8, 8)).save(home / "a.png")
    rows = [{**ROWS[0], "id": str(number), "image": "a.png"} for number in range(2)]
    assert synthesize(server, home, rows=write_rows(home / "rows.jsonl", rows)) == 0
    assert [row["id"] for row in lines(home / "out" / "train.jsonl")] == ["0"]
    assert "the same words" in lines(home / "out" / "refused.jsonl")[0]["reason"]
    assert lines(home / "out" / "train.jsonl")[0]["image"] == str(Path("..") / "a.png")


def test_a_budget_stops_with_a_result(server: Endpoint, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {**ROWS[0], "id": str(number), "question": f"what color is the ball number {number}?"} for number in range(40)
    ]
    path = write_rows(home / "rows.jsonl", rows)
    assert synthesize(server, home, "--budget", "calls=20", "--json", rows=path) == 4
    summary = json.loads(capsys.readouterr().out)
    assert 0 < summary["accepted"] < 40 and summary["left"] == 40 - summary["rows"] and "20 calls" in summary["stopped"]
    paid = len([body for body in server.seen if role(body) == "write"])
    assert synthesize(server, home, "--json", rows=path) == 0  # without the limit it goes on
    assert len([body for body in server.seen if role(body) == "write"]) > paid
    writes = [json.dumps(body["messages"]) for body in server.seen if role(body) == "write"]
    assert len(writes) == len(set(writes)) == 40


def test_a_server_that_fails_on_a_row_fails_that_row(server: Endpoint, home: Path) -> None:
    def sometimes(handler: Handler, body: Body) -> None:
        if role(body) == "write" and "the kite" in str(body["messages"]).rpartition("Original contexts")[2]:
            return fails(400, "no kites")(handler, body)
        return answers(handler, body)

    server.behaviours = [sometimes]
    assert synthesize(server, home) == 0
    failed = [row for row in lines(home / "out" / "refused.jsonl") if row["outcome"] == "failed"]
    assert [row["id"] for row in failed] == ["r2"] and "no kites" in failed[0]["reason"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "has no rows"),
        ("{", "line 1 is no JSON"),
        ("[1]", "row 1 is no object"),
        ('{"question": "what?", "captions": ["a"]}', "has no 'answers'"),
        ('{"question": " ", "answers": ["a"], "captions": ["a"]}', "has no 'question'"),
        ('{"question": "what?", "answers": ["a"], "captions": []}', "has no 'captions'"),
        ('{"question": 7, "answers": ["a"], "captions": ["a"]}', "must be a text"),
        ('{"question": "what?", "answers": {"a": 1}, "captions": ["a"]}', "must be a list of texts"),
        ('{"question": "what?", "answers": "a", "captions": "a", "image": "lost.png"}', "lost.png' is not there"),
        (json.dumps({"question": "w" * 2000, "answers": "a", "captions": "a"}), "2000 characters"),
        ('{"id": "x", "question": "what?", "answers": "a", "captions": "a"}\n' * 2, "the id 'x' is there twice"),
    ],
)
def test_bad_rows_are_named(content: str, problem: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "rows.jsonl"
    path.write_text(content, encoding="utf-8")
    assert (
        main(["promptcap", "synthesize", str(path), "--out", str(home / "out"), "--llm", "http://127.0.0.1:9/v1#m"])
        == 2
    )
    assert problem in capsys.readouterr().err and not (home / "out").exists()


def test_bad_flags_are_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write_rows(home / "rows.jsonl", ROWS)
    for flags, problem in (
        (["--samples", "0"], "--samples 0 cannot be used"),
        (["--shots", "21"], "there are 20 examples"),
        (["--budget", "pictures=3"], "there is no limit"),
    ):
        assert (
            main(
                [
                    "promptcap",
                    "synthesize",
                    str(rows),
                    "--out",
                    str(home / "o"),
                    "--llm",
                    "http://127.0.0.1:9/v1#m",
                    *flags,
                ]
            )
            == 2
        )
        assert problem in capsys.readouterr().err
    assert main(["promptcap", "synthesize", str(home / "no.jsonl"), "--out", str(home / "o")]) == 2
    assert (
        main(["promptcap", "synthesize", str(rows), "--out", str(home / "o"), "--llm", "http://127.0.0.1:9/v1#m"]) == 3
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_pays_nothing_twice(server: Endpoint, home: Path) -> None:
    rows = [{**ROWS[0], "id": str(n), "question": f"what color is the ball number {n}?"} for n in range(48)]

    def slowly(handler: Handler, body: Body) -> None:
        time.sleep(0.02)
        answers(handler, body)

    server.behaviours = [slowly]
    path = write_rows(home / "rows.jsonl", rows)
    command = [
        sys.executable,
        "-m",
        "inloop.app.cli.main",
        "promptcap",
        "synthesize",
        str(path),
        "--out",
        str(home / "out"),
    ]
    command += ["--llm", f"{server.url}#m", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while sum(role(body) == "write" for body in server.seen) < 20:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (home / "out" / "train.jsonl").exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 48
    ledger = Ledger(home / "runs" / ".store" / "ledger.sqlite")
    assert ledger.paid_twice() == []
    ledger.close()
    # asked twice at most for what was under way when it was killed
    assert sum(role(body) == "write" for body in server.seen) <= 48 + 16
