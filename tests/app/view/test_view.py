"""`inloop view` as a real server: who is let in, what is kept through a SIGKILL, and its pages in a browser, by the keyboard alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import chromium
import httpx
import pytest
from servers import serving
from stand_ins import answering
from starlette.testclient import TestClient
from viewed import Browser, finished_run, served

from inloop.app.view.runs import Runs
from inloop.app.view.server import view_app
from inloop.graphs.opt2i import Opt2iConfig, TrialScored, followed
from inloop.runtime.folder import RunFolder
from inloop.runtime.session import Questions
from inloop.runtime.settings import Settings
from inloop.runtime.store import StoreLocation, Votes

HOST = "http://127.0.0.1:9"
browser = pytest.mark.skipif(chromium.find() is None, reason="chromium: apt install chromium")


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("viewed") / "runs"


@pytest.fixture(scope="module")
def run(runs_dir):
    return finished_run(runs_dir, iterations=2, candidates=3)


@pytest.fixture
def client(runs_dir, run):
    app = view_app(Runs(runs_dir, Settings(runs_dir=runs_dir)), token="secret")
    client = TestClient(app, base_url=HOST, follow_redirects=False)
    client.get("/?token=secret")
    return client


def vote_of(client, run, who="Ada", winner="left", number=1):
    found = client.get(f"/api/runs/{run.id}/tasks/p1/pair", params={"who": who}).json()
    return {
        "id": f"vote-{who}-{number:05d}", "text": found["text"], "task": "p1", "who": who, "winner": winner, "at": float(number),
        "left": found["pair"]["left"], "right": found["pair"]["right"],
    }  # fmt: skip


def post(client, path, content, **headers):
    return client.post(path, json=content, headers={"origin": HOST, **headers})


def test_without_the_token_or_under_another_name_there_is_nothing(runs_dir, run):
    app = view_app(Runs(runs_dir, Settings(runs_dir=runs_dir)), token="secret")
    stranger = TestClient(app, base_url=HOST, follow_redirects=False)
    for path in ("/", "/view.css", "/view.js", "/api/runs", f"/runs/{run.id}/report", "/?token=wrong", "/?token="):
        assert stranger.get(path).status_code == 403, path
    onward = stranger.get("/?token=secret&a=b")
    assert onward.status_code == 303 and onward.headers["location"] == "/?a=b"
    cookie = onward.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200
    # a name that somebody else points at this machine
    assert stranger.get("/api/runs", headers={"host": "evil.example:9"}).status_code == 403
    assert (
        stranger.get("/api/runs", headers={"host": "localhost:9", "cookie": "inloop-view-9=secret"}).status_code == 200
    )


def test_what_changes_something_comes_from_this_page(client, run):
    path, vote = f"/api/runs/{run.id}/votes", vote_of(client, run)
    assert client.post(path, json=vote).status_code == 403
    for origin in ("http://evil.example", "http://127.0.0.1:8", "null"):
        assert post(client, path, vote, origin=origin).status_code == 403
    assert client.post(path, content="{}", headers={"origin": HOST, "content-type": "text/plain"}).status_code == 415


def test_pages_run_nothing_but_their_own_script_and_paths_lead_nowhere_else(client, run, runs_dir):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert client.get("/").headers["x-content-type-options"] == "nosniff"
    (runs_dir.parent / "secret").mkdir(exist_ok=True)
    (runs_dir.parent / "secret" / "config.json").write_text("{}", encoding="utf-8")
    for id in ("..", "%2e%2e%2fsecret", "..%2Fsecret", "%2Fetc", ".store", "x" * 3000):
        assert client.get(f"/api/runs/{id}").status_code in (400, 404), id
    for sha in ("..%2F..%2Fledger.sqlite", "0" * 64, "A" * 64, "%00"):
        assert client.get(f"/runs/{run.id}/pictures/{sha}").status_code in (400, 404, 503), sha
    for name in ("command", "..%2Fcommand", "server"):
        assert client.get(f"/{name}.js").status_code == 404


def test_a_run_is_shown_with_its_pictures(client, run):
    (listed,) = client.get("/api/runs").json()
    assert listed["id"] == run.id and listed["state"] == "finished"
    shown = client.get(f"/api/runs/{run.id}").json()
    assert [task["state"] for task in shown["tasks"]] == ["accepted"] and shown["questions"] == []
    task = client.get(f"/api/runs/{run.id}/tasks/p1").json()
    first = task["trials"][0]["pictures"][0]
    picture = client.get(f"/runs/{run.id}/pictures/{first['picture']}")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    assert sum(each["unseen"] for each in task["trials"][0]["pictures"]) == 8
    assert "no search" in client.get(f"/api/runs/{run.id}/tasks/p9").json()["error"]


def test_votes_are_kept_once_and_lead_on(client, run, runs_dir):
    kept = Votes(runs_dir / ".store" / "votes.sqlite")
    before = len(kept.of())
    vote = vote_of(client, run, who="Grace")
    path = f"/api/runs/{run.id}/votes"
    assert post(client, path, vote).json() == {"new": 1} and post(client, path, vote).json() == {"new": 0}
    assert "another vote" in post(client, path, {**vote, "winner": "right"}).json()["error"]
    assert len(kept.of()) == before + 1 and kept.of()[-1].run == run.id
    following = vote_of(client, run, who="Grace", number=2)
    shas = lambda each: {each["left"]["picture"], each["right"]["picture"]}  # noqa: E731
    assert shas(following) != shas(vote)
    said = client.get(f"/api/runs/{run.id}/tasks/p1").json()["votes"]
    assert said["counted"] == before + 1 and said["people"] and 0 < said["probability"] <= 100
    strange = {**following, "left": {**following["left"], "picture": "1" * 64}}
    assert "not those of the run" in post(client, path, strange).json()["error"]
    assert post(client, path, {**following, "winner": "both"}).status_code == 400
    assert post(client, path, {**following, "who": " "}).status_code == 400


def questions_of(run):
    return Questions(StoreLocation.of(run.path.parent / ".store"), run.id)


def test_what_a_run_asks_is_answered_by_its_key(client, run):
    offer = {"task": "p1", "text": "a cup", "iteration": 1, "candidates": [], "wishes": {}, "stop": "", "wrong": ""}
    key = questions_of(run).ask("f00d", "p1", offer)
    try:
        (asked,) = client.get(f"/api/runs/{run.id}").json()["questions"]
        assert asked["key"] == key and asked["question"]["text"] == "a cup"
        path = f"/api/runs/{run.id}/answers"
        refused = post(client, path, {"key": key, "answer": {"questions": ["prettier"]}})
        assert refused.status_code == 400 and "is no question" in refused.json()["error"]
        refused = post(client, path, {"key": key, "answer": {"ban": ["cup"]}})
        assert refused.status_code == 400 and "your own prompt has that word" in refused.json()["error"]
        assert post(client, path, {"key": "another", "answer": {}}).status_code == 400
        assert post(client, path, {"key": key, "answer": {"ban": ["gold"]}}).json() == {"kept": True}
        there, answer = questions_of(run).answer_to(key)
        assert there and answer["ban"] == ["gold"] and answer["stop"] is False
    finally:
        (run.path.parent / ".store" / "questions.sqlite").unlink()


def entered(url):
    own = f"http://{urlsplit(url).netloc}"
    client = httpx.Client(base_url=own, headers={"origin": own}, trust_env=False, timeout=60)
    assert client.get(url, follow_redirects=True).status_code == 200
    return client


def test_a_server_that_is_killed_loses_no_vote_that_it_acknowledged(tmp_path):
    run = finished_run(tmp_path / "runs", iterations=1, candidates=2)
    command = [sys.executable, "-m", "inloop.app.cli.main", "view", "--out", str(tmp_path / "runs")]
    acknowledged = []
    for round_ in range(2):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with closing(entered(url)) as client:
            template = vote_of(client, run)
            sent, enough = 0, len(acknowledged) + 4

            def kill(process=process, enough=enough):
                while len(acknowledged) < enough:
                    time.sleep(0.002)
                process.send_signal(signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            try:
                while sent < 500:
                    sent += 1
                    vote = {**template, "id": f"vote-{round_}-{sent:05d}", "at": float(sent)}
                    if client.post(f"/api/runs/{run.id}/votes", json=vote).status_code == 200:
                        acknowledged.append(vote["id"])
            except httpx.HTTPError:
                pass
            killer.join()
        assert process.wait(20) == -signal.SIGKILL
    kept = [vote.id for vote in Votes(tmp_path / "runs" / ".store" / "votes.sqlite").of()]
    assert set(acknowledged) <= set(kept) and len(kept) <= len(acknowledged) + 2 and len(acknowledged) >= 8


@browser
@pytest.mark.slow
def test_in_a_browser_by_the_keyboard_alone(tmp_path):
    runs_dir = tmp_path / "runs"
    run = finished_run(runs_dir, iterations=2, candidates=3)
    questions_of(run).ask("f00d", "p1", {
        "task": "p1", "text": "<img src=x onerror=alert(1)>", "iteration": 1, "candidates": [], "wishes": {}, "stop": "", "wrong": "",
    })  # fmt: skip
    votes = Votes(runs_dir / ".store" / "votes.sqlite")
    with served(runs_dir) as url, Browser() as page:
        own = f"http://{urlsplit(url).netloc}"
        page.go(url)
        page.until("document.querySelector('.rows a')")
        for width in (1200, 390):
            for place in (f"#/{run.id}", f"#/{run.id}/p1", f"#/compare/{run.id}", f"#/{run.id}/p1/vote"):
                page.go(f"{own}/{place}", width=width)
                page.until("!document.getElementById('main').innerText.includes('Loading')")
                assert page.ask("document.documentElement.scrollWidth <= innerWidth"), (place, width)
        # the text of a run is text
        page.go(f"{own}/#/{run.id}")
        page.until("document.querySelector('form.waits')")
        assert page.ask("document.querySelector('img[src=x]') === null")
        assert page.ask("document.querySelector('form.waits').innerText.includes('<img src=x')")
        # an answer to what the run asks, typed
        page.ask("document.querySelector('form.waits input[type=text]').focus()")
        page.send("Input.insertText", text="gold")
        page.press("Enter", 13)
        page.until(
            "document.querySelector('form.waits') && document.querySelector('form.waits').innerText.includes('Answered')"
        )
        (pending,) = questions_of(run).waiting()
        assert pending.answered and questions_of(run).answer_to(pending.key)[1]["ban"] == ["gold"]
        # votes
        page.go(f"{own}/#/{run.id}/p1/vote", width=390, height=844)
        page.until("document.querySelector('input[aria-label=\"Your name\"]')")
        page.ask("document.querySelector('input').focus()")
        page.send("Input.insertText", text="Ada")
        page.press("Enter", 13)
        for number, (key, code, winner) in enumerate(
            [("1", 49, "left"), ("ArrowRight", 39, "right"), ("0", 48, "tie"), ("ArrowLeft", 37, "left")], start=1
        ):
            page.until("document.querySelector('.vote img')")
            page.ask("document.activeElement.blur()")
            before = page.ask("[...document.querySelectorAll('.vote img')].map((each) => each.src).join()")
            page.press(key, code)
            page.until(f"[...document.querySelectorAll('.vote img')].map((each) => each.src).join() !== {before!r}")
            kept = votes.of()
            assert len(kept) == number and kept[-1].winner == winner and kept[-1].who == "Ada"
            assert re.search(kept[-1].left.picture, before)
        # by Tab and Enter, with a focus that is seen
        order = []
        page.ask("document.querySelector('input').focus()")
        for _ in range(4):
            page.press("Tab", 9)
            order.append(
                page.ask("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
            )
        assert [each.split()[0] for each in order] == ["Left", "Right", "No", "Back"]
        assert page.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
        # what a screen reader has
        page.send("Accessibility.enable")
        nodes = page.send("Accessibility.getFullAXTree")["nodes"]
        names = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node}
        assert ("button", "Left picture is better") in names and ("image", "Left picture") in names
        assert ("heading", "Which picture is better?") in names and ("textbox", "Your name") in names
        assert any(role == "status" for role, _ in names)
        assert page.errors == []


def test_the_extra_that_is_missing_is_named(tmp_path: Path, monkeypatch, capsys):
    from inloop.app.cli.main import main

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["view", "--out", str(tmp_path)]) == 3
    assert "inloop[serve]" in capsys.readouterr().err
    assert main(["view", "no-such-run", "--out", str(tmp_path)]) == 2


@browser
@pytest.mark.slow
def test_a_run_at_work_is_followed(tmp_path):
    """What is written to its events comes to the page by itself, and what it asks does, too."""
    done = finished_run(tmp_path / "done", iterations=1, candidates=2)
    (task,) = followed(done)
    shutil.copytree(tmp_path / "done" / ".store", tmp_path / "runs" / ".store")
    run = RunFolder.create(tmp_path / "runs", "opt2i", Opt2iConfig(prompts=(task.text,)), about=[task.text])
    with served(tmp_path / "runs") as url, Browser() as page:
        page.go(url)
        page.go(f"http://{urlsplit(url).netloc}/#/{run.id}")
        page.until("document.getElementById('live').innerText === 'live'")
        assert not page.ask("!!document.querySelector('.rows a.row')")
        for number, trial in enumerate(task.trials[:3], start=1):
            run.event(TrialScored(task=task.id, iteration=trial.iteration, trial=trial).model_dump(mode="json"))
            page.until(
                f"(document.querySelector('.rows a.row') || document.body).innerText.includes('{number} prompts')"
            )
        page.until(
            "document.querySelector('.rows img').complete && document.querySelector('.rows img').naturalWidth > 0"
        )
        questions_of(run).ask("f00d", task.id, {
            "task": "p1", "text": "a cup", "iteration": 1, "candidates": [], "wishes": {}, "stop": "", "wrong": "",
        })  # fmt: skip
        page.until("document.querySelector('form.waits')")
        assert page.errors == []
    run.close()


@browser
@pytest.mark.slow
def test_a_search_that_asks_is_answered_from_the_page_to_its_end(tmp_path, turbo_folder, blip_folder, clip_folder):
    """`inloop opt2i --review` in one process, the page in another: a word is banned, a question more is asked, then it is stopped."""
    with serving() as llm:
        llm.behaviours = [answering]
        models = {"IMAGES": turbo_folder, "VQA": blip_folder, "CLIP": clip_folder, "LLM": f"{llm.url}#mini-writer"}
        environment = {**os.environ, **{f"INLOOP_{name}": str(value) for name, value in models.items()}}
        command = [
            sys.executable,
            "-m",
            "inloop.app.cli.main",
            "opt2i",
            "a crimson disc above an azure box",
            "--review",
            "--json",
        ]
        command += [
            "--iterations",
            "20",
            "--candidates",
            "2",
            "--images-per-prompt",
            "1",
            "--heldout-seeds",
            "2",
            "--no-baselines",
        ]
        search = subprocess.Popen(
            [*command, "--out", str(tmp_path / "runs")], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        # nobody can type: it ends with the question put, and is answered where it is looked at
        told = search.communicate(timeout=300)
        assert search.returncode == 130, told
        (run,) = (tmp_path / "runs").glob("opt2i-*")
        resume = [sys.executable, "-m", "inloop.app.cli.main", "resume", str(run), "--json"]
        with served(tmp_path / "runs") as url, Browser() as page:
            own = f"http://{urlsplit(url).netloc}"
            page.go(url)
            for field, text in (("Ban words", "dot"), ("Ask more", "Is the box empty?")):
                page.go(f"{own}/#/{run.name}")
                page.until("document.querySelector('form.waits input[type=text]')")
                label = f"[...document.querySelectorAll('form.waits label')].find((each) => each.innerText.startsWith('{field}'))"
                page.ask(f"document.getElementById({label}.htmlFor).focus()")
                page.send("Input.insertText", text=text)
                page.ask("document.querySelector('form.waits').requestSubmit()")
                page.until("document.querySelector('form.waits').innerText.includes('Answered')")
                done = subprocess.run(resume, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                assert done.returncode == 130, done
            page.go(f"{own}/#/{run.name}")
            button = "[...document.querySelectorAll('form.waits button')].find((each) => each.innerText === 'Stop the search')"
            page.until(button)
            page.ask(f"{button}.click()")
            page.until("document.querySelector('form.waits').innerText.includes('Answered')")
            assert page.errors == []
        done = subprocess.run(resume, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        (task,) = json.loads(done.stdout)["tasks"]
        assert task["stop"] == "a person stopped it" and task["wishes"]["reviews"] == 3
        assert task["wishes"]["ban"] == ["dot"] and task["wishes"]["questions"] == ["Is the box empty?"]
