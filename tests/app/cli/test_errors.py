"""What goes wrong on the user's side, through the command itself: the message, the exit code, and what was not begun.

Only what a test is about is real; the other models are stand-ins, and count what they were paid.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys

import pytest
import stand_ins
from servers import GARBAGE, fails, replies, says, serving, stream, thinks
from stand_ins import StandInChat, answering

import inloop.graphs.opt2i.context as module
from inloop.app.cli import main as cli
from inloop.runtime.folder.run_folder import RunFolder
from inloop.runtime.store.open import Store

PROMPT = "a crimson disc to the left of an azure box"
SMALL = ("--iterations", "2", "--candidates", "2", "--images-per-prompt", "2", "--heldout-seeds", "2", "--no-baselines")


class Home:
    """An empty working folder; `opened` are the stand-ins."""

    def __init__(self, path, monkeypatch, capsys):
        self.path, self.monkeypatch, self.capsys = path, monkeypatch, capsys
        self.opened = {}
        self.openers = {name: getattr(module, f"open_{name}") for name in ("images", "vqa", "clip", "chat")}

    def only(self, *real, **other):
        """Stand-ins for all models but the `real` ones ("images", "vqa", "clip", "chat")."""
        self.opened = stand_ins.install(lambda name, value: self.monkeypatch.setattr(module, name, value), **other)
        for name in real:
            self.monkeypatch.setattr(module, f"open_{name}", self.openers[name])

    def result(self):
        """That of the newest run."""
        return json.loads((self.runs()[-1] / "result.json").read_text(encoding="utf-8"))

    def inloop(self, *argv):
        """(exit code, standard output, standard error) of a command."""
        code = cli.main(list(argv))
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        assert "unexpected" not in err, err
        return code, out, err

    def paid(self):
        return sum(one.paid for row in self.opened.values() for one in row)

    def runs(self):
        return sorted(self.path.glob("runs/opt2i-*"))


@pytest.fixture
def home(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [*os.environ]:
        if name.startswith("INLOOP_") or name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "OPENAI_API_KEY"):
            monkeypatch.delenv(name)
    return Home(tmp_path, monkeypatch, capsys)


# what is asked for


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("",), "is empty"),
        (("   ",), "is empty"),
        ((PROMPT, ""), "is empty"),
        (("x " * 3000,), "characters"),
        ((PROMPT, "--budget", "images=0"), "the limit must be above 0"),
        ((PROMPT, "--budget", "money=-1"), "the limit must be above 0"),
        ((PROMPT, "--budget", "images"), "write name=limit"),
        ((PROMPT, "--budget", "wishes=3"), "there is no limit 'wishes'"),
        ((PROMPT, "--budget", "images=many"), "'many' is not a number"),
        ((PROMPT, "--iterations", "0"), "--iterations 0 cannot be used"),
        ((PROMPT, "--images-per-prompt", "0"), "--images-per-prompt 0 cannot be used"),
        ((PROMPT, "--prompts", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_what_cannot_be_asked_for(home, argv, words):
    home.only()
    code, out, err = home.inloop("opt2i", *argv)
    assert (code, out) == (cli.BAD_INPUT, "") and words in err
    assert home.paid() == 0 and home.runs() == []


def test_a_prompt_longer_than_the_text_encoder_is_warned_of_with_what_is_cut(home):
    home.only()
    long = "a crimson disc, an azure box, a small green star, a large yellow ring, a red heart and a purple triangle"
    code, _, err = home.inloop("opt2i", long, *SMALL, "--questioner", "simple-english")
    cut = " ".join(long.split()[16:])
    assert code == cli.OK and f"{cut!r} is cut off" in err
    assert cut in (home.runs()[0] / "report.html").read_text(encoding="utf-8")


# models


@pytest.mark.parametrize(
    ("which", "flag", "spec", "words"),
    [
        ("images", "--images", "no such painter", "'no such painter' is neither 'mini', nor a folder"),
        ("images", "--images", ".", "has no model_index.json"),
        ("vqa", "--vqa", "nobody", "'nobody' is neither 'mini', nor a folder"),
        ("clip", "--clip", "../nowhere", "'../nowhere' is neither 'mini', nor a folder"),
        ("chat", "--llm", "gpt-9", "'gpt-9' names no language model"),
        ("chat", "--llm", "gguf:nowhere.gguf", "nowhere.gguf"),
        ("chat", "--llm", "openai:gpt-9", "needs a key"),
        ("chat", "--llm", "http://me:secret@localhost:1/v1", "a URL with a password"),
        ("chat", "--llm=http://127.0.0.1:1/v1#m --questioner", "gpt-9", "'gpt-9' names no language model"),
        ("images", "--images", "mini?steps=none", "steps"),
    ],
)
def test_models_that_are_not_there(home, which, flag, spec, words, tmp_path):
    if spec.startswith("mini?"):
        bundle(home, tmp_path / "weights", painter={"model_index.json": b'{"_class_name": "X"}'})
    home.only(which)
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL, *flag.split(), spec)
    assert code in (cli.BAD_INPUT, cli.PREREQUISITE) and out == "" and words in err, err
    assert home.paid() == 0 and home.runs() == []


def test_a_model_of_the_hub_without_a_network(home, monkeypatch):
    from inloop.tools.models import weights

    def offline():
        raise OSError("Network is unreachable")

    monkeypatch.setattr(weights, "_probe", offline)
    home.only("images")
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL, "--images", "nobody/no-such-model")
    assert code == cli.PREREQUISITE and "nobody/no-such-model" in err and "What to do:" in err
    assert home.paid() == 0 and home.runs() == []


def test_a_model_of_another_kind(home, clip_folder, blip_folder):
    home.only("clip")
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL, "--clip", str(blip_folder))
    assert code == cli.BAD_INPUT and "model type 'blip'" in err
    home.only("vqa")
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL, "--vqa", str(clip_folder))
    assert code == cli.BAD_INPUT and "is of the class" in err and "CLIP" in err and home.runs() == []


def bundle(home, root, **folders):
    """Bundled weights of the given files, each folder with its SHA256SUMS."""
    for name, files in folders.items():
        (root / name).mkdir(parents=True)
        sums = []
        for file, data in files.items():
            (root / name / file).write_bytes(data)
            sums.append(f"{hashlib.sha256(data).hexdigest()}  {file}\n")
        (root / name / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    home.monkeypatch.setattr("inloop.runtime.models.cache._WEIGHTS", root)


@pytest.mark.parametrize(
    ("which", "name"), [("images", "painter"), ("vqa", "vqa"), ("clip", "clip"), ("chat", "writer")]
)
def test_an_altered_weight_file_is_named(home, which, name, tmp_path):
    files = {"model.safetensors": b"0" * 1000, "config.json": b"{}", "model_index.json": b"{}", "a.gguf": b"GGUF"}
    bundle(home, tmp_path / "weights", **{name: files})
    path = tmp_path / "weights" / name / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    home.only(which)
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL)
    assert code == cli.PREREQUISITE and out == "" and str(path) in err and "What to do:" in err
    path.unlink()
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL)
    assert code == cli.PREREQUISITE and "model.safetensors" in err
    shutil.rmtree(tmp_path / "weights" / name)
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL)
    assert code == cli.PREREQUISITE and "is not there" in err
    assert home.paid() == 0 and home.runs() == []


# the server of the language model


@pytest.fixture
def server(home):
    """A server that answers as a language model should; requests are repeated without waiting."""
    opener = home.openers["chat"]

    def hasty(spec, store, settings):
        chat = opener(spec, store, settings)
        chat._pause = 0.001
        return chat

    home.openers["chat"] = hasty
    home.only("chat")
    with serving() as endpoint:
        yield endpoint


def test_another_server_writes_the_prompts(home, server):
    server.behaviours = [answering]
    flags = ("--llm", server.url, "--questioner", "simple-english")
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL, *flags, "--json")
    told = json.loads(out)
    assert code == cli.OK and told["tasks"][0]["text"] == PROMPT, err
    asked = [body for body in server.seen if "messages" in body]
    assert asked and all(body["model"] == "served" for body in asked)
    assert any("overall score:" in body["messages"][-1]["content"] for body in asked)
    before = len(server.seen)
    assert home.inloop("opt2i", PROMPT, *SMALL, *flags, "--json")[0] == cli.OK
    assert [body for body in server.seen[before:] if "messages" in body] == [], "the second run asked again"


def down():
    """The address of a server that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


