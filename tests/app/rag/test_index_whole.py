"""An index that cannot be half: vectors that come later, what `--status` says, and a SIGKILL while vectors are added."""

import asyncio
import json
import signal
import subprocess
import sys
import time

import pytest
from rag_files import png

from inloop.app.cli import main as cli
from inloop.tools.index import contents, open_index

pytest.importorskip("lancedb", reason="the extra rag is not installed: pip install 'inloop[rag]'")
pytest.importorskip("bm25s", reason="the extra rag is not installed: pip install 'inloop[rag]'")

EMBEDDER = '''
import time
from pathlib import Path
from inloop.tools.index.conformance.checks import LetterEmbedder

class Slow(LetterEmbedder):
    """Writes down how many texts it was asked for, and takes its time."""

    async def texts(self, texts, *, role=None):
        with Path("asked.txt").open("a") as file:
            file.write("\\n" * len(texts))
        time.sleep(SECONDS)
        return await super().texts(texts, role=role)
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("INLOOP_RUNS_DIR", raising=False)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The ferry leaves at noon.", encoding="utf-8")
    (tmp_path / "letters.py").write_text(EMBEDDER.replace("SECONDS", "0"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("letters", None)
    return tmp_path


def run(capsys, *argv):
    code = cli.main(list(argv))
    out, err = capsys.readouterr()
    return code, out, err


def told(capsys, *argv):
    return json.loads(run(capsys, *argv, "--json")[1])


def found(url, query):
    from letters import Slow

    async def search():
        index = await open_index(url, text=Slow(), create=False)
        [hits] = await index.search([query], k=50, mode="dense")
        await index.close()
        return {hit.passage.document for hit in hits}

    return asyncio.run(search())


def held(url):
    async def look():
        index = await open_index(url, create=False)
        try:
            return await contents(index)
        finally:
            await index.close()

    return asyncio.run(look())


def test_words_first_and_vectors_later(here, capsys):
    told(capsys, "index", "docs", "--to", "ix", "--embedder", "none")
    (here / "docs" / "b.txt").write_text("The lighthouse was built in 1871.", encoding="utf-8")
    second = told(capsys, "index", "docs", "--to", "ix", "--embedder", "letters:Slow")
    assert (second["added"], second["embedded"], second["unchanged"], second["changed"]) == (1, 1, 0, 0)
    assert found("ix", "ferry") == {"docs/a.txt", "docs/b.txt"}
    third = told(capsys, "index", "docs", "--to", "ix", "--embedder", "letters:Slow")
    assert (third["unchanged"], third["embedded"], third["passages"]) == (2, 0, 0)
    code, out, _ = run(capsys, "index", "docs", "--to", "ix", "--embedder", "letters:Slow")
    assert code == 0 and "2 unchanged" in out


def test_what_other_folders_and_lost_files_brought_gets_its_vectors_too(here, capsys):
    none = ("--embedder", "none", "--clip", "none")
    (here / "docs" / "lost.txt").write_text("A path along the shore.", encoding="utf-8")
    told(capsys, "index", "docs", "--to", "ix", *none)
    (here / "more").mkdir()
    (here / "more" / "c.txt").write_text("The harbour master sleeps.", encoding="utf-8")
    (here / "docs" / "lost.txt").write_bytes(b"\0\1\2" * 50)  # what was indexed of it stays
    second = told(capsys, "index", "more", "--to", "ix", "--embedder", "letters:Slow")
    assert (second["added"], second["embedded"], second["passages"]) == (1, 2, 3)
    assert found("ix", "ferry") == {"docs/a.txt", "docs/lost.txt", "more/c.txt"}
    assert held("ix").is_whole


def test_pictures_that_were_found_by_their_captions_get_vectors(here, capsys):
    (here / "docs" / "fox.png").write_bytes(png("red"))
    (here / "docs" / "fox.txt").write_text("a red square", encoding="utf-8")
    first = told(capsys, "index", "docs", "--to", "ix", "--embedder", "none", "--clip", "none")
    assert first["added"] == 2 and held("ix").image is None
    second = told(capsys, "index", "docs", "--to", "ix", "--embedder", "none")  # with the bundled CLIP
    assert (second["embedded"], second["unchanged"]) == (1, 1)
    assert (held("ix").pictures, held("ix").vectors) == (1, {"image": 1})


def test_without_the_embedder_of_its_vectors_nothing_is_written(here, capsys):
    told(capsys, "index", "docs", "--to", "ix", "--embedder", "letters:Slow")
    runs = sorted((here / "runs").iterdir())
    (here / "docs" / "b.txt").write_text("The lighthouse was built in 1871.", encoding="utf-8")
    code, _, err = run(capsys, "index", "docs", "--to", "ix", "--embedder", "none")
    assert code == 2 and "holds text vectors of letters" in err and "--embedder" in err
    assert sorted((here / "runs").iterdir()) == runs and held("ix").documents == 1
    code, _, err = run(capsys, "index", "docs", "--to", "ix", "--embedder", "minilm")
    assert code == 2 and "was made with the text embedder letters" in err and "another URL" in err


def test_qdrant_says_before_it_reads_that_it_cannot_add_vectors(here, capsys):
    pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed: pip install 'inloop[qdrant]'")
    told(capsys, "index", "docs", "--to", "qdrant+file:///./ix", "--embedder", "none")
    code, _, err = run(capsys, "index", "docs", "--to", "qdrant+file:///./ix", "--embedder", "letters:Slow")
    assert code == 2 and "begun without text vectors" in err and "another name" in err


def test_status(here, capsys):
    code, _, err = run(capsys, "index", "--status", "ix")
    assert code == 2 and "no index at 'ix'" in err
    (here / "docs" / "scan.txt").write_bytes(b"\0\1\2" * 50)
    told(capsys, "index", "docs", "--to", "ix", "--embedder", "letters:Slow", "--chunk", "300")
    status = told(capsys, "index", "--status", "ix")
    assert (status["documents"], status["passages"], status["pictures"], status["whole"]) == (1, 1, 0, True)
    assert status["vectors"] == {"text": 1} and status["lacking"] == {"text": 0} and status["bytes"] > 0
    assert status["text"]["model"] == "letters" and status["image"] is None and status["chunker"]
    [docs] = status["collections"]
    assert (docs["name"], docs["folder"], docs["files"], docs["failed"], docs["chunk"]) == (
        "docs", str(here / "docs"), 2, 1, 300,
    )  # fmt: skip
    assert docs["reasons"][0]["file"] == "scan.txt" and docs["begun"] <= docs["ended"]
    for flags in (("--status", "ix"), ("--status", "--to", "ix")):
        code, out, _ = run(capsys, "index", *flags)
        assert code == 0 and "1 by letters (1), 27 numbers each" in out and "not indexed: scan.txt" in out
    assert run(capsys, "index", "docs", "--status")[0] == 2
    code, _, err = run(capsys, "index")
    assert code == 2 and "no folder" in err


def test_killed_while_vectors_are_added(here, capsys):
    """A SIGKILL loses no vector that was written; the next run embeds what lacks one and nothing else."""
    for number in range(1200):
        (here / "docs" / f"{number:04}.txt").write_text(f"page {number} of many", encoding="utf-8")
    told(capsys, "index", "docs", "--to", "ix", "--embedder", "none", "--clip", "none")
    (here / "letters.py").write_text(EMBEDDER.replace("SECONDS", "0.3"), encoding="utf-8")
    command = [sys.executable, "-m", "inloop.app.cli.main", "index", "docs", "--to", "ix", "--clip", "none"]
    started = subprocess.Popen([*command, "--embedder", "letters:Slow"], cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        while not held("ix").vectors.get("text"):
            assert started.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()
    left = held("ix")
    assert left.passages == 1201 and 0 < left.vectors["text"] < 1201
    assert left.vectors["text"] + left.lacking["text"] == 1201 and not left.is_whole
    assert "passages lack one" in run(capsys, "index", "--status", "ix")[1]
    (here / "letters.py").write_text(EMBEDDER.replace("SECONDS", "0"), encoding="utf-8")
    (here / "asked.txt").unlink()
    again = told(capsys, "index", "docs", "--to", "ix", "--clip", "none", "--embedder", "letters:Slow")
    assert (again["embedded"], again["unchanged"]) == (left.lacking["text"], left.vectors["text"])
    assert len((here / "asked.txt").read_text()) == left.lacking["text"]
    assert held("ix").is_whole and held("ix").passages == 1201
    (here / "asked.txt").unlink()
    assert told(capsys, "index", "docs", "--to", "ix", "--clip", "none", "--embedder", "letters:Slow")["unchanged"] == 1201  # fmt: skip
    assert not (here / "asked.txt").exists()
