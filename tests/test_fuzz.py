"""Every command with inputs that nobody thought of: whatever comes, it is answered in words, and never by an internal error.

What is random is the same each time, and takes some seconds; `INLOOP_FUZZ=20` tries twenty times as much, and something else each time.
The models are stand-ins, and what would fetch, serve or paint is not reached: it is the way in that is tried here, and replies.
"""

from __future__ import annotations

import argparse
import json
import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from row_stand_ins import made_rows, open_word_student, write_rows
from servers import completion, serving

import inloop.runtime.run as run_room
from inloop.app.cli.commands import commands, parser
from inloop.app.cli.main import main
from inloop.graphs.llm2llm import models as llm2llm_models
from inloop.runtime.errors import CallFailed

TIMES = int(os.environ.get("INLOOP_FUZZ", "1"))
CODES = {0, 1, 2, 3, 4, 130}
ENDLESS = {"serve", "view", "bench-llm", "doctor", "certify", "completion"}
"""Commands that work without a run: their flags are read, and no more."""
WORK = {"--fetch", "--install", "--detach", "--stop", "--help", "-h", "--version"}

ODD_TEXTS = (
    "", " ", "\u200b", "a", "red disc", "\ud83d", "\udcff", "x" * 5000, "é\u2028b", "\x00", "-1", "0", "7", "nan", "inf", "1e999", "10" * 30,
    "true", "[]", "{}", "a,b", ",", "a=b", "images=", "images=-1", "http://", "http://[", "http://127.0.0.1:9/v1#m", "https://x y/", "a:b",
    "os:path", "nosuch:thing", "oracle:", "oracle:rows.jsonl", "gguf:", "gguf:nothing", "hf:", "hf:a/b/c", "openai:", "self:1", "?", "mini?x=1",
    ".", "..", "/", "rows.jsonl", "broken.jsonl", "table.csv", "folder", "picture.png", "nosuch.jsonl", "task.py", "file://x", "~", "$HOME",
)  # fmt: skip
VALUES = st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(codec=None, categories=None), max_size=12))

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec=None, categories=None), max_size=8),
    st.sampled_from(("picture.png", "red disc", "nosuch.png", "music", "weather", "\u200b", "")), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)  # fmt: skip
NAMES = st.sampled_from(
    (
        "text",
        "label",
        "question",
        "answer",
        "id",
        "image",
        "prompt",
        "caption",
        "captions",
        "tags",
        "choices",
        "question_id",
        "",
        "own",
    )
)
ROWS = st.lists(st.one_of(st.dictionaries(NAMES, CELLS, max_size=5), CELLS), max_size=4)