@pytest.mark.parametrize("model", ["", "#m"])
def test_a_server_that_is_down(home, server, model):
    url = down()
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL, "--llm", url + model)
    assert (code, out) == (cli.PREREQUISITE, "") and url.removesuffix("/v1").partition("//")[2] in err
    assert "What to do:" in err and home.paid() == 0


ANSWERS = {
    **{f"garbage: {name}": (behaviour, cli.FAILED, "") for name, behaviour in GARBAGE.items()},
    "always 429": (fails(429, "slow down"), cli.FAILED, "slow down"),
    "always 500": (fails(500, "boom"), cli.FAILED, "boom"),
    "always 503": (fails(503, "overloaded"), cli.FAILED, "503"),
    "a cut stream": (stream("half an answer that ends too soon", cut=True), cli.FAILED, ""),
    "401": (fails(401, "wrong key"), cli.PREREQUISITE, "INLOOP_API_KEY"),
    "403": (fails(403, "not you"), cli.PREREQUISITE, "403"),
    "404": (fails(404, "no such model"), cli.PREREQUISITE, "#MODEL"),
    "no credit": (fails(429, "pay", code="insufficient_quota"), cli.PREREQUISITE, "no credit"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_server_that_does_not_answer_as_it_should(home, server, name):
    behaviour, code, words = ANSWERS[name]
    server.behaviours = [behaviour]
    got, out, err = home.inloop("opt2i", PROMPT, *SMALL, "--llm", f"{server.url}#m")
    assert (got, out) == (code, "") and words in err, err
    assert server.url.partition("//")[2].partition("/")[0] in err, "which server?"
    assert home.paid() == 0, "pictures were painted although nobody can rewrite the prompt"
    assert len(server.seen) <= 4 * 3
    # what failed is on record, and no result
    with Store(home.path / "runs" / ".store") as store:
        assert store.ledger.counts() == {}
        assert len(store.ledger.failures()) <= 3


NOTHING = {
    "only thinking": (thinks("x", tokens=10**6), "it thought, and was cut off"),
    "empty": (replies(content=""), "the answer was empty"),
    "a tool": (replies("tool_calls", tool_calls=[{"id": "1", "type": "function", "function": {"name": "write"}}]), "called a tool"),
    "a filter": (replies("content_filter"), "a content filter"),
    "a refusal": (replies(refusal="I cannot help with that."), "it refused: 'I cannot help with that.'"),
    "drafts alone": (replies(content=f"<think>1. <PROMPT>{PROMPT} in a draft</PROMPT></think>"), "it thought"),
    "other talk": (says("The sea is calm today."), "The sea is calm today."),
    "the prompt itself": (says(f"1. <PROMPT>{PROMPT}</PROMPT>"), "(the user's own text)"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTHING)
def test_no_proposal_at_all_is_a_failure_that_says_what_came_back(home, server, name):
    behaviour, words = NOTHING[name]
    server.behaviours = [behaviour]
    command = ("opt2i", PROMPT, *SMALL, "--llm", f"{server.url}#m", "--questioner", "simple-english")
    code, out, _ = home.inloop(*command)
    assert code == cli.FAILED and words in out
    told = json.loads(home.inloop(*command, "--json")[1])
    assert told["exit_code"] == cli.FAILED and words in told["error"]["message"]
    assert [trial["iteration"] for task in home.result()["tasks"] for trial in task["trials"]] == [0]
    if "talk" not in name and "prompt" not in name:  # what was no answer is not kept: a mended server is asked again
        server.behaviours = [answering]
        assert home.inloop(*command)[0] == cli.OK


def test_a_server_that_gets_well_again_is_no_failure(home, server):
    server.behaviours = [fails(500), GARBAGE["hangs up"], fails(429, headers={"retry-after": "0"}), answering]
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL, "--llm", f"{server.url}#m", "--questioner", "simple-english")
    assert code == cli.OK and "warning" not in err


def test_a_server_that_dies_on_the_way_leaves_a_run_that_can_be_resumed(home, server):
    server.behaviours = [answering, fails(500, "boom")]
    flags = ("--llm", f"{server.url}#m", "--questioner", "simple-english")
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL, *flags)
    if code == cli.OK:
        pytest.fail("the run ended before the server died")
    [folder] = home.runs()
    assert code == cli.FAILED and f"inloop resume {folder.relative_to(home.path)}" in err
    server.behaviours = [answering]
    code, out, err = home.inloop("resume", folder.name)
    assert code == cli.OK and "report.html" in out


# disks


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="a full disk: run the tests as root on Linux, which mounts one",
)
@pytest.mark.parametrize("size", ["40k", "300k", "800k"])
def test_a_full_disk(home, size):
    disk = home.path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("a full disk: mounting is not allowed here")
    try:
        home.only()
        code, out, err = home.inloop("opt2i", PROMPT, "--out", "disk/runs")
        assert (code, out) == (cli.PREREQUISITE, "") and "What to do:" in err
        assert "disk" in err and ("full" in err or "space" in err), err
        assert not list(disk.glob("runs/*/result.json"))
        found = list(disk.glob("runs/opt2i-*/config.json"))
        if found and size == "800k":
            subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
            code, _, err = home.inloop("resume", "--out", "disk/runs")
            assert code == cli.OK, err
            with Store(disk / "runs" / ".store") as store:
                assert store.ledger.paid_twice() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("place", ["file/runs", "/proc/inloop/runs", "/dev/null/runs", "locked/runs"])
