"""The arguments that the commands about pictures share, and what was given of them."""

from __future__ import annotations

import argparse
from typing import Any

from ...runtime.settings import Settings

__all__ = ["add_roles", "add_how", "given_roles", "given_way"]


_ANSWERER = "smollm2"


_PATHS = ("examples", "examples_annotations", "examples_captions", "examples_images")


_ROLES = ("captioner", "embedder", "index", "examples_index", "preset", "judge", "max_tokens", "seed", "budget", "in_flight",
          *_PATHS)  # fmt: skip


def add_roles(command: argparse.ArgumentParser) -> None:
    """The arguments that say who does what."""
    roles = command.add_argument_group("who does what")
    roles.add_argument(
        "--llm", metavar="LLM", help=f"{_ANSWERER} (default), gguf:PATH, http://host:8000/v1[#model], openai:MODEL"
    )
    roles.add_argument(
        "--captioner", metavar="ID", help="mini-promptcap (default), a folder, a hub id, or a vision server's URL"
    )
    roles.add_argument(
        "--vqa", metavar="ID", help="the model that sees the picture: mini, a folder, a hub id, or a URL"
    )
    roles.add_argument("--clip", metavar="ID", help="compares pictures of examples: mini, a folder or a hub id")
    roles.add_argument("--embedder", metavar="ID", help="compares questions; of an index: the one that made it")
    roles.add_argument("--judge", choices=("auto", "words", "llm"), help="who checks the answers (default: auto)")
    roles.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1, mps, ...")


def add_how(command: argparse.ArgumentParser) -> None:
    """The arguments that say how a question is answered."""
    how = command.add_argument_group("how")
    how.add_argument(
        "--preset", choices=("pica", "promptcap", "prophet"), help="the published prompt (default: promptcap)"
    )
    how.add_argument(
        "--captions-are", choices=("aware", "generic", "both"), help="default: as the preset was published"
    )
    how.add_argument("--index", metavar="URL", help="knowledge: an index, or a corpus.jsonl")
    how.add_argument("--passages", type=int, metavar="N", help="passages of knowledge that are shown (default: 3)")
    how.add_argument("--shots", type=int, metavar="N", help="worked examples, 0 to 32 (default: 0)")
    how.add_argument(
        "--selection", choices=("random", "question", "image+question"), help="of the examples (default: question)"
    )
    how.add_argument("--examples", metavar="FILE", help="questions with answers (and captions) to take examples from")
    how.add_argument("--examples-annotations", metavar="FILE", help="their answers, where they are official files")
    how.add_argument("--examples-captions", metavar="FILE", help="their captions, where the questions hold none")
    how.add_argument("--examples-images", metavar="DIR", help="their pictures, for captions and image+question")
    how.add_argument("--examples-index", metavar="URL", help="where they are searched (default: memory:)")
    how.add_argument("--votes", type=int, metavar="N", help="answers that become one (default: 1)")
    how.add_argument(
        "--ensemble", choices=("max", "sum", "majority"), help="how (default: as the preset was published)"
    )
    how.add_argument("--max-tokens", type=int, metavar="N", help="of an answer (default: the preset's)")
    how.add_argument("--seed", type=int, metavar="N", help="default: 0")
    how.add_argument("--in-flight", type=int, metavar="N", help="questions at once (default: 64)")
    how.add_argument(
        "--budget", metavar="LIMITS", default="", help="stop at limits such as tokens=10000,seconds=60,money=0.5"
    )
    command.add_argument("--out", metavar="DIR", help="the folder in which the run's folder is made (default: runs)")


def given_roles(args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """The fields of `PromptCapConfig` that were given. The writer of prompts is no answerer: the bare model takes its place."""
    given = {name: getattr(args, name) for name in _ROLES if getattr(args, name) is not None}
    from ...tools.data import fetched

    corpus = ("index",) if str(given.get("index", "")).endswith(".jsonl") else ()
    for name in (*_PATHS, *corpus):  # a run may be resumed from another folder
        if given.get(name):
            given[name] = str(fetched(given[name], settings.cache_dir).resolve())
    llm = _ANSWERER if settings.llm == "mini-writer" and args.llm is None else settings.llm
    return {"llm": llm, "vqa": settings.vqa, "clip": settings.clip, **given}


def given_way(args: argparse.Namespace, *, pictures: bool) -> dict[str, Any]:
    """The fields of a `Method` that were given, or that the preset has."""
    from ...agents.captions import PRESETS

    preset = PRESETS[args.preset or "promptcap"]
    caption = args.captions_are or preset.caption
    given = {"shots": args.shots, "selection": args.selection, "votes": args.votes, "passages": args.passages}
    return {
        "caption": caption if pictures else "given",
        "tags": preset.tags,
        "rule": args.ensemble or preset.rule,
        "knowledge": "index" if args.index else "none",
        **{name: value for name, value in given.items() if value is not None},
    }
