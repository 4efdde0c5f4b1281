"""`inloop score`: pictures with their prompts in, a table with intervals and the worst items out.

A run is a folder: `items.jsonl` (every item with every score and its reasons), `scores.csv`, `result.json`,
`report.html`. A run that was stopped is run again: what was paid for is in the call ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.records import BlobRef
from ...runtime.run import RunFolder
from ...runtime.settings import Settings
from ...runtime.store import BlobStore, write_whole
from ..cli import kept
from .format import Progress, in_words

if TYPE_CHECKING:
    from ...evaluators.run import Bench, Options, Scored, ScoreRun
    from ...evaluators.stats import SetStatistics
    from ...tools.data import Items

__all__ = ["add_arguments", "read_run", "score", "again", "report_page"]

_FEWEST = 5  # pictures of a set that statistics can be taken of
_OPTIONS = ("metric", "pictures", "prompts", "vqa", "clip", "llm", "questioner", "rule", "lazy", "long", "template")
_MORE = ("questions", "limit", "worst", "against", "detector", "geneval", "reward", "reference")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop score`."""
    command.add_argument(
        "pictures",
        metavar="PICTURES",
        help="folder of pictures, CSV/JSONL table, a saved Hugging Face data set, or hf:OWNER/NAME",
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
    models.add_argument(
        "--detector",
        metavar="ID",
        default="ssd",
        help="of GenEval: ssd, a folder or a hub id; ?detection=0.3&counting=0.9",
    )
    models.add_argument(
        "--reward",
        metavar="NAME=ID",
        action="append",
        default=[],
        help="another checkpoint of pickscore, hpsv2 or imagereward (folder or hub id)",
    )
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
    how.add_argument("--geneval", metavar="FILE", help="GenEval requirements by prompt, as evaluation_metadata.jsonl")
    how.add_argument("--limit", type=int, metavar="N", help="score the first N pictures only")
    how.add_argument(
        "--worst", type=int, metavar="N", default=8, help="worst pictures shown for each metric (default: 8)"
    )
    how.add_argument(
        "--reference", metavar="DIR", help="pictures to take FID, KID, precision and recall against (CLIP)"
    )
    how.add_argument("--against", metavar="RUN", help="compare with an earlier run over the same prompts, paired")
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def score(args: argparse.Namespace) -> int:
    """The command `inloop score`."""
    settings = Settings.load(clip=args.clip, llm=args.llm, device=args.device, runs_dir=args.out)
    config = {name: getattr(args, name) for name in (*_OPTIONS, *_MORE)}
    config |= {"vqa": args.vqa or settings.vqa, "clip": settings.clip, "llm": settings.llm}
    return _go(config, settings, None, json_output=args.json)


def again(folder: RunFolder, settings: Settings, *, json_output: bool) -> int:
    """Go on with a run of this command: the same again, and what was paid for is not paid again."""
    return _go(folder.config, settings, folder, json_output=json_output)


def read_run(folder: RunFolder) -> ScoreRun:
    """The result of a finished run; `PrerequisiteError` where it is not one of this version."""
    from ...evaluators.run import ScoreRun

    return folder.result_as(ScoreRun)


def report_page(folder: RunFolder, blobs: BlobStore, *, limit: int) -> str:
    """The HTML report of a finished run."""
    from .report import render

    return render(read_run(folder), blobs, limit=limit)


def _go(config: dict[str, Any], settings: Settings, folder: RunFolder | None, *, json_output: bool) -> int:
    from ...evaluators.run import find_metrics
    from ...tools.data import picture_files, read_items

    metrics = find_metrics(str(config["metric"]).split(","))
    for name in ("limit", "worst"):
        if config[name] is not None and config[name] < 1:
            raise BadInput(f"--{name} {config[name]!r} cannot be used: give 1 or more.")
    prompts = config["prompts"]
    items = read_items(str(config["pictures"]), None if prompts is None else Path(prompts))
    if config["limit"] is not None:
        items.items = items.items[: config["limit"]]
    reference = picture_files(Path(config["reference"])) if config.get("reference") else []
    if reference and min(len(reference), len(items)) < _FEWEST:
        raise BadInput(
            f"--reference: {len(items)} pictures and {len(reference)} in {config['reference']!r} are too few to be compared"
            f" as sets: give {_FEWEST} or more of each."
        )
    before = _values(RunFolder.open(settings.runs_dir, config["against"])) if config["against"] else {}
    if before and not any(metric.name in before for metric in metrics):
        raise BadInput(f"the run {config['against']!r} has none of these metrics: it has {', '.join(before)}.")
    if folder is None:
        folder = RunFolder.create(settings.runs_dir, "score", config)
    notes: list[str] = []
    with kept(folder, begun=lambda: False, quiet=json_output), folder.lock():
        run = asyncio.run(
            _score(config, settings, folder, items, [m.name for m in metrics], before, reference, notes, json_output)
        )
        folder.write_result(run)
        from .report import render

        page = render(run, BlobStore(settings.store_dir / "blobs"))
        write_whole(folder.report_path, page.encode("utf-8"))
    if json_output:
        told = run.model_dump(mode="json")
        print(json.dumps({**told, "folder": str(folder.path), "report": str(folder.report_path)}, ensure_ascii=False))
    else:
        print(in_words(run, folder))
    return 0


async def _score(
    config: dict[str, Any],
    settings: Settings,
    folder: RunFolder,
    items: Items,
    names: Sequence[str],
    before: dict[str, dict[str, float | None]],
    reference: Sequence[Path],
    notes: list[str],
    quiet: bool,
) -> ScoreRun:
    from ...evaluators.run import METRICS, Bench, ScoreRun, Tally, score_items
    from ...evaluators.stats import holm
    from ...runtime.store import Store

    begun = time.monotonic()
    with Store.open(settings, run_id=folder.id) as store:
        bench = Bench(_options(config, notes), store, settings)
        tally = Tally(names, worst=config["worst"])
        pictures: list[BlobRef] = []
        show = Progress(len(items), quiet)
        try:
            evaluators = {name: METRICS.find(name).open(bench) for name in names}
            with (folder.path / "items.jsonl").open("w", encoding="utf-8") as lines:

                def take(scored: Scored) -> None:
                    lines.write(scored.model_dump_json() + "\n")
                    lines.flush()
                    tally.add(scored)
                    if reference and scored.image is not None:
                        pictures.append(scored.image)
                    show(tally.items)

                await score_items(items, evaluators, store.blobs, on_scored=take)
            statistics = await _statistics(pictures, reference, bench, notes) if reference else None
        finally:
            show.done()
            await bench.close()
        models = bench.models()
        results = []
        for name in names:
            told = [
                f"{key} {m['id']}" for key, m in models.items() if key.partition(" ")[0] in METRICS.find(name).models
            ]
            results.append(tally.result(name, evaluator=", ".join(told), about=METRICS.find(name).about))
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
            statistics=statistics,
            calls=store.ledger.counts(),
            cost=store.ledger.cost,
            notes=tuple(dict.fromkeys(notes)),
        )


