"""Fits `tools.entailment.picker` to questions on documentation and prints what goes into it: python -m benchmarks.quoting_calibration

`quoting_questions.jsonl` holds the questions, written by hand: each with its source and with strings of which one stands in a right quotation, or
none where the source does not answer it. The sources are fetched when this is run and are not shipped: the documentation in the
source distributions of attrs 25.3.0 (MIT), Jinja 3.1.6 (BSD-3-Clause) and pytest 8.4.2 (MIT), by pip, and Debian's
python3.11-doc (PSF-2.0; its FAQ) and apt-doc (GPL-2+), by `apt-get download` where there is one.

Every question is also asked of the next source, which answers it only by chance: such chances are left out; and of its own source without the
passages that answer it, so that what is nearest to the topic is refused too, as far as it can be told. One source is held out at a
time; the figures are of those that were held out, the weights are fitted to all. Once with a search by words and the words alone, once with MiniLM's
vectors in both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.runtime.protocols import TextEmbedder
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.documents import Chunker, media_of, parse
from inloop.tools.encoders import open_text_embedder
from inloop.tools.entailment import Overlap, nearness, word_features
from inloop.tools.index import open_index

from .overlap_calibration import auc, fit, predict

QUESTIONS = Path(__file__).with_name("quoting_questions.jsonl")
SOURCES = {
    "attrs": ("attrs==25.3.0", ("docs/*.md",)),
    "jinja2": ("jinja2==3.1.6", ("docs/*.rst",)),
    "pytest": ("pytest==8.4.2", ("doc/en/how-to/*.rst", "doc/en/explanation/*.rst", "doc/en/[bghi]*.rst")),
    "python-faq": ("python3.11-doc", ("usr/share/doc/python3.11/html/faq/[dglpw]*.html",)),
    "apt-doc": ("apt-doc", ("usr/share/doc/apt-doc/guide.html/*.html", "usr/share/doc/apt-doc/offline.html/*.html")),
}
SHOWN = 5
KINDS = ("answerable", "not answerable", "of another source", "without its answer")


@dataclass
class Asked:
    """A question asked of a source: what can be quoted with its features, and whether each is right; `kind`: one of `KINDS`."""

    source: str
    question: str
    kind: str
    rows: list[list[float]] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)


def fetch(source: str, to: Path) -> Path:
    """The folder of a source, downloaded where it is not there yet."""
    name, _ = SOURCES[source]
    folder = to / source
    if not folder.exists():
        packed = to / f"{source}.packed"
        packed.mkdir(parents=True, exist_ok=True)
        if "==" in name:
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
                ".",
            ]
            subprocess.run([*pip, name], cwd=packed, check=True)
            with tarfile.open(next(packed.glob("*.tar.gz"))) as archive:
                archive.extractall(packed / "all", filter="data")
            shutil.move(next((packed / "all").iterdir()), folder)
        else:
            if shutil.which("apt-get") is None:
                raise PrerequisiteError(f"{source} is a package of Debian", remedy="run it where there is apt-get")
            subprocess.run(["apt-get", "download", name], cwd=packed, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(
                ["dpkg", "-x", next(packed.glob("*.deb")).name, str(folder.resolve())], cwd=packed, check=True
            )
    return folder


def passages(source: str, folder: Path) -> Iterator[Passage]:
    """The passages of a source's documentation."""
    for pattern in SOURCES[source][1]:
        for path in sorted(folder.glob(pattern)):
            id = str(path.relative_to(folder))
            document = parse(path.read_bytes(), media_of(path) or "text/plain", id=id, name=id)
            yield from Chunker().passages(document)


