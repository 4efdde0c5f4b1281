"""`inloop promptcap train`: a captioner fine-tuned on caption rows, beside the same one trained on unasked captions.

The two get the same pictures, as many rows and the same seed; what is measured is in how many held-out questions the answer
can be had from the caption, with a paired bootstrap interval. Started again after a kill it goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, Interrupted
from ...runtime.records import flags_checked
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import write_whole
from ...tools.data import CaptionRow, content_sha256, read_caption_rows
from ..cli import seconds

__all__ = ["train"]


def train(args: argparse.Namespace) -> int:
    """The command; 0 done, 130 interrupted."""
    from ...tools.captioning import check_folder, generic_rows, train_captioner
    from ...tools.training import Recipe

    if args.limit is not None and args.limit < 1:
        raise BadInput(f"--limit {args.limit}: give a number above 0.")
    rows = read_caption_rows(Path(args.rows), needs=("image", "caption"))[: args.limit]
    test = read_caption_rows(Path(args.test), needs=("image", "question", "answers")) if args.test else []
    _refuse_leaks(rows, test)
    settings = Settings.load(device=args.device)
    with flags_checked():
        recipe = Recipe(epochs=args.epochs, rate=args.rate, batch=args.batch)

    def say(text: str) -> None:
        if not args.json:
            print(f"  {text}", file=sys.stderr, flush=True)

    sets = {"question": (rows, Path(args.out))}
    if test and not args.no_generic:
        out = Path(args.out).resolve()
        sets["generic"] = (generic_rows(rows), out.with_name(out.name + "-generic"))
    for _, folder in sets.values():
        check_folder(folder)
    if test:
        asyncio.run(_check(test, args.reader, settings))
    made = {}
    try:
        with _stoppable() as stop:
            for name, (some, folder) in sets.items():
                say(f"training on {len(some)} {'rows for questions' if name == 'question' else 'unasked captions'}")
                made[name] = train_captioner(
                    some,
                    start=args.start,
                    out=folder,
                    settings=settings,
                    recipe=recipe,
                    seed=args.seed,
                    train_vision=args.train_vision,
                    say=say,
                    stop=stop,
                )
    except Interrupted:
        raise Interrupted("interrupted: the same command goes on from the last checkpoint.") from None
    result: dict[str, Any] = {"trained": {name: one.model_dump(mode="json") for name, one in made.items()}}
    if test:
        specs = {"start": args.start} | {name: str(folder) for name, (_, folder) in sets.items()}
        result["test"] = asyncio.run(_measure(test, specs, args.reader, settings))
    write_whole(Path(args.out) / "measured.json", (json.dumps(result, indent=1) + "\n").encode())
    if args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        _say(result, args.out)
    return 0


def _refuse_leaks(rows: Sequence[CaptionRow], test: Sequence[CaptionRow]) -> None:
    """Raise `BadInput` where a test question is a training question about the same picture, under whatever name.

    Questions are compared by their words, pictures by what they show; only those of equal questions are read.
    """
    shown = cache(content_sha256)

    def key(row: CaptionRow) -> tuple[str, str]:
        return _words(row.question), shown(Path(row.image or ""))

    asked = {_words(row.question) for row in test}
    trained_on = {key(row) for row in rows if _words(row.question) in asked}
    questions = {question for question, _ in trained_on}
    both = [row.id for row in test if _words(row.question) in questions and key(row) in trained_on]
    if both:
        raise BadInput(
            f"{len(both)} test rows are training rows too, {both[0]!r} for one: measure on rows that were held out."
        )


def _words(question: str | None) -> str:
    return " ".join((question or "").casefold().split())


async def _check(test: list[CaptionRow], reader: str | None, settings: Settings) -> None:
    """Say before the training what could not be measured after it: a picture or a reader that cannot be used."""
    from ...runtime.llm import open_chat
    from ...runtime.store import Store
    from ...tools.data import read_picture

    with Store.open(settings, run_id="promptcap-measure") as store:
        for row in test:
            read_picture(Path(row.image or ""), store.blobs)
        if reader is not None:
            await close(open_chat(reader, store, settings))


async def _measure(
    test: list[CaptionRow], specs: dict[str, str], reader: str | None, settings: Settings
) -> dict[str, Any]:
    """The answer recall of each captioner and the paired gains of the one trained for questions; no caption is unscored."""
    from ...agents.captions import CaptionReader
    from ...evaluators.stats import estimate, paired_gain
    from ...evaluators.vqa import answer_recall
    from ...runtime.llm import open_chat
    from ...runtime.store import Store
    from ...tools.data import read_picture
    from ...tools.vision import each_caption, open_captioner

    with Store.open(settings, run_id="promptcap-measure") as store:
        blobs = {row.image: read_picture(Path(row.image or ""), store.blobs).blob for row in test}
        chat = None if reader is None else open_chat(reader, store, settings)
        scores, samples = {}, {}
        try:
            for name, spec in specs.items():
                captioner = open_captioner(spec, store, settings)
                try:
                    # the generic captioner never saw a question: it is asked as it was trained
                    said = await each_caption(
                        captioner, [(blobs[row.image], None if name == "generic" else row.question) for row in test]
                    )
                finally:
                    await close(captioner)
                scores[name] = await answer_recall(test, said, None if chat is None else CaptionReader(chat))
                samples[name] = said[:3]
        finally:
            if chat is not None:
                await close(chat)
    gains = {name: paired_gain(scores[name], scores["question"]).model_dump() for name in scores if name != "question"}
    return {
        "reader": reader or "rule", "rows": len(test), "samples": samples, "gain_over": gains,
        "recall": {name: estimate(values).model_dump() for name, values in scores.items()},
    }  # fmt: skip


def _say(result: dict[str, Any], out: str) -> None:
    for name, one in result["trained"].items():
        took = "was there already" if one["seconds"] is None else seconds(one["seconds"])
        print(
            f"  {name:9} {one['rows']} rows, {one['steps']} steps, last loss {one['losses'][-1]:.3f}, {took}: {one['folder']}"
        )
    if "test" in result:
        words = {
            "start": "as it started",
            "question": "trained for questions",
            "generic": "trained on unasked captions",
        }
        print(
            f"\n  answers in captions, {result['test']['rows']} held-out questions, read by {result['test']['reader']}"
        )
        for name, one in result["test"]["recall"].items():
            print(f"    {words[name]:28} {_points(one, signed=False)}")
        for name, one in result["test"]["gain_over"].items():
            print(f"    gain over {words[name]:28} {_points(one, signed=True)}")
    print(f"  use it: --captioner {out}")


def _points(one: dict[str, Any], *, signed: bool) -> str:
    if one["value"] is None:
        return "not scored"
    form = "{:+.1f}" if signed else "{:.1f}"
    interval = (
        "" if one["ci"] is None else f"  ({form.format(100 * one['ci'][0])} to {form.format(100 * one['ci'][1])})"
    )
    return form.format(100 * one["value"]) + interval


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that a training ends between two steps."""
    stop = threading.Event()
    kinds = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = [signal.signal(kind, lambda *_: stop.set()) for kind in kinds]
    try:
        yield stop
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