def _options(config: dict[str, Any], notes: list[str]) -> Options:
    from ...evaluators.run import Options

    return Options(
        vqas=tuple(name.strip() for name in str(config["vqa"]).split(",") if name.strip()),
        clip=config["clip"],
        detector=config.get("detector") or "ssd",
        llm=config["llm"],
        questioner=config["questioner"],
        dsg_rule=config["rule"],
        lazy=config["lazy"],
        long=config["long"],
        template=config["template"] or "",
        questions=Path(config["questions"]) if config["questions"] else None,
        geneval=Path(config["geneval"]) if config.get("geneval") else None,
        rewards=_rewards(config.get("reward") or []),
        warn=notes.append,
    )


async def _statistics(
    pictures: Sequence[BlobRef], reference: Sequence[Path], bench: Bench, notes: list[str]
) -> SetStatistics | None:
    """The set against the reference; None, with a note, where too few pictures of one could be read."""
    from ...evaluators.stats import compare_sets
    from ...tools.data import read_picture

    others, unread = [], 0
    for path in reference:
        try:
            others.append((await asyncio.to_thread(read_picture, path, bench.store.blobs)).blob)
        except BadInput as error:
            unread += 1
            notes.append(str(error))
    try:
        made = await compare_sets(pictures, others, bench.clip())
    except BadInput as error:
        notes.append(f"no FID, KID, precision and recall: {error}")
        return None
    return made.model_copy(update={"unread": made.unread + unread})


def _rewards(given: Sequence[str]) -> dict[str, str]:
    from ...tools.rewards import REWARDS

    pairs = [text.partition("=") for text in given]
    for name, sign, spec in pairs:
        if name not in REWARDS or not sign or not spec:
            raise BadInput(
                f"--reward {name + sign + spec!r} is not NAME=ID, where NAME is one of {', '.join(REWARDS)}."
            )
    return {name: spec for name, _, spec in pairs}


def _values(folder: RunFolder) -> dict[str, dict[str, float | None]]:
    """By metric, the mean of each prompt's pictures in a finished run."""
    from ...evaluators.run import Scored
    from ...evaluators.stats import by_group

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
