"""The command line: exit codes, what goes to which stream, JSON, and what a refused command leaves behind.

The loop itself is scripted here (it has its own tests); everything around it is real.
"""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from drawn import make_outcome

from inloop.app.cli import main as cli
from inloop.app.cli import read_lines
from inloop.app.cli.commands import COMMANDS
from inloop.graphs.opt2i import BaselineDone, HeldOutDone, IterationDone, QuestionsWritten, TrialScored
from inloop.runtime.errors import BadInput, CallFailed, Interrupted, PrerequisiteError
from inloop.runtime.folder import RunFolder
from inloop.runtime.session import Event, ModelsOpened, RunStarted, TaskDone, Warned
from inloop.runtime.store import StoreLocation
from inloop.runtime.store.blobs import BlobStore

PROMPT = "a crimson disc to the left of an azure box"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty working folder and no settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "OPENAI_API_KEY",
        "INLOOP_LLM",
        "INLOOP_RUNS_DIR",
        "INLOOP_LOG_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Loop:
    """Stands in for `carry`: tells the events of a run and gives its outcome, or raises what it is told to."""

    def __init__(self):
        self.error = None
        self.change = {}
        self.seen = []
        self.told = False

    async def __call__(
        self,
        loop,
        config,
        *,
        settings,
        folder,
        parts=None,
        history=None,
        resumed=False,
        on_event=lambda event: None,
        engine=None,
        worker=None,
    ):
        self.seen.append((config, settings, resumed))
        outcome = make_outcome(
            StoreLocation.named_by(settings).open_blobs(), prompts=len(config.prompts), iterations=2, candidates=2
        )
        outcome = outcome.model_copy(update={"run_id": folder.id, **self.change})

        def tell(event):
            folder.event(event.model_dump(mode="json"))
            on_event(event)

        if self.error is None or self.told:
            tell(RunStarted(run_id=folder.id, loop="opt2i", tasks=len(config.prompts)))
            tell(ModelsOpened(models=outcome.models))
            for task in outcome.tasks:
                tell(
                    QuestionsWritten(
                        task=task.id, text=task.text, questioner="mini-writer", questions=tuple(task.questions)
                    )
                )
                for trial in task.trials:
                    tell(TrialScored(task=task.id, iteration=trial.iteration, trial=trial))
                tell(IterationDone(task=task.id, iteration=2, best="x", objective=0.9, stop="iterations"))
                tell(Warned(task=task.id, text="\x1b[31mred\x07 alert"))
                tell(HeldOutDone(task=task.id, user=0.3, best=0.8, accepted=True))
                gains = {"dsg": 0.1, "dcs": None}
                tell(BaselineDone(task=task.id, way="blind paraphrases", text="y", gains=gains, images=4))
                tell(TaskDone(task=task.id))
                tell(Event(event="of a later version", task=task.id))
        if self.error is not None:
            raise self.error
        folder.write_result(outcome)
        return outcome


@pytest.fixture
def loop(home, monkeypatch):
    scripted = Loop()
    monkeypatch.setattr("inloop.runtime.run.carry", scripted)
    return scripted


def inloop(*argv):
    return cli.main(list(argv))


def test_a_run_writes_its_report_and_says_what_matters(loop, home, capsys):
    assert inloop("opt2i", PROMPT, "--iterations", "2") == cli.OK
    out, err = capsys.readouterr()
    [folder] = (home / "runs").glob("opt2i-*")
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    for text in (PROMPT, "best prompt", "unseen seeds", "95 % interval", "blind paraphrases", "US$", "report.html"):
        assert text in out
    assert f"inloop resume {folder.relative_to(home)}" in out
    assert "\x1b" not in out + err
    assert "iteration 2 of 2" in err and "warning:  [31mred  alert" in err and "baseline blind paraphrases" in err


def test_json_is_one_object_and_nothing_else(loop, home, capsys):
    assert inloop("opt2i", PROMPT, "--json") == cli.OK
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert told["tasks"][0]["text"] == PROMPT and told["tasks"][0]["best"] != PROMPT
    assert told["comparisons"][0]["way"] == "inloop" and told["stopped_by_budget"] is False
    assert (home / told["report"]).is_file() and (home / told["result"]).is_file()


