"""The commands that show what there is to work with: `inloop models` and `config`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...runtime.errors import PrerequisiteError
from ...runtime.models import download_bar
from ...runtime.settings import Settings
from .streams import json_text

__all__ = ["add_models_arguments", "config", "models"]


def add_models_arguments(command: argparse.ArgumentParser) -> None:
    """List, fetch and verify the models that inloop knows by name."""
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--fetch", nargs="*", metavar="NAME", help="fetch these models (default: all that are not bundled)"
    )
    which.add_argument("--verify", nargs="*", metavar="NAME", help="check every byte of these models (default: all)")


def models(args: argparse.Namespace) -> int:
    """List the models, or fetch or verify some of them."""
    from ...runtime.models import MODELS, bundled, fetch, find, verify

    settings = Settings.load()
    if args.fetch is not None:
        names = args.fetch or [m.name for m in MODELS.values() if not m.is_bundled and not m.extra]
        paths = {name: str(fetch(name, settings.cache_dir, download_bar(name, silent=args.json))) for name in names}
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
        print(json_text({"models": listed}))
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
        print(json_text({"settings": [row._asdict() for row in rows]}))
        return 0
    wide = max(len(row.value) for row in rows)
    for row in rows:
        print(f"{row.name:<12}  {row.value or '-':<{min(wide, 60)}}  {row.where}")
    return 0


def _listed(args: argparse.Namespace, paths: dict[str, str], word: str) -> int:
    if args.json:
        print(json_text({word: paths}))
    else:
        for name, path in paths.items():
            print(f"{name:<10} {word}  {path}")
    return 0
