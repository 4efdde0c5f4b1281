"""Ordinary English that statements are made of: package descriptions, essays and abstracts, by document.

Descriptions are those of Debian's packages (`Translation-en`, 36,000 of them, by their maintainers); essays are `anarchism`, a Debian package
(GFDL); abstracts are SciFact's (Wadden et al. 2020; ODC-By), without those that its test claims cite.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ....runtime.errors import PrerequisiteError
from ....runtime.storage import write_whole
from ....tools.entailment import sentences

__all__ = ["Claim", "Text", "Texts", "collect"]

_REMEDY = (
    "train on Debian (or in a container of it) after `apt-get -o Acquire::Languages=en update`, and name the data with"
    " INLOOP_DATA (it needs rag/scifact there)"
)


class Text(NamedTuple):
    """A document of a domain, as sentences."""

    domain: str
    title: str
    sentences: tuple[str, ...]


class Claim(NamedTuple):
    """A claim about an abstract that annotators marked: the sentences at `evidence` support or contradict it; "" where none does."""

    claim: str
    text: Text
    evidence: tuple[int, ...]
    outcome: str


class Texts(NamedTuple):
    """What there is to train on and, of other documents, to measure on."""

    train: list[Text]
    held_out: list[Text]
    claims: list[Claim]
    test_claims: list[Claim]
    wordnet: Path


def collect(work: Path) -> Texts:
    """Fetch the packages into `work` and read everything; SciFact is read from `rag/scifact` in the folder INLOOP_DATA.

    Raises:
        PrerequisiteError: no Debian, no network, or no SciFact.
    """
    scifact = Path(os.environ.get("INLOOP_DATA", "")) / "rag" / "scifact"
    if not (scifact / "corpus.jsonl").is_file() or shutil.which("apt-get") is None:
        raise PrerequisiteError("the texts that the verifier is trained on are not here", remedy=_REMEDY)
    wordnet = _package("wordnet-base", work) / "usr/share/wordnet"
    claims, test_claims, cited = _claims(scifact)
    texts = [*_descriptions(work), *_essays(_package("anarchism", work)), *_abstracts(scifact, without=cited)]
    held_out = [text for place, text in enumerate(texts) if place % 40 == 7]
    train = [text for place, text in enumerate(texts) if place % 40 != 7]
    return Texts(train, held_out, claims, test_claims, wordnet)


def _package(name: str, work: Path) -> Path:
    """Where a Debian package is unpacked."""
    folder = work / name
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            try:
                subprocess.run(["apt-get", "download", name], cwd=scratch, check=True, capture_output=True)
                [archive] = Path(scratch).glob("*.deb")
                subprocess.run(["dpkg", "-x", archive.name, "unpacked"], cwd=scratch, check=True, capture_output=True)
            except (OSError, ValueError, subprocess.CalledProcessError) as error:
                raise PrerequisiteError(
                    f"the Debian package {name!r} cannot be fetched ({error})", remedy=_REMEDY
                ) from error
            (Path(scratch) / "unpacked").rename(folder)
    return folder


def _usable(text: str) -> tuple[str, ...]:
    """The sentences of a text that are some: with a stop, of ordinary length, and mostly of words."""
    lines = (" ".join(span.text.split()) for span in sentences(text))
    return tuple(
        line
        for line in lines
        if 5 <= len(line.split()) <= 45
        and line[0].isupper()
        and line[-1] == "."
        and not re.search(r"[|{}<>=\\_*]|\.\.", line)
    )


def _descriptions(work: Path) -> Iterator[Text]:
    """Kept in `work`: the next `apt-get update` may drop the list, and a training that goes on must see what it saw."""
    kept = work / "descriptions.json"
    if not kept.is_file():
        lists = sorted(Path("/var/lib/apt/lists").glob("*_main_i18n_Translation-en*"))
        if not lists:
            raise PrerequisiteError("there are no descriptions of Debian's packages", remedy=_REMEDY)
        read = ["/usr/lib/apt/apt-helper", "cat-file", *map(str, lists)]
        shown = subprocess.run(read, capture_output=True, check=True).stdout.decode("utf-8", "replace")
        write_whole(kept, json.dumps(list(_described(shown))).encode())
    for title, lines in json.loads(kept.read_text(encoding="utf-8")):
        yield Text("descriptions", title, tuple(lines))


def _described(lists: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    seen = set[str]()
    for block in lists.split("\n\n"):
        if match := re.search(r"Description-en: (.*?)(?:\n\S|\Z)", block, re.DOTALL):
            paragraphs = re.sub(r"\n \.\n", "\n\n", "\n".join(match[1].split("\n")[1:]))
            lines = tuple(line for line in _usable(paragraphs) if line not in seen)
            seen.update(lines)
            if len(lines) >= 3:
                yield re.sub(r"^Package: ", "", block.split("\n")[0]), lines


def _essays(folder: Path) -> Iterator[Text]:
    for path in sorted((folder / "usr/share/doc/anarchism/markdown").glob("*.gz")):
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        lines = _usable(re.sub(r"\[([^\]]*)\]\([^)]*\)|[_*`#>]", r"\1", text))
        for place in range(0, len(lines) - 9, 10):
            yield Text("essays", "", lines[place : place + 10])


def _abstracts(scifact: Path, *, without: set[str]) -> Iterator[Text]:
    for line in (scifact / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        lines = _usable(row["text"])
        if row["_id"] not in without and len(lines) >= 4:
            yield Text("abstracts", row["title"], lines)


def _claims(scifact: Path) -> tuple[list[Claim], list[Claim], set[str]]:
    """Training claims, test claims, and the ids of what test claims cite."""
    cited = json.loads((scifact / "cited_docs_sentences.json").read_text(encoding="utf-8"))
    outcomes = {"SUPPORT": "supports", "CONTRADICT": "contradicts", "NOT_ENOUGH_INFO": ""}
    claims: dict[str, list[Claim]] = {"train": [], "test": []}
    test: set[str] = set()
    for row in json.loads((scifact / "claims_evidence.json").read_text(encoding="utf-8")):
        name = row["evidence_doc_id"] or next(iter(row["cited_doc_ids"]), "")
        if row["split"] == "test":
            test.update(str(each) for each in row["cited_doc_ids"])
        if (document := cited.get(str(name))) is not None:
            text = Text("claims", document["title"], tuple(line.strip() for line in document["sentences"]))
            evidence = tuple(place for place in row["evidence_sentences"] if place < len(text.sentences))
            claims[row["split"]].append(Claim(row["claim"], text, evidence, outcomes[row["label"]]))
    return claims["train"], claims["test"], test
