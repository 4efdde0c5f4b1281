"""True and false statements about documents, asked of `inloop.ask` with its offline defaults: which does it say the sources support?

Two sets, over one index of all documents: 60 abstracts of SciFact, five pages of this repository, and the twelve texts of
`data/texts` (news, recipe, lease, biography, questions and answers, price list, minutes, manual, guide, report, history, letter),
which were written for this and are in no training. `data/statements.json` holds statements about the twelve that were written by
hand; of the sentences of all documents more are made by rule (`perturbations`). A statement counts as supported where any citation
that is shown is said to support it. The peer of those by rule is the calibrated overlap alone, on the document's best sentence.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import inloop
from inloop.runtime.settings import Settings
from inloop.tools.data import read_corpus
from inloop.tools.entailment import Overlap, sentences

from .figures import Figure, Options
from .perturbations import perturbed
from .rag_answers import scifact

__all__ = ["Statement", "by_hand", "measure"]

_DATA = Path(__file__).parent / "data"
_ABSTRACTS, _SENTENCES, _SEED = 60, 6, 7
_PAGES = ("README.md", "docs/serving.md", "docs/llm2llm.md", "docs/rag.md", "docs/promptcap.md")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What is asked; `kind`: how it differs from the text that it is about; `lines`: that text's sentences, of those by rule."""

    text: str
    true: bool
    kind: str
    document: str
    lines: tuple[str, ...] = ()

    @property
    def maker(self) -> str:
        """Who made it."""
        return "by rule" if self.lines else "by hand"


def measure(options: Options) -> list[Figure]:
    """Shares of the statements that are called supported, by maker and kind; each with its outcome in `statements-cases.json`."""
    with TemporaryDirectory() as scratch:
        library, url = Path(scratch) / "library", f"lancedb:{scratch}/index"
        documents = dict(_documents(library))
        asked = [*by_hand(), *(_by_rule(documents) if options.makers == "all" else ())]
        settings = Settings.load(llm=options.llm, device=options.device, runs_dir=Path(scratch) / "runs")
        inloop.index(str(library), to=url, clip="none", embedder=options.embedder, settings=settings)
        answers = inloop.ask(
            *(statement.text for statement in asked), index=url, embedder=options.embedder, settings=settings
        ).answers
    cited = [(*answer.citations, *(answer.abstained.citations if answer.abstained else ())) for answer in answers]
    supported = [any(citation.stance == "supports" for citation in citations) for citations in cited]
    _keep_cases(options.out, asked, [[each.model_dump(mode="json") for each in citations] for citations in cited])
    ruled = [statement for statement in asked if statement.lines]
    alone = dict(zip(ruled, asyncio.run(_overlap(ruled)), strict=True))
    groups: dict[str, list[tuple[Statement, bool]]] = defaultdict(list)
    for statement, outcome in zip(asked, supported, strict=True):
        side = "true" if statement.true else "false"
        for name in (f"{statement.maker}, {side}: {statement.kind}", f"{statement.maker}, {side}", f"all {side} ones"):
            groups[name].append((statement, outcome))
    figures = []
    for name, group in sorted(groups.items()):
        peers = [alone[statement] for statement, _ in group if statement in alone]
        note = f"; the overlap alone: {100 * sum(peers) / len(peers):.1f} %" if len(peers) == len(group) else ""
        figures.append(Figure.share(name, [outcome for _, outcome in group], "% supported", note))
    return figures


def by_hand() -> Iterator[Statement]:
    """The statements about `data/texts` that were written by hand."""
    documents = json.loads((_DATA / "statements.json").read_text(encoding="utf-8"))
    for document, sides in documents.items():
        for side, kinds in sides.items():
            for kind, texts in kinds.items():
                for text in texts:
                    yield Statement(text=text, true=side == "true", kind=kind, document=document)


def _by_rule(documents: dict[str, str]) -> Iterator[Statement]:
    rng = random.Random(_SEED)
    for document, text in documents.items():
        lines = [line for span in sentences(text) if 6 <= len((line := " ".join(span.text.split())).split()) <= 45]
        for line in rng.sample(lines, min(len(lines), _SENTENCES)):
            for kind, true, statement in perturbed(line, " ".join(lines), rng):
                yield Statement(text=statement, true=true, kind=kind, document=document, lines=tuple(lines))


def _documents(library: Path) -> Iterator[tuple[str, str]]:
    """Every document as a file of `library`; gives its name and its text without marks."""
    library.mkdir()
    abstracts = [(passage.title, passage.text) for passage in read_corpus(scifact() / "corpus.jsonl")]
    files = {
        f"abstract-{place:02}.md": f"# {title}\n\n{text}\n"
        for place, (title, text) in enumerate(random.Random(_SEED).sample(abstracts, _ABSTRACTS))
    }
    root = Path(__file__).resolve().parent.parent
    for path in (*(root / page for page in _PAGES), *sorted((_DATA / "texts").iterdir())):
        files[path.name] = path.read_text(encoding="utf-8")
    for name, content in files.items():
        (library / name).write_text(content, encoding="utf-8")
        body = content.partition("\n\n")[2] if name.startswith("abstract-") else content
        yield name, re.sub(r"<[^>]*>|[`*#|]", " ", body)


async def _overlap(statements: Sequence[Statement]) -> list[bool]:
    overlap = Overlap()
    supported = []
    for statement in statements:
        judged = await overlap.judge([(line, statement.text) for line in statement.lines])
        best = max(judged, key=lambda judgement: judgement.evidence)
        enough = best.evidence >= overlap.thresholds["pertinent"]
        supported.append(enough and best.supports / best.evidence >= overlap.thresholds["stance"])
    return supported


def _keep_cases(folder: Path, statements: Sequence[Statement], citations: Sequence[list[dict[str, object]]]) -> None:
    cases = [
        {key: value for key, value in asdict(statement).items() if key != "lines"} | {"citations": shown}
        for statement, shown in zip(statements, citations, strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "statements-cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False), encoding="utf-8")
