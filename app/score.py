"""`inloop score`: pictures with their prompts in, a table with intervals and the worst items out.

A run is a folder: `items.jsonl` (every item with every score and its reasons), `scores.csv`, `result.json`,
`report.html`. A run that was stopped is run again: what was paid for is in the call ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.blobs import BlobStore, write_whole
from ..runtime.errors import BadInput, PrerequisiteError
from ..runtime.runs import RunFolder
from ..runtime.settings import Settings
from .words import amount, clip, printable, seconds

if TYPE_CHECKING:
    from ..evaluators.metrics import Options
    from ..evaluators.scoring import MetricResult, Scored, ScoreRun
    from ..tools.datasets import Items

__all__ = ["add_arguments", "read_run", "score", "score_again"]

_INTERRUPTED = 130
_OPTIONS = ("metric", "pictures", "prompts", "vqa", "clip", "llm", "questioner", "rule", "lazy", "long", "template")
_MORE = ("questions", "limit", "worst", "against")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop score`."""
    command.add_argument(
        "pictures", metavar="PICTURES", help="folder of pictures, CSV/JSONL table, or a saved Hugging Face data set"
    )
    command.add_argument(
        "prompts", nargs="?", metavar="PROMPTS", help="text file with a line a picture, or a table of names and prompts"
    )
    command.add_argument(
        "--metric", metavar="NAMES", default="dsg,clipscore", help="comma separated; an unknown one lists all"
    )
    models = command.add_argument_group("models")
    models.add_argument(
        "--vqa", metavar="IDS", help="mini, a folder or a hub id; several, comma separated: DSG as an ensemble"
    )
    models.add_argument("--clip", metavar="ID", help="CLIP model: mini, a folder or a hub id")
    models.add_argument("--llm", metavar="LLM", help="writes the questions, as in inloop opt2i")
    models.add_argument(
        "--questioner", metavar="WHO", default="", help="another LLM for the questions, or simple-english"
    )
    models.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")
    how = command.add_argument_group("how")
    how.add_argument("--rule", choices=("strict", "released"), default="strict", help="of DSG (default: strict)")
    how.add_argument("--lazy", action="store_true", help="DSG does not ask what a failed parent decides")
    how.add_argument(
        "--long", choices=("refuse", "window"), default="refuse", help="prompts longer than CLIP's text encoder"
    )
    how.add_argument("--template", metavar="TEXT", help="VQAScore's question, with {} for the prompt")
    how.add_argument("--questions", metavar="FILE", help="TIFA questions, as tifa_v1.0_question_answers.json")
    how.add_argument("--limit", type=int, metavar="N", help="score the first N pictures only")
    how.add_argument(
        "--worst", type=int, metavar="N", default=8, help="worst pictures shown for each metric (default: 8)"
    )
    how.add_argument("--against", metavar="RUN", help="compare with an earlier run over the same prompts, paired")
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def score(args: argparse.Namespace) -> int:
    """The command `inloop score`."""
    settings = Settings.load(clip=args.clip, llm=args.llm, device=args.device, runs_dir=args.out)
    config = {name: getattr(args, name) for name in (*_OPTIONS, *_MORE)}
    config |= {"vqa": args.vqa or settings.vqa, "clip": settings.clip, "llm": settings.llm}
    return _go(config, settings, None, json_output=args.json)