def lines_of(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def cells_of(rows):
    """The rows as a CSV file that somebody wrote without thinking of quotes."""
    rows = [row for row in rows if isinstance(row, dict)]
    header = list(rows[0]) if rows else ["text", "label"]
    table = [header, *([str(row.get(name, "")) for name in header] + ["more"] * (len(row) % 2) for row in rows)]
    return "\n".join(",".join(cells) for cells in table).encode("utf-8", "surrogatepass")


FILES = st.one_of(
    st.tuples(st.sampled_from((".jsonl", ".ndjson")), st.builds(lines_of, ROWS)),
    st.tuples(st.just(".json"), st.builds(lambda value: json.dumps(value).encode(), st.one_of(ROWS, CELLS))),
    st.tuples(st.sampled_from((".csv", ".tsv")), st.builds(cells_of, ROWS)),
    st.tuples(st.sampled_from((".csv", ".jsonl", ".json", ".txt", ".parquet", ".png", ".py", "")), st.binary(max_size=60)),
    st.tuples(st.sampled_from((".csv", ".jsonl", ".txt")), st.builds(lambda rows: lines_of(rows).decode().encode("utf-16"), ROWS)),
)  # fmt: skip


def fuzzed(examples):
    return settings(
        max_examples=examples * TIMES, deadline=None, derandomize=TIMES == 1, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a few files, good and bad, and stand-ins for what learns."""
    monkeypatch.chdir(tmp_path)
    for name in ("RUNS_DIR", "CACHE_DIR"):
        monkeypatch.setenv(f"INLOOP_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(llm2llm_models, "open_student", open_word_student)
    write_rows(tmp_path / "rows.jsonl", made_rows(6))
    (tmp_path / "broken.jsonl").write_bytes(b'{"text": "a", "lab\xff')
    (tmp_path / "table.csv").write_text("image,prompt\npicture.png,a, b\n", encoding="utf-8")
    (tmp_path / "task.py").write_text("task = 1 / 0\n", encoding="utf-8")
    (tmp_path / "ones.py").write_text("def one(picture, text):\n    return 0.5\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "picture.png")
    return tmp_path


def answered(capsys, *argv):
    """Run a command; what it said must be in words."""
    try:
        code = main([*argv])
    except SystemExit as error:  # argparse, for --help
        code = error.code
    out, err = capsys.readouterr()
    shown = f"{argv!r}\n{out}\n{err}"
    assert code in CODES, shown
    assert "fault in inloop" not in out + err and "Traceback" not in out + err, shown
    if "--json" in argv and out.strip():
        json.loads(out.strip().splitlines()[-1])
    return code


def _flags(name):
    """The flags of a command and its positional arguments, from its own parser."""
    top = parser(name)
    [subparsers] = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    actions = subparsers.choices[name]._actions
    return [action for action in actions if not WORK & {*action.option_strings}]


@st.composite
def arguments(draw, name):
    """An argument list for a command: some of its flags, with values that fit and values that do not."""
    argv = []
    for action in draw(st.lists(st.sampled_from(_flags(name)), max_size=5, unique=True)) + [
        action for action in _flags(name) if not action.option_strings and draw(st.booleans())
    ]:
        fitting = [str(choice) for choice in action.choices or ()]
        value = draw(st.one_of(st.sampled_from(fitting), VALUES) if fitting else VALUES)
        if not action.option_strings:
            argv.append(value)
        elif action.nargs == 0:
            argv.append(draw(st.sampled_from(list(action.option_strings))))
        else:
            argv.append(f"{draw(st.sampled_from(list(action.option_strings)))}={value}")
    return argv


@pytest.mark.parametrize("name", sorted(commands()))
def test_flags(name, folder, capsys, monkeypatch):
    async def carry(*arguments, **options):
        raise CallFailed("this is as far as it is tried")

    monkeypatch.setattr(run_room, "carry", carry)

    @fuzzed(8)
    @given(arguments(name))
    def go(argv):
        if name in ENDLESS:
            try:
                parser(name).parse_args([name, *argv])
            except (ValueError, SystemExit):
                return
        else:
            answered(capsys, name, *argv)
            answered(capsys, name, *argv, "--json")

    go()


@pytest.mark.parametrize("how", ["pictures", "prompts", "rows", "dev", "questions", "captions"])
def test_files(how, folder, capsys, monkeypatch):
    if how in ("questions", "captions"):

        async def carry(*arguments, **options):
            raise CallFailed("this is as far as it is tried")

        monkeypatch.setattr(run_room, "carry", carry)
    usual = (
        "--teacher",
        "oracle:rows.jsonl",
        "--steps",
        "1",
        "--compare",
        "none",
        "--seeds-per-class",
        "2",
        "--verifier",
        "none",
    )
    argv = {
        "pictures": lambda path: ("score", path, "--metric", "ones:one"),
        "prompts": lambda path: ("score", "folder", path, "--metric", "ones:one"),
        "rows": lambda path: ("llm2llm", path, *usual),
        "dev": lambda path: ("llm2llm", "rows.jsonl", "--dev", path, "--test", path, *usual),
        "questions": lambda path: ("ask", "--questions", path),
        "captions": lambda path: ("promptcap", "synthesize", path, "--out", "made"),
    }[how]

    @fuzzed(12)
    @given(FILES)
    def go(file):
        ending, data = file
        path = folder / f"tried{ending}"
        path.write_bytes(data)
        answered(capsys, *argv(path.name))

    go()


ENDS = st.sampled_from(("stop", "length", "content_filter", "tool_calls", None))


@st.composite
def replies(draw):
    """What a model writes: right rows, cut or damaged somewhere, or anything."""
    rows = {
        "rows": [
            {"text": f"play the song {n}", "label": draw(st.sampled_from(("music", "weather", "x")))} for n in range(3)
        ]
    }
    text = draw(
        st.sampled_from(
            (
                json.dumps(rows),
                "1 | play it | music\n2 | stop it | music",
                "Question: a\nAnswer: music",
                "[1, [2",
                "I cannot",
            )
        )
    )
    place = draw(st.integers(0, len(text)))
    return text[:place] + draw(st.one_of(st.just(""), VALUES)) + text[place + draw(st.integers(0, 30)) :]


def test_replies(folder, capsys):
    @fuzzed(10)
    @given(
        st.lists(
            st.tuples(replies(), ENDS),
            min_size=1,
            max_size=3,
        ),
        st.integers(0, 999_999),
    )
    def go(said, seed):
        drawn = random.Random(seed)

        def behave(handler, body):
            text, reason = drawn.choice(said)
            reply = completion([text], output_tokens=5)
            reply["choices"][0]["finish_reason"] = reason
            handler.json(reply)

        server.behaviours = [behave]
        answered(
            capsys, "llm2llm", "rows.jsonl", "--teacher", f"{server.url}#m{seed}", "--steps", "1", "--attempts", "1", "--compare", "none",
            "--seeds-per-class", "2", "--verifier", f"{server.url}#v", "--json",
        )  # fmt: skip

    with serving() as server:
        go()