def test_flags_reach_the_loop(loop, home):
    flags = (
        "--llm smollm2 --images I --vqa V --clip C --objective both --iterations 3 --candidates 2 --images-per-prompt 6"
    )
    more = (
        "--history 4 --seed 7 --heldout-seeds 5 --no-baselines --budget images=9 --questioner simple-english --out here"
    )
    assert inloop("opt2i", PROMPT, *flags.split(), *more.split()) == cli.OK
    config, settings, resumed = loop.seen[0]
    assert (config.llm, config.images, config.vqa, config.clip) == ("smollm2", "I", "V", "C")
    assert (config.objective, config.iterations, config.candidates, config.images_per_prompt) == ("both", 3, 2, 6)
    assert (config.history, config.seed, config.heldout_seeds, config.baselines) == (4, 7, 5, False)
    assert (config.budget, config.questioner, str(settings.runs_dir), resumed) == (
        "images=9",
        "simple-english",
        "here",
        False,
    )


def test_many_prompts_from_a_file(loop, home, capsys):
    (home / "loose.txt").write_text("\ufeff# loose\n\na red  disc\nein blaues Kästchen\na red disc\n", encoding="utf-8")
    assert inloop("opt2i", "--prompts", "loose.txt") == cli.OK
    assert loop.seen[0][0].prompts == ("a red disc", "ein blaues Kästchen")
    out, err = capsys.readouterr()
    assert "2 of 2 gains hold" in out and "p2: done (2 of 2)" in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["opt2i"], "no prompt"),
        (["opt2i", "  "], "is empty"),
        (["opt2i", PROMPT, "--prompts", "nowhere.txt"], "cannot be read from 'nowhere.txt'"),
        (["opt2i", PROMPT, "--budget", "images=0"], "above 0"),
        (["opt2i", PROMPT, "--budget", "wishes=3"], "no limit 'wishes'"),
        (["opt2i", PROMPT, "--iterations", "0"], "--iterations 0 cannot be used"),
        (["opt2i", PROMPT, "--candidates", "-3"], "--candidates -3 cannot be used"),
        (["opt2i", PROMPT, "--llm", " "], "flag --llm"),
        (["resume", "opt2i-never"], "there is no run 'opt2i-never'"),
        (["report"], "there is no run in"),
        (["models", "--fetch", "gpt-9"], "there is no model 'gpt-9'"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(loop, home, capsys, argv, words):
    assert inloop(*argv) == cli.BAD_INPUT
    out, err = capsys.readouterr()
    assert out == "" and words in err and "Traceback" not in err
    assert not list(home.glob("runs/opt2i-*")) and loop.seen == []


def test_wrong_arguments_exit_with_2(home, capsys):
    assert cli.main(["opt2i", PROMPT, "--iterations", "many"]) == cli.BAD_INPUT
    assert "--iterations: invalid int value: 'many'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (PrerequisiteError("no server at 127.0.0.1:9", remedy="start it."), cli.PREREQUISITE, "What to do: start it."),
        (BadInput("the model 'x' is unknown."), cli.BAD_INPUT, "'x' is unknown"),
        (CallFailed("the server gave garbage"), cli.FAILED, "garbage"),
        (ZeroDivisionError("oops"), cli.FAILED, "unexpected ZeroDivisionError"),
    ],
)
def test_errors_become_exit_codes(loop, home, capsys, error, code, word):
    loop.error = error
    assert inloop("opt2i", PROMPT) == code
    out, err = capsys.readouterr()
    assert word in err and out == ""
    loop.error = error
    assert inloop("opt2i", PROMPT, "--json") == code
    told = json.loads(capsys.readouterr().out)
    remedy = word.partition("What to do: ")[2]
    assert told["exit_code"] == code and (told["error"]["remedy"] or "") == remedy
    assert (error.problem if remedy else word) in told["error"]["message"] and "What to do" not in told["error"][
        "message"
    ]


def test_a_refused_run_leaves_no_folder_and_a_broken_one_stays(loop, home, capsys):
    loop.error = PrerequisiteError("no model", remedy="fetch it.")
    assert inloop("opt2i", PROMPT) == cli.PREREQUISITE
    assert not list(home.glob("runs/opt2i-*"))
    loop.told = True
    assert inloop("opt2i", PROMPT) == cli.PREREQUISITE
    [folder] = home.glob("runs/opt2i-*")
    assert f"inloop resume {folder.relative_to(home)}" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("stopped by SIGINT")])
def test_an_interrupted_run_says_how_to_go_on_and_does(loop, home, capsys, error):
    loop.error, loop.told = error, True
    assert inloop("opt2i", PROMPT, "--seed", "5") == cli.INTERRUPTED
    [folder] = home.glob("runs/opt2i-*")
    assert f"inloop resume {folder.relative_to(home)}" in capsys.readouterr().err
    loop.error = None
    assert inloop("resume", folder.name) == cli.OK
    config, _, resumed = loop.seen[-1]
    assert resumed and config.seed == 5 and (folder / "report.html").is_file()
    assert inloop("resume") == cli.OK  # the latest


