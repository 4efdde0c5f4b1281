"""Votes by mail: the file in a browser without a network, what comes back, and a report that says what came of it."""

import json
from pathlib import Path

import chromium
import pytest
from viewed import Browser, finished_run

from inloop.app.cli.main import main
from inloop.graphs.opt2i import ballot_of, followed
from inloop.graphs.opt2i.result import Opt2iResult
from inloop.runtime.store import Vote, Votes

browser = pytest.mark.skipif(chromium.find() is None, reason="chromium: apt install chromium")


@pytest.fixture
def run(tmp_path):
    return finished_run(tmp_path / "runs", iterations=2, candidates=3)


def told(run, capsys, *more):
    code = main(["votes", run.id, "--json", "--out", str(run.path.parent), *map(str, more)])
    return code, json.loads(capsys.readouterr().out)


def answers(run, count=3, who="Ada", winner="left"):
    """What the page saves."""
    (task,) = followed(run)
    plan = ballot_of(run.id, task, []).plan("", count)
    votes = [
        Vote(
            id=f"v-{who}-{number:06d}", text=task.text, left=pair.left, right=pair.right, winner=winner, who=who, at=float(number),
            run=run.id, task=task.id,
        ).model_dump(mode="json")
        for number, pair in enumerate(plan)
    ]  # fmt: skip
    return {"inloop_votes": 1, "run": run.id, "votes": votes}


def saved(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_comes_back_is_read_once(run, tmp_path, capsys):
    file = saved(tmp_path / "back.json", answers(run))
    assert told(run, capsys, "--read", file)[1]["read"] == [{"file": str(file), "new": 3, "known": 0, "void": 0}]
    code, again = told(run, capsys, "--read", file)
    assert code == 0 and again["read"][0]["known"] == 3
    assert again["tasks"]["p1"]["counted"] == 3 and again["tasks"]["p1"]["people"] == ["Ada"]


def test_a_vote_on_a_picture_that_is_another_one_now_is_void_and_told(run, tmp_path, capsys):
    file = saved(tmp_path / "back.json", answers(run))
    told(run, capsys, "--read", file)
    content = json.loads(file.read_text(encoding="utf-8"))
    gone = content["votes"][0]["left"]["picture"]
    result = run.result_as(Opt2iResult).model_dump_json().replace(gone, "e" * 64)
    run.write_result(json.loads(result))
    code, again = told(run, capsys, "--read", file)
    affected = sum(gone in (vote["left"]["picture"], vote["right"]["picture"]) for vote in content["votes"])
    assert code == 0 and affected >= 1 and again["read"][0]["void"] == affected
    assert again["tasks"]["p1"]["void"] == affected and again["tasks"]["p1"]["counted"] == 3 - affected
    assert main(["votes", run.id, "--out", str(run.path.parent)]) == 0
    assert "another one now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: "no json", "is no JSON"),
        (lambda c: {}, "holds no votes"),
        (lambda c: c | {"run": "opt2i-20200101-000000-abcd"}, "on the run"),
        (lambda c: c | {"votes": [*c["votes"], {"id": "x"}]}, "vote 4"),
        (lambda c: c | {"votes": [*c["votes"], {**c["votes"][0], "id": "v-other-1", "text": "a dog"}]}, "no search"),
        (lambda c: c | {"votes": [*c["votes"], {**c["votes"][0], "winner": "right"}]}, "another vote"),
    ],
)
def test_a_file_with_anything_wrong_in_it_is_refused_as_a_whole(run, tmp_path, capsys, change, says):
    code, refused = told(run, capsys, "--read", saved(tmp_path / "back.json", change(answers(run))))
    assert code == 2 and says in refused["error"]["message"]
    assert Votes(run.path.parent / ".store" / "votes.sqlite").of() == []


def test_the_report_says_how_far_judge_and_people_agree(run, tmp_path, capsys):
    told(run, capsys, "--read", saved(tmp_path / "back.json", answers(run, count=12)))
    assert main(["report", run.id, "--out", str(run.path.parent)]) == 0
    page = run.report_path.read_text(encoding="utf-8")
    assert "What judge and people say together" in page and "DSG prefers what people prefer in" in page
    assert "12 votes of 1 person count." in page


def test_the_words_of_a_prompt_do_not_end_the_script(run, tmp_path, capsys):
    evil = "</script><img src=x onerror=alert(1)>"
    result = run.result_as(Opt2iResult).model_dump(mode="json")
    result["tasks"][0]["text"] = evil
    run.write_result(result)
    assert told(run, capsys, "--page", tmp_path / "vote.html")[0] == 0
    page = (tmp_path / "vote.html").read_text(encoding="utf-8")
    assert evil not in page and page.count("</script>") == 2


def test_more_pairs_than_there_are_and_too_few(run, tmp_path, capsys):
    assert told(run, capsys, "--page", tmp_path / "v.html", "--pairs", "0")[0] == 2
    assert told(run, capsys, "--page", tmp_path / "v.html", "--pairs", "500")[0] == 0


@browser
@pytest.mark.slow
def test_the_file_in_a_browser_without_a_network(run, tmp_path, capsys):
    told(run, capsys, "--page", tmp_path / "vote.html", "--pairs", "3")
    with Browser() as page:
        page.go((tmp_path / "vote.html").as_uri(), width=390, height=844)
        page.requests.clear()
        page.until("document.activeElement && document.getElementById('who')")
        page.ask("document.getElementById('who').focus()")
        page.send("Input.insertText", text="Grace")
        page.press("Enter", 13)
        for answered, (key, code) in enumerate([("1", 49), ("ArrowRight", 39)]):
            page.until(f"document.body.innerText.includes('{answered} of 3 answered')")
            page.ask("document.activeElement.blur()")
            page.press(key, code)
        page.until("document.getElementById('save').innerText === 'Save 2 answers'")
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        page.go((tmp_path / "vote.html").as_uri())  # closed and opened again
        page.until("document.body.innerText.includes('2 of 3 answered')")
        page.ask("document.activeElement.blur()")
        page.press("b", 66)
        page.until("document.querySelector('.vote img')")
        page.press("0", 48)  # the second answer is another one now
        page.until("document.querySelector('.vote img')")
        page.press("0", 48)
        page.until("document.body.innerText.includes('That was the last pair')")
        page.ask(
            "URL.createObjectURL = (blob) => { blob.text().then((text) => (window.saved = text)); return 'data:,'; }"
        )
        page.ask("HTMLAnchorElement.prototype.click = function () { window.name_of_file = this.download; }")
        page.ask("document.getElementById('save').focus()")
        page.press("Enter", 13)
        page.until("window.saved")
        content = page.ask("window.saved")
        assert page.ask("window.name_of_file") == f"votes-{run.id}-Grace.json"
        assert (
            page.errors == []
            and [each for each in page.requests if not each.startswith(("file:", "data:", "about:"))] == []
        )
    code, read = told(run, capsys, "--read", saved(tmp_path / "back.json", content))
    assert code == 0 and read["read"][0]["new"] == 3
    kept = Votes(Path(run.path.parent) / ".store" / "votes.sqlite").of()
    assert {vote.who for vote in kept} == {"Grace"} and [vote.winner for vote in kept].count("tie") == 2