async def asked(
    source: str, held: Sequence[Passage], questions: Sequence[dict[str, Any]], embedder: TextEmbedder | None
) -> list[Asked]:
    """Every question asked of one source: search, the passages that are relevant, what can be quoted."""
    index = await open_index("memory:", text=embedder)
    await index.upsert(list({passage.id: passage for passage in held}.values()))
    whole = _folded("\n".join(passage.text for passage in held))
    overlap, every = Overlap(embedder), list[Asked]()
    for question in questions:
        own = question["source"] == source
        if not own and any(key in whole for key in question["keys"]):
            continue
        [hits] = await index.search([question["question"]], k=10, mode="hybrid" if embedder else "bm25")
        grades = await overlap.relevance(question["question"], [hit.passage.indexed for hit in hits])
        graded = zip(hits, grades, strict=True)
        relevant = [hit.passage for hit, grade in graded if grade >= overlap.thresholds["passage"]]
        kind = KINDS[2] if not own else KINDS[0] if question["keys"] else KINDS[1]
        every.append(await _shown(source, question, relevant[:SHOWN], kind, embedder))
        if kind == KINDS[0]:
            without = [each for each in relevant if not any(key in _folded(each.text) for key in question["keys"])]
            every.append(await _shown(source, question, without[:SHOWN], KINDS[3], embedder))
    await index.close()
    return every


async def _shown(
    source: str, question: dict[str, Any], shown: Sequence[Passage], kind: str, embedder: TextEmbedder | None
) -> Asked:
    candidates, rows = word_features(question["question"], shown)
    if embedder is not None and candidates:
        near = await nearness(question["question"], candidates, embedder)
        rows = [[*row, cosine] for row, cosine in zip(rows, near, strict=True)]
    right = [kind == KINDS[0] and any(key in _folded(each.text) for key in question["keys"]) for each in candidates]
    return Asked(source, question["question"], kind, rows=rows, right=right)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def chosen(probabilities: Any, line: float, most: int) -> list[int]:
    """The places that would be quoted."""
    best = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])[:most]
    return [i for i in best if probabilities[i] >= line]


def held_out(every: Sequence[Asked]) -> list[Any]:
    """By question the probabilities, fitted to the other sources."""
    fits = {source: fit(*_rows([one for one in every if one.source != source])) for source in SOURCES}
    return [predict(np.array(one.rows), fits[one.source]) if one.rows else np.array([]) for one in every]


def _rows(every: Sequence[Asked]) -> tuple[Any, Any]:
    rows = [row for one in every for row in one.rows]
    return np.array(rows), np.array([right for one in every for right in one.right], float)


def report(name: str, every: Sequence[Asked], held: Sequence[Any]) -> None:
    """What comes of several lines."""
    groups = [[place for place, one in enumerate(every) if one.kind == kind] for kind in KINDS]
    able = groups[0]
    scores = np.concatenate([held[place] for place in able])
    labels = np.concatenate([np.array(every[place].right, float) for place in able])
    reach = sum(any(every[place].right) for place in able)
    print(f"\n{name}: AUC of quotations {auc(scores, labels):.3f}; {reach} of {len(able)} have a right one among them")
    print(f"  line   right: first / of three   refused: {', '.join(KINDS)}")
    for line in (0.0, 0.015, 0.02, 0.03, 0.04, 0.045, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2):
        right = [
            sum(any(every[place].right[i] for i in chosen(held[place], line, most)) for place in able)
            for most in (1, 3)
        ]
        refused = [sum(not chosen(held[place], line, 1) for place in group) for group in groups]
        counts = ", ".join(f"{count:3} of {len(group)}" for count, group in zip(refused, groups, strict=True))
        print(f"  {line:.3f}  {right[0]:3} / {right[1]:3} of {len(able)}          {counts}")


def _questions() -> list[dict[str, Any]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


async def main() -> None:
    """Fit the picker and print what it gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/bench/quoting"), metavar="DIR", help="for the sources")
    args = parser.parse_args()
    settings, names = Settings.load(), list(SOURCES)
    embedder = await asyncio.to_thread(open_text_embedder, "minilm", Store.open(settings), settings)
    sources = {source: list(passages(source, fetch(source, args.data))) for source in SOURCES}
    for name, vectors in (("words", None), ("words and vectors", embedder)):
        every = list[Asked]()
        for place, source in enumerate(names):
            nearby = (source, names[place - 1])
            questions = [question for question in _questions() if question["source"] in nearby]
            every += await asked(source, sources[source], questions, vectors)
        report(name, every, held_out(every))
        print(f"    {fit(*_rows(every))}")


if __name__ == "__main__":
    asyncio.run(main())