def test_a_resumed_run_keeps_its_own_models(loop, home, monkeypatch):
    assert inloop("opt2i", PROMPT, "--llm", "smollm2") == cli.OK
    monkeypatch.setenv("INLOOP_LLM", "openai:another")
    assert inloop("resume") == cli.OK
    config, settings, _ = loop.seen[-1]
    assert config.llm == settings.llm == "smollm2"


def test_a_budget_stop_has_a_result_and_its_own_code(loop, home, capsys):
    outcome = make_outcome(BlobStore(home / "b"), iterations=1, candidates=1)
    stop = "budget: the budget of 9 images is spent (9 images used)"
    task = outcome.tasks[0].model_copy(update={"stop": stop})
    loop.change = {"tasks": (task,), "stopped": stop}
    assert inloop("opt2i", PROMPT, "--budget", "images=9") == cli.BUDGET
    assert "the budget of 9 images is spent" in capsys.readouterr().out
    assert list(home.glob("runs/opt2i-*/report.html"))


def test_runs_and_report(loop, home, capsys):
    assert inloop("runs") == cli.OK
    assert "no runs in runs yet" in capsys.readouterr().out
    assert inloop("opt2i", PROMPT) == cli.OK
    open_run = RunFolder.create(home / "runs", "opt2i", {"prompts": ["first", "second"]}, about=("first", "second"))
    (home / "runs" / "old").mkdir()
    (home / "runs" / "old" / "config.json").write_text('{"schema_version": 0}', encoding="utf-8")
    capsys.readouterr()
    assert inloop("runs") == cli.OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert any("stopped" in line and "first and 1 more" in line for line in lines)
    assert any("unreadable" in line and "schema version" in line for line in lines)
    assert inloop("runs", "--json") == cli.OK
    assert {r["state"] for r in json.loads(capsys.readouterr().out)["runs"]} == {"finished", "stopped", "unreadable"}

    [folder] = [p.parent for p in home.glob("runs/*/result.json")]
    (folder / "report.html").unlink()
    assert inloop("report", folder.name) == cli.OK
    assert (folder / "report.html").stat().st_size > 50_000
    assert inloop("report", open_run.id) == cli.BAD_INPUT
    assert "has no result yet" in capsys.readouterr().err
    assert inloop("report", "old") == cli.PREREQUISITE
    assert "schema version 0" in capsys.readouterr().err
    (folder / "result.json").write_text('{"schema_version": 1}', encoding="utf-8")
    assert inloop("report", folder.name) == cli.PREREQUISITE
    assert "not a result of this version" in capsys.readouterr().err


def test_a_copied_run_keeps_its_page_until_its_pictures_are_found(loop, home, capsys, monkeypatch):
    assert inloop("opt2i", PROMPT) == cli.OK
    [run] = [path.parent for path in home.glob("runs/*/result.json")]
    good = (run / "report.html").read_bytes()
    copy = home / "elsewhere" / run.name
    shutil.copytree(run, copy)
    monkeypatch.chdir(home / "elsewhere")
    capsys.readouterr()
    assert inloop("report", str(copy)) == cli.PREREQUISITE
    said = capsys.readouterr().err
    assert "is left as it is" in said and "INLOOP_STORE" in said and "inloop export" in said
    assert (copy / "report.html").read_bytes() == good and good.count(b"data:image") > 1
    monkeypatch.setenv("INLOOP_STORE", str(home / "runs" / ".store"))
    assert inloop("report", str(copy)) == cli.OK
    assert (copy / "report.html").read_bytes() == good


@pytest.mark.parametrize("named", [False, True], ids=["no store named", "another store named"])
def test_an_exported_run_is_read_elsewhere_with_its_pictures(loop, home, capsys, monkeypatch, named):
    assert inloop("opt2i", PROMPT) == cli.OK
    [run] = [path.parent for path in home.glob("runs/*/result.json")]
    good = (run / "report.html").read_bytes()
    capsys.readouterr()
    assert inloop("export", run.name, "--to", "run.zip", "--json") == cli.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["run_id"], told["file"]) == (run.name, "run.zip") and told["blobs"] > 1
    assert inloop("export", run.name, "--to", "run.zip") == cli.BAD_INPUT and "exists" in capsys.readouterr().err
    other = home / "another machine"
    with zipfile.ZipFile("run.zip") as archive:
        archive.extractall(other)
        assert not [name for name in archive.namelist() if name.endswith(("lock", ".sqlite"))]
    shutil.rmtree(home / "runs")
    if named:
        monkeypatch.setenv("INLOOP_STORE", str(home / "a store without them"))
    (other / run.name / "report.html").unlink()
    assert inloop("report", run.name, "--out", str(other)) == cli.OK
    assert (other / run.name / "report.html").read_bytes() == good
    capsys.readouterr()
    assert inloop("runs", "--out", str(other)) == cli.OK
    assert run.name in capsys.readouterr().out


