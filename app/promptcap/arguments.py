"""What the commands about pictures share beside the fields of their configs: how a question is answered, and where files are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ...agents.captions import PRESETS
from ...graphs.promptcap import Method, PromptCapConfig
from ...runtime.settings import Settings
from ...tools.data import fetched
from ..cli import add_flags, given_flags

__all__ = ["add_method", "located", "method_fields"]


def add_method(parser: argparse.ArgumentParser) -> None:
    """The flags that say how a question is answered."""
    add_flags(parser, Method)
    parser.add_argument(
        "--captions-are", choices=("aware", "generic", "both"), help="default: as the preset was published"
    )
    parser.add_argument(
        "--ensemble",
        choices=("max", "sum", "majority"),
        help="how votes become one (default: as the preset was published)",
    )


def method_fields(args: argparse.Namespace, *, pictures: bool) -> dict[str, Any]:
    """The fields of a `Method` that were given, or that the preset has."""
    preset = PRESETS[getattr(args, "preset", "promptcap")]
    return {
        "caption": (args.captions_are or preset.caption) if pictures else "given",
        "tags": preset.tags,
        "rule": args.ensemble or preset.rule,
        "knowledge": "index" if getattr(args, "index", "") else "none",
        **given_flags(args, Method),
    }


def located(fields: Mapping[str, Any], config: type[PromptCapConfig]) -> dict[str, Any]:
    """Those of `fields` that are files, as absolute paths (a run may be resumed from another folder) of what is on this machine."""
    corpus = ("index",) if str(fields.get("index", "")).endswith(".jsonl") else ()
    files = {name: fields[name] for name in (*config.FILES, *corpus) if fields.get(name)}
    cache = Settings.load().cache_dir
    return {name: str(fetched(path, cache).resolve()) for name, path in files.items()}
