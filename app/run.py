"""`inloop opt2i` and `inloop resume`: from arguments to a run, its progress and its summary."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.blobs import BlobStore, write_whole
from ..runtime.budget import Budget
from ..runtime.errors import BadInput, InloopError, Interrupted, PrerequisiteError
from ..runtime.runs import RunFolder
from ..runtime.settings import Settings
from .progress import RunView, progress
from .report import render
from .summary import as_json, in_words, stopped_by_budget

if TYPE_CHECKING:
    from ..graphs.opt2i import Opt2iConfig
    from ..graphs.outcome import Outcome

__all__ = ["drop_if_untouched", "opt2i", "read_prompts", "resume"]

_BUDGET, _INTERRUPTED = 4, 130


def opt2i(args: argparse.Namespace) -> int:
    """The command `inloop opt2i`."""
    prompts = _prompts(args)
    Budget.parse(args.budget)
    settings = Settings.load(
        llm=args.llm, images=args.images, vqa=args.vqa, clip=args.clip, device=args.device, runs_dir=args.out
    )

    from pydantic import ValidationError

    from ..graphs.opt2i import Opt2iConfig

    given: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("objective", "iterations", "candidates", "images_per_prompt", "history", "seed", "heldout_seeds")
        if getattr(args, name) is not None
    }
    try:
        config = Opt2iConfig(
            prompts=prompts,
            llm=settings.llm,
            images=settings.images,
            vqa=settings.vqa,
            clip=settings.clip,
            baselines=not args.no_baselines,
            budget=args.budget,
            questioner=args.questioner,
            **given,
        )
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-")
        raise BadInput(f"--{flag} {first['input']!r} cannot be used: {first['msg'].lower()}.") from None
    folder = RunFolder.create(settings.runs_dir, "opt2i", config)
    try:
        return _go(config, settings, folder, resume=False, json_output=args.json)
    except (BadInput, PrerequisiteError):
        drop_if_untouched(folder)
        raise


def resume(args: argparse.Namespace) -> int:
    """The command `inloop resume`; for a finished run it shows the result again."""
    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    if folder.loop == "score":
        from .score import score_again

        settings = Settings.load(runs_dir=folder.path.parent)
        return score_again(folder, settings, json_output=args.json)
    if folder.loop == "rag":
        from .ask import ask_again

        return ask_again(folder, Settings.load(runs_dir=folder.path.parent), json_output=args.json)
    if folder.loop == "promptcap":
        from .vqa import vqa_again

        return vqa_again(folder, Settings.load(runs_dir=folder.path.parent), json_output=args.json)
    if folder.loop == "vqa_eval":
        from .vqa_eval import vqa_eval_again

        return vqa_eval_again(folder, Settings.load(runs_dir=folder.path.parent), json_output=args.json)
    if folder.loop == "llm2llm":
        from .llm2llm import llm2llm_again

        return llm2llm_again(folder, json_output=args.json)
    if folder.loop != "opt2i":
        raise BadInput(f"the run {folder.id!r} is of the loop {folder.loop!r}, which this version cannot resume.")

    from pydantic import ValidationError

    from ..graphs.opt2i import Opt2iConfig

    try:
        config = Opt2iConfig.model_validate(folder.config)
    except ValidationError as error:
        raise PrerequisiteError(
            f"{folder.path / 'config.json'} does not hold the settings of this loop: {error.errors()[0]['msg']}",
            remedy="restore the file, or start the run anew.",
        ) from None
    # the run's own models, and the runs folder it lies in: today's flags and environment must not change a run
    settings = Settings.load(
        llm=config.llm, images=config.images, vqa=config.vqa, clip=config.clip, runs_dir=folder.path.parent
    )
    return _go(config, settings, folder, resume=True, json_output=args.json)


def _go(config: Opt2iConfig, settings: Settings, folder: RunFolder, *, resume: bool, json_output: bool) -> int:
    from ..graphs.opt2i import run_opt2i

    logging.basicConfig(format="%(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("inloop").setLevel(settings.log_level.upper())
    view = RunView(prompts=len(config.prompts), iterations=config.iterations)
    try:
        with progress(view, sys.stderr, silent=json_output) as show:
            outcome: Outcome = asyncio.run(
                run_opt2i(config, settings=settings, folder=folder, resume=resume, on_event=show)
            )
        if not folder.finished:
            folder.write_result(outcome)
        page = render(outcome, BlobStore(settings.store_dir / "blobs"))
        write_whole(folder.report_path, page.encode("utf-8"))
    except (KeyboardInterrupt, asyncio.CancelledError, Interrupted):
        _say(folder, json_output, "interrupted", "interrupted: what is done is kept.")
        return _INTERRUPTED
    except InloopError as error:
        if view.tasks and not json_output:
            print(f"inloop: the run stopped; to go on with it: inloop resume {folder.path}", file=sys.stderr)
        raise error
    finally:
        folder.close()
    if json_output:
        print(json.dumps(as_json(outcome, folder), ensure_ascii=False))
    else:
        print(in_words(outcome, folder, bold=sys.stdout.isatty()))
    return _BUDGET if stopped_by_budget(outcome) else 0


def _say(folder: RunFolder, json_output: bool, kind: str, text: str) -> None:
    again = f"inloop resume {folder.path}"
    if json_output:
        print(json.dumps({"error": {"kind": kind, "message": text, "remedy": again}, "exit_code": _INTERRUPTED}))
    else:
        print(f"\ninloop: {text}\n  to go on:  {again}", file=sys.stderr)


def drop_if_untouched(folder: RunFolder) -> None:
    """Remove a folder in which nothing has happened yet: a refused command should leave nothing behind."""
    left = {path.name for path in folder.path.iterdir()} if folder.path.is_dir() else set()
    if left and left <= {"config.json", "lock"}:
        for name in left:
            (folder.path / name).unlink()
        folder.path.rmdir()


def _prompts(args: argparse.Namespace) -> tuple[str, ...]:
    given = list(args.prompt)
    if args.prompts is not None:
        given += read_prompts(Path(args.prompts))
    if not given:
        raise BadInput('no prompt: give one, as in inloop opt2i "a red circle above a blue square", or --prompts FILE.')
    for prompt in given:
        if not prompt.strip():
            raise BadInput(f"the prompt {prompt!r} is empty: say what the picture should show.")
    return tuple(dict.fromkeys(" ".join(prompt.split()) for prompt in given))


def read_prompts(path: Path) -> list[str]:
    """The prompts of a text file (UTF-8): one a line; empty lines and lines that start with # are passed over.

    Raises:
        BadInput: the file is not there, is not UTF-8 text, or holds no prompt.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{str(path)!r} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from None
    except OSError as error:
        raise BadInput(f"the prompts cannot be read from {str(path)!r}: {error.strerror}.") from None
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise BadInput(f"there is no prompt in {str(path)!r}: write one a line.")
    return found