def test_what_cannot_be_packed_leaves_no_file(loop, home, capsys):
    assert inloop("opt2i", PROMPT) == cli.OK
    [run] = [path.parent for path in home.glob("runs/*/result.json")]
    shutil.rmtree(home / "runs" / ".store")
    assert inloop("export", run.name) == cli.PREREQUISITE
    assert "are not in the store" in capsys.readouterr().err and not list(home.glob("*.zip"))
    unfinished = RunFolder.create(home / "runs", "opt2i", {"prompts": ["first"]})
    assert inloop("export", unfinished.id) == cli.BAD_INPUT and "has no result yet" in capsys.readouterr().err


def test_an_unwritable_folder_is_a_prerequisite(loop, home, capsys):
    (home / "file").write_text("x", encoding="utf-8")
    assert inloop("opt2i", PROMPT, "--out", "file/runs") in (cli.PREREQUISITE, cli.BAD_INPUT)
    assert "file" in capsys.readouterr().err and loop.seen == []


def test_config_names_sources_and_hides_the_key(home, monkeypatch, capsys):
    (home / "inloop.toml").write_text('images = "stabilityai/sd-turbo"\n', encoding="utf-8")
    monkeypatch.setenv("INLOOP_LLM", "smollm2")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert inloop("config") == cli.OK
    out = capsys.readouterr().out
    assert "secret" not in out
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "environment INLOOP_LLM" in rows["llm"] and "inloop.toml" in rows["images"] and "default" in rows["vqa"]
    assert inloop("config", "--json") == cli.OK
    assert "secret" not in capsys.readouterr().out


def test_models_lists_what_is_there(home, capsys):
    assert inloop("models", "--json") == cli.OK
    listed = {m["name"]: m for m in json.loads(capsys.readouterr().out)["models"]}
    assert set(listed) >= {"smollm2", "writer", "painter", "vqa", "clip"}
    assert all(m["licence"] and m["author"] for m in listed.values())
    assert inloop("models") == cli.OK
    assert "Apache-2.0" in capsys.readouterr().out


def test_prompts_file_must_be_text(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("ein Kästchen".encode("latin-1"))
    with pytest.raises(BadInput, match="not UTF-8"):
        read_lines(path, "prompt")
    path.write_text("# nothing\n\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no prompt in"):
        read_lines(path, "prompt")


def test_help_is_light():
    """`inloop --help` must not pay for torch, LangGraph or a client; what it imports is looked at, not its time."""
    code = (
        "import sys\nfrom inloop.app.cli import main as cli\n"
        "try:\n    cli.main(['opt2i', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.replace("'", "").strip("[]\n").split(", "))
    assert "--images-per-prompt" in done.stdout
    assert not loaded & {
        "torch",
        "transformers",
        "diffusers",
        "langgraph",
        "langchain_core",
        "openai",
        "xllamacpp",
        "PIL",
    }


def test_the_list_of_commands_needs_no_command():
    """`inloop --help` imports the table of commands and nothing behind it."""
    code = (
        "import sys\nfrom inloop.app.cli import main as cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if m.startswith('inloop.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.replace("'", "").strip("[]\n").split(", "))
    assert all(f"    {name}" in done.stdout for name in COMMANDS)
    assert loaded == {
        f"inloop.{name}"
        for name in (
            "app",
            "app.cli",
            "app.cli.commands",
            "app.cli.failures",
            "app.cli.interrupts",
            "app.cli.main",
            "app.cli.streams",
            "runtime",
            "runtime.privacy",
            "runtime.errors",
            "runtime.own_code",
            "runtime.threads",
            "runtime.registry",
        )
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_describes_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and shown.startswith(f"usage: inloop {name}") and "--json" in shown
    entry = COMMANDS[name].imported()
    assert callable(getattr(entry, "run", entry))


def test_version(capsys):
    assert inloop("--version") == cli.OK
    assert capsys.readouterr().out.startswith("inloop 0.")