def score_again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command: the same again, and what was paid for is not paid again."""
    return _go(folder.config, settings, folder, json_output=json_output)


def read_run(folder: RunFolder) -> ScoreRun:
    """The result of a finished run; `PrerequisiteError` where it is not one of this version."""
    from pydantic import ValidationError

    from ..evaluators.scoring import ScoreRun

    try:
        return ScoreRun.model_validate(folder.result())
    except ValidationError as error:
        raise PrerequisiteError(
            f"{folder.path / 'result.json'} is not a result of this version of inloop: {error.errors()[0]['msg']}",
            remedy=f"run `inloop resume {folder.path}`; what was paid for is not paid again.",
        ) from None


def _go(config: dict[str, Any], settings: Settings, folder: RunFolder | None, *, json_output: bool) -> int:
    from ..evaluators.metrics import find_metrics
    from ..tools.datasets import read_items

    metrics = find_metrics(str(config["metric"]).split(","))
    for name in ("limit", "worst"):
        if config[name] is not None and config[name] < 1:
            raise BadInput(f"--{name} {config[name]!r} cannot be used: give 1 or more.")
    prompts = config["prompts"]
    items = read_items(Path(config["pictures"]), None if prompts is None else Path(prompts))
    if config["limit"] is not None:
        items.items = items.items[: config["limit"]]
    before = _values(RunFolder.open(settings.runs_dir, config["against"])) if config["against"] else {}
    if before and not any(metric.name in before for metric in metrics):
        raise BadInput(f"the run {config['against']!r} has none of these metrics: it has {', '.join(before)}.")
    if folder is None:
        folder = RunFolder.create(settings.runs_dir, "score", config)
    notes: list[str] = []
    try:
        with folder.lock():
            run = asyncio.run(
                _score(config, settings, folder, items, [m.name for m in metrics], before, notes, json_output)
            )
            folder.write_result(run)
            from .score_report import render

            page = render(run, BlobStore(settings.store_dir / "blobs"))
            write_whole(folder.report_path, page.encode("utf-8"))
    except (KeyboardInterrupt, asyncio.CancelledError):
        again = f"inloop resume {folder.path}"
        if json_output:
            problem = {"kind": "interrupted", "message": "interrupted: what is done is kept.", "remedy": again}
            print(json.dumps({"error": problem, "exit_code": _INTERRUPTED}))
        else:
            print(f"\ninloop: interrupted: what is done is kept.\n  to go on:  {again}", file=sys.stderr)
        return _INTERRUPTED
    finally:
        folder.close()
    if json_output:
        told = run.model_dump(mode="json")
        print(json.dumps({**told, "folder": str(folder.path), "report": str(folder.report_path)}, ensure_ascii=False))
    else:
        print(_in_words(run, folder))
    return 0


async def _score(
    config: dict[str, Any],
    settings: Settings,
    folder: RunFolder,
    items: Items,
    names: Sequence[str],
    before: dict[str, dict[str, float | None]],
    notes: list[str],
    quiet: bool,
) -> ScoreRun:
    from ..evaluators.metrics import METRICS, Bench
    from ..evaluators.scoring import ScoreRun, Tally, score_items
    from ..evaluators.statistics import holm
    from ..runtime.store import Store

    begun = time.monotonic()
    with Store.open(settings, run_id=folder.id) as store:
        bench = Bench(_options(config, notes), store, settings)
        tally = Tally(names, worst=config["worst"])
        show = _Progress(len(items), quiet)
        try:
            evaluators = {name: METRICS[name].open(bench) for name in names}
            with (folder.path / "items.jsonl").open("w", encoding="utf-8") as lines:

                def take(scored: Scored) -> None:
                    lines.write(scored.model_dump_json() + "\n")
                    lines.flush()
                    tally.add(scored)
                    show(tally.items)

                await score_items(items, evaluators, store.blobs, on_scored=take)
        finally:
            show.done()
            await bench.close()
        models = bench.models()
        results = []
        for name in names:
            told = [f"{key} {m['id']}" for key, m in models.items() if key.partition(" ")[0] in METRICS[name].models]
            results.append(tally.result(name, evaluator=", ".join(told), about=METRICS[name].about))
        against = {name: tally.against(name, before[name]) for name in names if name in before}
        p_values = {name: made.p for name, made in against.items() if made.p is not None}
        _write_csv(folder, names)
        return ScoreRun(
            run_id=folder.id,
            created=folder.created,
            seconds=round(time.monotonic() - begun, 3),
            config=config,
            models=models,
            items=tally.items,
            prompts=tally.prompts,
            metrics=tuple(results),
            agreement=bench.panel.agreement() if bench.panel is not None else None,
            against=against,
            holm=holm(p_values) if len(p_values) > 1 else {},
            calls=store.ledger.counts(),
            cost=store.ledger.cost,
            notes=tuple(dict.fromkeys(notes)),
        )


def _options(config: dict[str, Any], notes: list[str]) -> Options:
    from ..evaluators.metrics import Options

    return Options(
        vqas=tuple(name.strip() for name in str(config["vqa"]).split(",") if name.strip()),
        clip=config["clip"],
        llm=config["llm"],
        questioner=config["questioner"],
        dsg_rule=config["rule"],
        lazy=config["lazy"],
        long=config["long"],
        template=config["template"] or "",
        questions=Path(config["questions"]) if config["questions"] else None,
        warn=notes.append,
    )


def _values(folder: RunFolder) -> dict[str, dict[str, float | None]]:
    """By metric, the mean of each prompt's pictures in a finished run."""
    from ..evaluators.scoring import Scored
    from ..evaluators.statistics import by_group

    run = read_run(folder)
    texts: list[str] = []
    values: dict[str, list[float | None]] = {result.metric: [] for result in run.metrics}
    with (folder.path / "items.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            scored = Scored.model_validate_json(line)
            texts.append(scored.text)
            for name, found in values.items():
                found.append(scored.scores[name].value)
    return {name: by_group(found, texts) for name, found in values.items()}


def _write_csv(folder: RunFolder, names: Sequence[str]) -> None:
    with (
        (folder.path / "items.jsonl").open(encoding="utf-8") as lines,
        (folder.path / "scores.csv").open("w", encoding="utf-8", newline="") as out,
    ):
        table = csv.writer(out)
        table.writerow(["id", "text", *names])
        for line in lines:
            row = json.loads(line)
            table.writerow([row["id"], row["text"], *(row["scores"][name]["value"] for name in names)])


def _in_words(run: ScoreRun, folder: RunFolder) -> str:
    lines = [f"{amount(run.items)} pictures of {amount(run.prompts)} prompts, {seconds(run.seconds)}", ""]
    lines.append(f"{'metric':11} {'mean':>7}  {'95 % interval':17} {'prompts':>8} {'pictures':>9} {'not scored':>11}")
    for result in run.metrics:
        lines.append(_row(result))
        lines += [f"            {amount(count)} x {clip(printable(why), 100)}" for why, count in result.reasons.items()]
        for tag, found in result.slices.items():
            value = "" if found.value is None else f"{found.value:7.3f}"
            ci = "" if found.ci is None else f"{found.ci[0]:.3f} to {found.ci[1]:.3f}"
            lines.append(f"  {clip(printable(tag), 9):9} {value:>7}  {ci:17} {amount(found.n):>8}")
    for name, made in run.against.items():
        gain = "not known" if made.gain.value is None else f"{made.gain.value:+.3f}"
        ci = "" if made.gain.ci is None else f" ({made.gain.ci[0]:+.3f} to {made.gain.ci[1]:+.3f})"
        p = "" if made.p is None else f", p = {made.p:.4f}"
        p += f", {run.holm[name]:.4f} corrected for {len(run.holm)} metrics" if name in run.holm else ""
        lines.append(f"{name} against {run.config['against']}: {gain}{ci} over {made.gain.n} prompts{p}")
    if run.agreement is not None and run.agreement.kappa is not None:
        share = run.agreement.share or 0.0
        lines.append(
            f"the VQA models agree on {share:.0%} of {amount(run.agreement.questions)} questions, kappa {run.agreement.kappa:.2f}"
        )
    for result in run.metrics:
        if result.worst:
            lines += ["", f"worst by {result.metric}:"]
            for item in result.worst[:5]:
                score = item.scores[result.metric]
                lines.append(f"  {score.value:7.3f}  {clip(printable(item.id), 32)}  {clip(printable(item.text), 60)}")
                lines.append(f"           {clip(printable(score.explanation), 110)}")
    paid = sum(numbers["paid"] for numbers in run.calls.values())
    reused = sum(numbers["reused"] for numbers in run.calls.values())
    lines += ["", *(f"note: {clip(printable(note), 200)}" for note in run.notes[:5])]
    lines.append(f"model calls: {amount(paid)} made, {amount(reused)} reused")
    lines.append(f"report: {folder.report_path}")
    return "\n".join(lines)


def _row(result: MetricResult) -> str:
    overall = result.overall
    value = "none" if overall.value is None else f"{overall.value:.3f}"
    ci = "" if overall.ci is None else f"{overall.ci[0]:.3f} to {overall.ci[1]:.3f}"
    return (
        f"{result.metric:11} {value:>7}  {ci:17} {amount(overall.n):>8} {amount(result.pictures):>9}"
        f" {amount(result.unscored):>11}"
    )


class _Progress:
    """How far it is: one line that moves on a terminal, one line every ten seconds elsewhere."""

    def __init__(self, total: int, quiet: bool) -> None:
        self._total, self._quiet = total, quiet
        self._begun = time.monotonic()
        self._live = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, count: int) -> None:
        spent = time.monotonic() - self._begun
        if self._quiet or (spent < self._next and count < self._total):
            return
        self._next = spent + (0.2 if self._live else 10.0)
        rate = count / spent if spent > 0 else 0.0
        left = f", {seconds((self._total - count) / rate)} left" if rate and count < self._total else ""
        text = f"{amount(count)} of {amount(self._total)} pictures, {rate:.1f} a second{left}"
        print(f"\r{text:78}" if self._live else text, end="" if self._live else "\n", file=sys.stderr, flush=True)

    def done(self) -> None:
        if self._live and not self._quiet:
            print(file=sys.stderr)
