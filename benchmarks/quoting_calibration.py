"""Fits `tools.entailment.picker` to questions on documentation, and writes its `picker.json`: python -m benchmarks.quoting_calibration

`quoting_questions.jsonl` holds the questions, written by hand: each with its source and with strings of which one stands in a right quotation, or
none where the source does not answer it. The sources are fetched when this is run and are not shipped: the documentation in the
source distributions of attrs 25.3.0 (MIT), Jinja 3.1.6 (BSD-3-Clause), pytest 8.4.2 (MIT), isort 6.0.1 (MIT), mypy 1.18.2 (MIT) and Flask 3.1.2
(BSD-3-Clause), by pip, and Debian's python3.11-doc (PSF-2.0; its FAQ), apt-doc (GPL-2+), git-doc (GPL-2), debian-faq and developers-reference (GPL-2+; the
latter as PDF), by `apt-get download` where there is one.

Every question is also asked of the next source, which answers it only by chance: such chances are left out; and of its own source without the
passages that answer it, so that what is nearest to the topic is refused too, as far as it can be told. One source is held out at a
time; the figures are of those that were held out, the weights are fitted to all. Once with a search by words and the words alone, once with MiniLM's
vectors in both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inloop.agents.rag.quoting_answerer import BESIDE, apart
from inloop.graphs.rag.conclude import AROUND
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.passages import Passage
from inloop.runtime.protocols import TextEmbedder
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.documents import Chunker, media_of, parse
from inloop.tools.encoders import open_text_embedder
from inloop.tools.entailment import (
    Features,
    Quotation,
    nearness,
    outlook,
    surroundings,
    tells_by_itself,
    word_features,
)
from inloop.tools.index import open_index

from .overlap_calibration import auc, fit, predict

WEIGHTS = Path(__file__).parents[1] / "tools" / "entailment" / "picker.json"
QUESTIONS = Path(__file__).with_name("quoting_questions.jsonl")
_GIT = """gitfaq gitglossary giteveryday gittutorial gitcli gitworkflows git-stash git-clean git-bisect git-bisect-lk2009 gitignore gitattributes
    gitrevisions""".split()
SOURCES = {
    "attrs": ("attrs==25.3.0", ("docs/*.md",)),
    "jinja2": ("jinja2==3.1.6", ("docs/*.rst",)),
    "pytest": ("pytest==8.4.2", ("doc/en/how-to/*.rst", "doc/en/explanation/*.rst", "doc/en/[bghi]*.rst")),
    "python-faq": ("python3.11-doc", ("usr/share/doc/python3.11/html/faq/[dglpw]*.html",)),
    "apt-doc": ("apt-doc", ("usr/share/doc/apt-doc/guide.html/*.html", "usr/share/doc/apt-doc/offline.html/*.html")),
    "isort": ("isort==6.0.1", ("docs/**/*.md",)),
    "mypy": ("mypy==1.18.2", ("docs/source/*.rst",)),
    "flask": ("flask==3.1.2", ("docs/*.rst",)),
    "git": ("git-doc", tuple(f"usr/share/doc/git/html/{page}.html" for page in _GIT)),
    "debian": ("debian-faq", ("usr/share/doc/debian/FAQ/*.en.html",)),
    "devref": ("developers-reference", ("usr/share/developers-reference/*.pdf",)),
}
FOUND, MOST = 10, 3
KINDS = ("answerable", "not answerable", "of another source", "without its answer")


@dataclass
class Asked:
    """A question asked of a source: what can be quoted with its features, whether each is right, and whether it is with what stands around it;
    `kind`: one of `KINDS`.
    """

    source: str
    question: str
    kind: str
    candidates: list[Quotation] = field(default_factory=list)
    rows: list[Features] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    around: list[bool] = field(default_factory=list)

    def chosen(self, probabilities: Any, most: int) -> list[int]:
        """The places that would be quoted, the likeliest first."""
        best = sorted(range(len(self.rows)), key=lambda i: -probabilities[i])
        near = [self.candidates[i] for i in best if probabilities[i] >= BESIDE * probabilities[best[0]]]
        return [self.candidates.index(each) for each in apart(near, most)]


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
    """Every question asked of one source: search, and what can be quoted from the passages that are found."""
    index = await open_index("memory:", text=embedder)
    await index.upsert(list({passage.id: passage for passage in held}.values()))
    whole = _folded("\n".join(passage.text for passage in held))
    every = list[Asked]()
    for question in questions:
        own = question["source"] == source
        if not own and any(key in whole for key in question["keys"]):
            continue
        [hits] = await index.search([question["question"]], k=FOUND, mode="hybrid" if embedder else "bm25")
        found = [hit.passage for hit in hits]
        kind = KINDS[2] if not own else KINDS[0] if question["keys"] else KINDS[1]
        every.append(await _shown(source, question, found, kind, embedder))
        if kind == KINDS[0]:
            without = [each for each in found if not any(key in _folded(each.text) for key in question["keys"])]
            every.append(await _shown(source, question, without, KINDS[3], embedder))
    await index.close()
    return every


async def _shown(
    source: str, question: dict[str, Any], shown: Sequence[Passage], kind: str, embedder: TextEmbedder | None
) -> Asked:
    candidates, rows = word_features(question["question"], shown)
    if embedder is not None and candidates:
        near = await nearness(question["question"], shown, candidates, embedder)
        rows = [row | cosines for row, cosines in zip(rows, near, strict=True)]
    right, around = (
        [kind == KINDS[0] and any(key in _folded(text) for key in question["keys"]) for text in texts]
        for texts in (
            [each.text for each in candidates],
            [_around(question["question"], each, shown) for each in candidates],
        )
    )
    return Asked(source, question["question"], kind, candidates, rows, right, around)


def _around(question: str, quotation: Quotation, shown: Sequence[Passage]) -> str:
    """A quotation as it is shown."""
    if tells_by_itself(question, quotation.text):
        return quotation.text
    return surroundings(shown[quotation.place].text, quotation.start, quotation.end, most=AROUND).text


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def held_out(every: Sequence[Asked]) -> list[tuple[Any, float]]:
    """By question the probabilities of what can be quoted, and that one of the likeliest answers it, fitted to the other sources."""
    quotation = {source: fit(*_rows([one for one in every if one.source != source])) for source in SOURCES}
    likely = [predict(_rows([one])[0], quotation[one.source]) if one.rows else np.array([]) for one in every]
    asked = [(one, probabilities) for one, probabilities in zip(every, likely, strict=True) if one.rows]
    answered = {source: fit(*_outlooks([each for each in asked if each[0].source != source])) for source in SOURCES}
    return [
        (each, float(predict(_outlooks([(one, each)])[0], answered[one.source])[0]) if one.rows else 0.0)
        for one, each in zip(every, likely, strict=True)
    ]


def fitted_to_all(every: Sequence[Asked], held: Sequence[tuple[Any, float]]) -> dict[str, Any]:
    """Both regressions as they stand in `picker.json`; whether the likeliest are answers is fitted to probabilities that were held out."""
    asked = [(one, likely) for one, (likely, _) in zip(every, held, strict=True) if one.rows]
    names = next(one.rows[0] for one, _ in asked), next(outlook(one.rows, likely) for one, likely in asked)
    fits = fit(*_rows(every)), fit(*_outlooks(asked))
    return {
        head: {"intercept": intercept, "features": dict(zip(features, each, strict=True))}
        for head, features, (each, intercept) in zip(("quotation", "answered"), names, fits, strict=True)
    }


def _rows(every: Sequence[Asked]) -> tuple[Any, Any]:
    rows = [[*row.values()] for one in every for row in one.rows]
    return np.array(rows), np.array([right for one in every for right in one.right], float)


def _outlooks(asked: Sequence[tuple[Asked, Any]]) -> tuple[Any, Any]:
    rows = [[*outlook(one.rows, likely).values()] for one, likely in asked]
    return np.array(rows), np.array(
        [any(one.around[i] for i in one.chosen(likely, MOST)) for one, likely in asked], float
    )


def report(name: str, every: Sequence[Asked], held: Sequence[tuple[Any, float]]) -> None:
    """What comes of several lines."""
    groups = [[place for place, one in enumerate(every) if one.kind == kind] for kind in KINDS]
    able = groups[0]
    scores = np.concatenate([held[place][0] for place in able])
    labels = np.concatenate([np.array(every[place].right, float) for place in able])
    reach = sum(any(every[place].right) for place in able)
    print(f"\n{name}: AUC of quotations {auc(scores, labels):.3f}; {reach} of {len(able)} have a right one among them")
    print(f"  line   right: first / of three   refused: {', '.join(KINDS)}")
    for line in (0.0, 0.04, 0.06, 0.08, 0.09, 0.1, 0.11, 0.12, 0.14, 0.16, 0.2, 0.3):
        right = [
            sum(held[p][1] >= line and any(every[p].around[i] for i in every[p].chosen(held[p][0], most)) for p in able)
            for most in (1, MOST)
        ]
        refused = [sum(held[place][1] < line or not every[place].rows for place in group) for group in groups]
        counts = ", ".join(f"{count:3} of {len(group)}" for count, group in zip(refused, groups, strict=True))
        print(f"  {line:.3f}  {right[0]:3} / {right[1]:3} of {len(able)}          {counts}")


def _write(fitted: dict[str, Any]) -> None:
    """With one feature a line, so that a person can read it."""
    whole = json.dumps(fitted, indent=1)
    lists = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", whole)
    WEIGHTS.write_text(f"{lists}\n", encoding="utf-8")


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
    fitted: dict[str, Any] = {}
    for name, vectors in (("words", None), ("words and vectors", embedder)):
        every = list[Asked]()
        for place, source in enumerate(names):
            nearby = (source, names[place - 1])
            others = [question for question in _questions() if question["source"] == nearby[1] and question["keys"]]
            questions = [question for question in _questions() if question["source"] == source] + others[::3]
            every += await asked(source, sources[source], questions, vectors)
        held = held_out(every)
        report(name, every, held)
        fitted[name] = fitted_to_all(every, held)
    _write(fitted)


if __name__ == "__main__":
    asyncio.run(main())
