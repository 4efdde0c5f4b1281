"""The commands that show what is there: `inloop report`, `runs`, `models` and `config`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime.errors import PrerequisiteError
from ..runtime.settings import Settings
from .words import clip, printable

if TYPE_CHECKING:
    from ..runtime.blobs import BlobStore
    from ..runtime.runs import RunFolder

__all__ = ["config", "models", "progress_bar", "report", "runs"]


def report(args: argparse.Namespace) -> int:
    """Draw `report.html` of a finished run anew and print its path."""
    from ..runtime.blobs import BlobStore, write_whole
    from ..runtime.runs import RunFolder
    from .page import DEFAULT_LIMIT

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    # a run that is named by its path keeps its images beside it, not where today's settings point
    beside = folder.path.parent / ".store"
    store = settings.store if settings.store is not None else beside if beside.is_dir() else settings.store_dir
    blobs, limit = BlobStore(store / "blobs"), sys.maxsize if args.all_images else DEFAULT_LIMIT
    if folder.loop == "score":
        from .score import read_run
        from .score_report import render as render_score

        page = render_score(read_run(folder), blobs, limit=limit)
    elif folder.loop == "rag":
        from .ask_report import read_outcome
        from .ask_report import render as render_ask

        page = render_ask(read_outcome(folder))
    elif folder.loop == "promptcap":
        from .vqa_report import read_vqa
        from .vqa_report import render as render_vqa

        page = render_vqa(read_vqa(folder), blobs)
    elif folder.loop == "vqa_eval":
        from .vqa_report import read_eval, render_eval

        page = render_eval(read_eval(folder))
    elif folder.loop == "llm2llm":
        from .llm2llm import report_page

        page = report_page(folder, blobs)
    else:
        page = _opt2i_page(folder, blobs, limit)
    write_whole(folder.report_path, page.encode("utf-8"))
    if args.json:
        print(json.dumps({"run_id": folder.id, "report": str(folder.report_path), "bytes": len(page.encode("utf-8"))}))
    else:
        print(folder.report_path)
    return 0


def _opt2i_page(folder: RunFolder, blobs: BlobStore, limit: int) -> str:
    from pydantic import ValidationError

    from ..graphs.outcome import Outcome
    from .report import render

    try:
        outcome = Outcome.model_validate(folder.result())
    except ValidationError as error:
        raise PrerequisiteError(
            f"{folder.path / 'result.json'} is not a result of this version of inloop: {error.errors()[0]['msg']}",
            remedy=f"draw it with the version that made it, or run `inloop resume {folder.path}`.",
        ) from None
    return render(outcome, blobs, limit=limit)


def runs(args: argparse.Namespace) -> int:
    """List the runs, the newest first."""
    from ..runtime.runs import RunFolder, list_runs

    settings = Settings.load(runs_dir=args.out)
    rows = []
    for info in reversed(list_runs(settings.runs_dir)):
        prompts: list[str] = []
        if info.state != "unreadable":
            asked = RunFolder.open(settings.runs_dir, info.path.resolve()).config
            prompts = [str(p) for p in asked.get("prompts") or filter(None, [asked.get("train")])]
        rows.append((info, prompts))
    if args.json:
        listed = [
            {
                "id": i.id,
                "path": str(i.path),
                "loop": i.loop,
                "created": i.created,
                "state": i.state,
                "note": i.note,
                "prompts": prompts,
            }
            for i, prompts in rows
        ]
        print(json.dumps({"runs": listed}, ensure_ascii=False))
        return 0
    if not rows:
        print(f'no runs in {settings.runs_dir} yet; start one with: inloop opt2i "..."')
    for info, prompts in rows:
        what = clip(printable(prompts[0]), 80) if len(prompts) == 1 else f"{len(prompts)} prompts"
        print(f"{info.id:<32}  {info.state:<10}  {info.note or what}")
    return 0


def models(args: argparse.Namespace) -> int:
    """List the models, or fetch or verify some of them."""
    from ..runtime.models import MODELS, bundled, fetch, find, verify

    settings = Settings.load()
    if args.fetch is not None:
        names = args.fetch or [m.name for m in MODELS.values() if not m.is_bundled and not m.extra]
        paths = {name: str(fetch(name, settings.cache_dir, progress_bar(name, silent=args.json))) for name in names}
        return _listed(args, paths, "ready")
    if args.verify is not None:
        there = [m.name for m in MODELS.values() if not m.extra or (settings.cache_dir / "models" / m.name).exists()]
        paths = {name: str(verify(name, settings.cache_dir)) for name in args.verify or there}
        return _listed(args, paths, "verified")
    rows = []
    for model in MODELS.values():
        where: Path | None
        note = ""
        try:
            where = bundled(model.name) if model.is_bundled else find(model.name, settings.cache_dir)
        except PrerequisiteError as error:
            where, note = None, error.problem
        state = (
            "damaged or missing" if note else "bundled" if model.is_bundled else "fetched" if where else "not fetched"
        )
        rows.append((model, where, state, note))
    if args.json:
        listed = [
            {**model.model_dump(mode="json"), "state": state, "path": str(where) if where else None, "problem": note}
            for model, where, state, note in rows
        ]
        print(json.dumps({"models": listed}, ensure_ascii=False))
        return 0
    for model, where, state, note in rows:
        size = f", {model.size / 1e6:.0f} MB" if model.size else ""
        print(f"{model.name:<10} {state:<12} {model.kind}{size}: {model.note}")
        print(f"{'':<10} {'':<12} {model.source}; {model.author}; {model.licence}")
        if where:
            print(f"{'':<10} {'':<12} {where}")
        if note:
            print(f"{'':<10} {'':<12} {note}")
    print("\nAlso: --llm gguf:PATH or a server's URL; --images, --vqa and --clip take a folder or a hub id.")
    return 0


def config(args: argparse.Namespace) -> int:
    """Show every setting, its value and where that comes from."""
    rows = Settings.sources({})
    if args.json:
        print(json.dumps({"settings": [row._asdict() for row in rows]}, ensure_ascii=False))
        return 0
    wide = max(len(row.value) for row in rows)
    for row in rows:
        print(f"{row.name:<12}  {row.value or '-':<{min(wide, 60)}}  {row.where}")
    return 0


def _listed(args: argparse.Namespace, paths: dict[str, str], word: str) -> int:
    if args.json:
        print(json.dumps({word: paths}, ensure_ascii=False))
    else:
        for name, path in paths.items():
            print(f"{name:<10} {word}  {path}")
    return 0


class _Bar:
    """A moving line on a terminal; a line for each quarter elsewhere."""

    def __init__(self, name: str, *, silent: bool) -> None:
        self._name = name
        self._silent = silent
        self._last = ("", -1)

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._silent or total <= 0:
            return
        moving = sys.stderr.isatty()
        share = min(done * (100 if moving else 4) // total, 100 if moving else 4)
        if (what, share) == self._last:
            return
        self._last = (what, share)
        percent = share if moving else share * 25
        text = f"{self._name}: {what} {percent:3d} % of {total / 1e6:.0f} MB"
        end = "\n" if not moving or done >= total else ""
        print(f"\r{text}" if moving else text, end=end, file=sys.stderr, flush=True)


def progress_bar(name: str, *, silent: bool) -> _Bar:
    """Shows how far a download is, on the standard error."""
    return _Bar(name, silent=silent)
