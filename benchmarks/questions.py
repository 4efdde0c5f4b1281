"""Questions as users ask them, about three documentation packages in four formats, asked of `inloop.ask` with its offline defaults.

Two sets: `data/questions.json`, and `data/questions-second.json` about three other packages. Each names its packages (version, hash, licence)
and holds the questions with their keys: words of which one has to be in what is quoted. They were written before the first run. Right: a key
is in the quoted text, and that quotation does not merely repeat the question. "Not sure, see this passage" and "the sources contradict each
other" are no answers: refused where there is none; of those that can be answered, the share whose passage holds a key is given. With
`--answerer llm` Haystack answers the same (`haystack_peer`): the same vectors of MiniLM, its own readers, splitter and prompt, and smollm2
behind the embedded server.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import inloop
from inloop.runtime.answers import CitedAnswer
from inloop.runtime.errors import PrerequisiteError
from inloop.runtime.models import fetch
from inloop.runtime.serving import Serving, embedded_plan, find_servable, free_port
from inloop.runtime.settings import Settings
from inloop.runtime.store.open import Store
from inloop.tools.encoders import open_text_embedder
from inloop.tools.index import open_index

from .figures import Figure, Options
from .packages import Package

__all__ = ["Question", "measure", "questions"]

_SETS = {"first": "questions.json", "second": "questions-second.json"}
_SHOWN = 5
_UNSURE = ("not_sure", "contradicting_sources")
_PEER = (
    *("haystack-ai==3.4.1", "sentence-transformers-haystack==2.0.0", "sentence-transformers==6.2.0"),
    *("trafilatura==2.3.1", "lxml-html-clean==0.4.6", "markdown-it-py==4.3.0", "mdit-plain==1.0.1", "pypdf==7.1.1"),
)
_UNKNOWING = re.compile(
    r"no[ _]answer|(?:do|does|did) ?n[o']t (?:know|contain|mention|provide|specify)|cannot (?:answer|be answered)", re.I
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """`keys`: words of which one is in a right answer, none where the package does not answer; `file`: where they stand."""

    text: str
    package: str
    kind: str
    file: str = ""
    keys: tuple[str, ...] = ()

    def keyed(self, texts: Sequence[str]) -> bool:
        """Whether a key is in one of `texts`, whatever its case, blanks and marks are."""
        return any(_plain(key) in _plain(text) for key in self.keys for text in texts)

    def repeated_by(self, quote: str) -> bool:
        """Whether `quote` merely repeats the question, or asks one itself."""
        words = set(re.findall(r"\w+", quote.lower()))
        return quote.rstrip(" *_`\n").endswith("?") or words <= set(re.findall(r"\w+", self.text.lower()))


def questions(which: str = "first") -> tuple[list[Package], list[Question]]:
    """The packages and the questions of a set, "first" or "second"."""
    data = json.loads((Path(__file__).parent / "data" / _SETS[which]).read_text(encoding="utf-8"))
    asked = [
        Question(
            text=row["question"], package=row["package"], kind=row["kind"], file=row.get("file", ""),
            keys=tuple(row.get("keys", ())),
        )
        for row in data["questions"]
    ]  # fmt: skip
    packages = [Package(**row) for row in data["packages"]]
    return packages, asked


def measure(options: Options) -> list[Figure]:
    """Shares of right answers and of refusals, by format and kind; each case in `questions-cases.json`."""
    packages, asked = questions(options.questions)
    cache = Settings.load().cache_dir / "benchmarks"
    cases: list[dict[str, Any]] = []
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "questions-cases.json"
    for package in packages:
        about = [question for question in asked if question.package == package.name]
        for name in package.formats:
            with TemporaryDirectory() as library:
                package.documents(name, cache / "packages", Path(library))
                outcomes = _ours(library, about, options, cache)
                if options.answerer == "llm":
                    peers = _peers(library, about, cache)
                    outcomes = [ours | theirs for ours, theirs in zip(outcomes, peers, strict=True)]
            cases += [
                {"format": name, "kind": question.kind, "question": question.text, "keys": question.keys, **outcome}
                for question, outcome in zip(about, outcomes, strict=True)
            ]
            kept.write_text(json.dumps(cases, indent=1, ensure_ascii=False), encoding="utf-8")
    return [
        figure for who in ("inloop", "haystack") if f"{who}: outcome" in cases[0] for figure in _figures(who, cases)
    ]


def _figures(who: str, cases: Sequence[dict[str, Any]]) -> list[Figure]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in cases:
        for name in ("all", case["format"], *((case["kind"],) if who == "inloop" else ())):
            groups[name].append(case)
    figures = []
    for name, group in groups.items():
        known = [case for case in group if case["keys"]]
        if known:
            figures += [
                Figure.share(
                    f"{who}, {name}: answerable, {outcome}", [case[f"{who}: outcome"] == outcome for case in known]
                )
                for outcome in ("right", "wrong", "not sure", "refused")
            ]
            shown = [case[f"{who}: key in passage"] for case in known if case[f"{who}: outcome"] == "not sure"]
            if shown:
                figures.append(Figure.share(f"{who}, {name}: not sure, the passage holds the key", shown))
            retrieved = [case[f"{who}: key retrieved"] for case in known]
            figures.append(Figure.share(f"{who}, {name}: a key is in one of {_SHOWN} passages", retrieved))
        if unknown := [case for case in group if not case["keys"]]:
            hits = [case[f"{who}: outcome"] in ("refused", "not sure") for case in unknown]
            figures.append(Figure.share(f"{who}, {name}: not answerable, refused", hits))
    return figures


def _ours(library: str, about: Sequence[Question], options: Options, cache: Path) -> list[dict[str, Any]]:
    with TemporaryDirectory() as scratch:
        settings = Settings.load(
            llm=options.llm, device=options.device, runs_dir=Path(scratch) / "runs", store=cache / "store"
        )
        url = f"lancedb:{scratch}/index"
        inloop.index(library, to=url, clip="none", embedder=options.embedder, settings=settings)
        texts = [question.text for question in about]
        answers = inloop.ask(*texts, index=url, embedder=options.embedder, settings=settings).answers
        passages = asyncio.run(_retrieved(url, texts, options.embedder, settings))
    return [
        {
            "inloop: outcome": _outcome(question, answer),
            "inloop: text": answer.text,
            "inloop: passage": [citation.quote for citation in answer.abstained.citations] if answer.abstained else [],
            "inloop: reason": answer.abstained.reason if answer.abstained else "",
            "inloop: key in passage": bool(answer.abstained)
            and question.keyed([citation.quote for citation in answer.abstained.citations]),
            "inloop: key retrieved": question.keyed(texts),
        }
        for question, answer, texts in zip(about, answers, passages, strict=True)
    ]


def _outcome(question: Question, answer: CitedAnswer) -> str:
    if answer.answered:
        quotes = [citation.quote for citation in answer.citations if not question.repeated_by(citation.quote)]
        return "right" if question.keyed(quotes) else "wrong"
    return "not sure" if answer.abstained and answer.abstained.reason in _UNSURE else "refused"


async def _retrieved(url: str, texts: Sequence[str], embedder: str, settings: Settings) -> list[list[str]]:
    if embedder == "none":
        index, mode = await open_index(url), "bm25"
    else:
        text = await asyncio.to_thread(open_text_embedder, embedder, Store.open(settings), settings)
        index, mode = await open_index(url, text=text), "hybrid"
    hits = await index.search(list(texts), k=_SHOWN, mode=mode)
    await index.close()
    return [[hit.passage.indexed for hit in ranking] for ranking in hits]


def _peers(library: str, about: Sequence[Question], cache: Path) -> list[dict[str, Any]]:
    settings = Settings.load()
    model = find_servable("smollm2", [], settings.cache_dir)
    plan = embedded_plan(model, port=free_port(), cache_dir=settings.cache_dir, context=4096)
    with Serving(plan, settings.cache_dir) as serving, TemporaryDirectory() as scratch:
        job, results = Path(scratch) / "job.json", Path(scratch) / "results.json"
        job.write_text(
            json.dumps({
                "folder": library, "questions": [question.text for question in about], "url": serving.served.url,
                "model": next(iter(serving.served.models)), "embedder": str(fetch("minilm", settings.cache_dir)),
                "passages": _SHOWN,
            }),
            encoding="utf-8",
        )  # fmt: skip
        script = Path(__file__).with_name("haystack_peer.py")
        done = subprocess.run([_peer_python(cache), script, job, results], capture_output=True, text=True)
        if done.returncode:
            raise PrerequisiteError(
                f"Haystack failed: {done.stderr.strip().splitlines()[-1:]}",
                remedy=f"run {script} in {cache / 'haystack'}, or remove that.",
            )
        rows = json.loads(results.read_text(encoding="utf-8"))
    return [
        {
            "haystack: outcome": "refused" if _UNKNOWING.search(row["reply"]) or not row["reply"].strip()
            else "right" if question.keyed([row["reply"]]) and not question.repeated_by(row["reply"])
            else "wrong",
            "haystack: text": row["reply"],
            "haystack: key retrieved": question.keyed(row["passages"]),
        }
        for question, row in zip(about, rows, strict=True)
    ]  # fmt: skip


def _peer_python(cache: Path) -> Path:
    """Haystack's own environment; torch and transformers are those of this one, so that the same code computes the vectors."""
    environment = cache / "haystack"
    python = environment / "bin" / "python"
    if not (environment / "installed").is_file():
        print("  installing Haystack into an environment of its own ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        [site] = environment.glob("lib/python*/site-packages")
        here = Path(json.__file__).parent / "site-packages" if sys.prefix == sys.base_prefix else Path(sys.prefix)
        ours = here if here.name == "site-packages" else next(here.glob("lib/python*/site-packages"))
        (site / "inloop.pth").write_text(f"{ours}\n", encoding="utf-8")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_PEER], check=True)
        (environment / "installed").touch()
    return python


def _plain(text: str) -> str:
    straight = text.translate(str.maketrans("’‘“”‐‑", "''\"\"--", "`*\u00ad"))
    return re.sub(r"\s+", " ", straight).lower()