def test_a_folder_that_cannot_be_written(home, place):
    (home.path / "file").write_text("x", encoding="utf-8")
    (home.path / "locked").mkdir(mode=0o500)
    if place.startswith("locked") and os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere: run the tests as another user")
    home.only()
    code, out, err = home.inloop("opt2i", PROMPT, *SMALL, "--out", place)
    assert code in (cli.PREREQUISITE, cli.BAD_INPUT) and out == "" and place in err, err
    assert home.paid() == 0


def test_a_store_that_cannot_be_written(home, monkeypatch):
    (home.path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setenv("INLOOP_STORE", "file/store")
    home.only()
    code, _, err = home.inloop("opt2i", PROMPT, *SMALL)
    assert code == cli.PREREQUISITE and "file/store" in err and home.paid() == 0 and home.runs() == []


# runs of before


def test_a_run_folder_of_another_version(home):
    home.only()
    run = RunFolder.create(home.path / "runs", "opt2i", {"prompts": [PROMPT]})
    head = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    (run.path / "config.json").write_text(json.dumps(head | {"schema_version": 99}), encoding="utf-8")
    for command in ("resume", "report"):
        code, out, err = home.inloop(command, run.id)
        assert (code, out) == (cli.PREREQUISITE, "") and "schema version 99" in err and "reads version 1" in err
    assert home.paid() == 0


def test_a_run_whose_settings_this_version_does_not_know(home):
    home.only()
    run = RunFolder.create(home.path / "runs", "opt2i", {"prompts": [PROMPT], "wishes": 3})
    code, _, err = home.inloop("resume", run.id)
    assert code == cli.PREREQUISITE and "config.json" in err and home.paid() == 0


@pytest.mark.parametrize("damage", [b"", b"{oops", b"[]", b"\xff\xfe", b"{}"])
def test_a_damaged_run_folder(home, damage):
    home.only()
    run = RunFolder.create(home.path / "runs", "opt2i", {"prompts": [PROMPT]})
    (run.path / "config.json").write_bytes(damage)
    code, _, err = home.inloop("resume", run.id)
    assert (code == cli.PREREQUISITE and "config.json" in err) or "schema version None" in err
    assert home.paid() == 0


def test_damaged_history_and_checkpoints_are_told(home):
    home.only()
    assert home.inloop("opt2i", PROMPT, *SMALL)[0] == cli.OK
    [run] = home.runs()
    blobs = [path for path in (home.path / "runs/.store/blobs").rglob("*") if path.is_file()]
    chapters = [path for path in blobs if path.read_bytes().startswith(b'{"before"')]
    chapters[0].write_bytes(b"not what it was")
    code, _, err = home.inloop("resume", run.name)
    assert code == cli.PREREQUISITE and str(chapters[0].relative_to(home.path)) in err and "was altered" in err
    (run / "checkpoints.sqlite").write_bytes(b"not a database, not at all" * 100)
    code, _, err = home.inloop("resume", run.name)
    assert code == cli.PREREQUISITE and "checkpoints" in err


def test_two_processes_cannot_work_on_one_run(home):
    home.only()
    assert home.inloop("opt2i", PROMPT, *SMALL)[0] == cli.OK
    [path] = home.runs()
    with RunFolder.open(home.path / "runs", path.name).lock():
        code, _, err = home.inloop("resume", path.name)
    assert code == cli.PREREQUISITE and "another process" in err and str(os.getpid()) in err


class Broken(StandInChat):
    """A fault of inloop's own."""

    async def complete(self, messages, **options):
        raise ZeroDivisionError("oops")


def test_a_fault_of_inloop_is_no_screen_full_of_python(home):
    home.only(chat=Broken)
    code = cli.main(["opt2i", PROMPT, *SMALL])
    _, err = home.capsys.readouterr()
    assert code == cli.FAILED and "unexpected ZeroDivisionError: oops" in err and "Traceback" not in err
