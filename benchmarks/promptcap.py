"""Questions about pictures, one at a time and many in flight: captions, direct answers, and the language model's answers.

Both sides answer the same questions about the drawn world from an empty ledger, in the same process, with the models loaded.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from inloop.evaluators.vqa import VQAItem, read_items, with_pictures
from inloop.graphs.promptcap import (
    Facts,
    Method,
    PromptCapConfig,
    Question,
    VQAModels,
    VQATask,
    answer,
    store_pictures,
)
from inloop.mini.world import write_knowledge
from inloop.runtime import models
from inloop.runtime.budget import Budget
from inloop.runtime.folder import RunFolder
from inloop.runtime.serving import LocalServer
from inloop.runtime.session import Mapped, Session
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

from .figures import Figure, Options

__all__ = ["measure"]

_CAPTIONS, _ANSWERS, _SLOTS = 64, 16, 8


def measure(options: Options) -> list[Figure]:
    """Items a second with 1 and with 64 in flight; `options.llm` answers, mini-writer's place is taken by smollm2."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_knowledge(folder / "set", count=_CAPTIONS, train=1)
        items = with_pictures(
            read_items("okvqa", folder / "set" / "questions.json", folder / "set" / "annotations.json"),
            folder / "set" / "images",
        )
        settings = Settings.load(runs_dir=folder / "runs", device=options.device, vqa=options.vqa)
        found: list[Figure] = []
        for name, method, count in (
            ("direct answers", Method(direct=True), _CAPTIONS),
            ("captions for a question", Method(caption="aware"), _CAPTIONS),
        ):
            found += _compared(name, method, items[:count], settings, PromptCapConfig(vqa=options.vqa), llm=False)
        llm = "smollm2" if options.llm == "mini-writer" else options.llm
        whole = Method(caption="aware", votes=1)
        config = PromptCapConfig(vqa=options.vqa, llm=llm, max_tokens=8)
        found += _compared(f"captions and answers of {llm}", whole, items[:_ANSWERS], settings, config)
        if llm == "smollm2":
            path = models.fetch("smollm2", settings.cache_dir)
            server = LocalServer(path, slots=_SLOTS, n_ctx=1024, threads=settings.threads)
            try:
                url = server.start()
                served = settings.model_copy(update={"api_key": _secret(server.api_key)})
                config = config.model_copy(update={"llm": f"{url}#smollm2"})
                found += _compared(f"the same, a server of {_SLOTS} slots", whole, items[:_ANSWERS], served, config)
            finally:
                server.stop()
        return found


def _compared(
    name: str,
    method: Method,
    items: Sequence[VQAItem],
    settings: Settings,
    config: PromptCapConfig,
    *,
    llm: bool = True,
) -> list[Figure]:
    one, first = asyncio.run(_answered(method, items, settings, config, in_flight=1, llm=llm))
    many, second = asyncio.run(_answered(method, items, settings, config, in_flight=64, llm=llm))
    same = sum(a == b for a, b in zip(first, second, strict=True))
    note = f"{len(items)} questions; {same} of them with the same outputs"
    return [
        Figure(name=f"{name}: one at a time", value=len(items) / one, unit="questions/s"),
        Figure(name=f"{name}: 64 in flight", value=len(items) / many, unit="questions/s"),
        Figure(name=f"{name}: many over one", value=one / many, unit="times", note=note),
    ]


async def _answered(
    method: Method, items: Sequence[VQAItem], settings: Settings, config: PromptCapConfig, *, in_flight: int, llm: bool
) -> tuple[float, list[tuple[str, ...]]]:
    """The seconds that the questions took, and what was said of each."""
    with tempfile.TemporaryDirectory() as scratch, Store(Path(scratch)) as store:
        async with AsyncExitStack() as stack:
            folder = RunFolder.create(Path(scratch), "benchmark", config)
            session = Session(
                settings=settings, store=store, budget=Budget(), folder=folder, checkpoints=None, stack=stack,
                listen=lambda event: None, parts={},
            )  # fmt: skip
            opened = VQAModels(config, session, [method])
            opened.pictures = store_pictures([item.picture for item in items], store.blobs)
            asked = [(opened.pictures[item.picture], item.question) for item in items]
            if not llm and opened.captioner is not None:
                captioner = opened.captioner
                await captioner.caption([(asked[0][0], "warm up?")])
                started = time.perf_counter()
                if in_flight == 1:
                    captions = [text for each in asked for text in await captioner.caption([each])]
                else:
                    captions = await captioner.caption(asked)
                return time.perf_counter() - started, [(text,) for text in captions]

            async def answered(questions: Sequence[Question]) -> Mapped[VQATask]:
                by_id = {question.id: question for question in questions}
                return await session.map(by_id, partial(answer, opened), in_flight=in_flight)

            first = items[0].picture
            await answered([Question(id="warm", method=method, text="what is there?", picture=first)])
            started = time.perf_counter()
            mapped = await answered(
                [
                    Question(
                        id=item.id, method=method, text=item.question, picture=item.picture,
                        facts=Facts(image_id=item.image_id),
                    )
                    for item in items
                ]
            )  # fmt: skip
            took = time.perf_counter() - started
            return took, [
                (task.answer, *(caption.text for caption in task.evidence.captions)) for task in mapped.results.values()
            ]


def _secret(text: str) -> object:
    from pydantic import SecretStr

    return SecretStr(text)
