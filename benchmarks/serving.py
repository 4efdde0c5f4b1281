"""Tokens a second of one model behind vLLM, behind the embedded server and in transformers; and how busy a loop keeps its server."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inloop.runtime.errors import InloopError
from inloop.runtime.folder import RunFolder
from inloop.runtime.llm import measure as measure_load
from inloop.runtime.serving import Plan, Serving, embedded_plan, find_servable, find_vllm, free_port, vllm_plan
from inloop.runtime.settings import Settings

from .figures import Figure, Options
from .loops import PROMPTS, Clock

__all__ = ["measure"]

_LEVELS, _TOKENS = (1, 8, 32), 64


def measure(options: Options) -> list[Figure]:
    """The servers one after the other, each alone on the machine; what cannot be had here is left out and said."""
    settings = Settings.load()
    model = find_servable("mini-writer", [], settings.cache_dir)
    figures: list[Figure] = []
    here = {"port": 0, "cache_dir": settings.cache_dir, "context": 2048}

    def vllm() -> Plan:
        environment = find_vllm(settings)
        if environment is None:
            raise InloopError("vLLM is not installed: inloop serve --install")
        return vllm_plan(model, environment, **{**here, "port": free_port()})  # type: ignore[arg-type]

    def embedded(slots: int) -> Callable[[], Plan]:
        return lambda: embedded_plan(model, slots=slots, **{**here, "port": free_port()})  # type: ignore[arg-type]

    for name, plan in (("vLLM", vllm), ("embedded, 8 slots", embedded(8)), ("embedded, 1 slot", embedded(1))):
        try:
            made = plan()
            began = time.perf_counter()
            with Serving(made, settings.cache_dir) as serving:
                figures.append(Figure(name=f"{name}: start", value=time.perf_counter() - began, unit="s"))
                figures += _load(name, serving, options.repeats)
                if name != "embedded, 8 slots":
                    figures += _busy(name, serving, options)
        except InloopError as error:
            print(f"  {name} is left out: {error}", file=sys.stderr)
    return [*figures, *_transformers(model.hugging_face(settings.cache_dir), options)]


def _load(name: str, serving: Serving, rounds: int) -> list[Figure]:
    url, model = serving.served.url, next(iter(serving.served.models))
    levels = asyncio.run(measure_load(url, model, levels=_LEVELS, tokens=_TOKENS, rounds=max(1, rounds // 2)))
    figures = []
    for level in levels:
        note = f"median {level.median:.2f} s, 95 % {level.p95:.2f} s, first token {level.first:.2f} s"
        note += f", {level.failed} failed" if level.failed else ""
        at = f"{name}, {level.concurrent} at once"
        figures.append(Figure(name=at, value=level.tokens_per_second, unit="tokens/s", note=note))
    return figures


def _busy(name: str, serving: Serving, options: Options) -> list[Figure]:
    """16 prompts in flight: the share of the wall time in which at least one request was at the server."""
    from inloop.graphs.opt2i import Opt2iConfig, context, opt2i
    from inloop.runtime.run import carry

    clock, opened = Clock(), context.open_chat

    def timed(*arguments: Any) -> Any:
        chat = opened(*arguments)
        send = chat.sender.send

        async def clocked(*given: Any, **options: Any) -> Any:
            with clock:
                return await send(*given, **options)

        chat.sender.send = clocked  # type: ignore[method-assign]
        return chat

    prompts = tuple(f"{prompt}{ending}" for ending in ("", " in the snow") for prompt in PROMPTS[:8])
    config = Opt2iConfig(
        prompts=prompts, llm=serving.served.llm, images=options.images, vqa=options.vqa, clip=options.clip,
        iterations=options.iterations, candidates=3, images_per_prompt=1, heldout_seeds=0, baselines=False, in_flight=16,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        settings = Settings(runs_dir=Path(place), device=options.device, cache_dir=Settings.load().cache_dir)
        folder = RunFolder.create(settings.runs_dir, "opt2i", config)
        context.open_chat = timed  # type: ignore[assignment]
        try:
            began = time.perf_counter()
            outcome = asyncio.run(carry(opt2i, config, settings=settings, folder=folder))
            wall = time.perf_counter() - began
        finally:
            context.open_chat = opened
            folder.close()
    note = f"{clock.seconds:.1f} of {wall:.1f} s, {outcome.calls.get('llm', {}).get('paid', 0)} requests"
    share = 100 * clock.seconds / wall
    return [Figure(name=f"{name}: 16 prompts in flight, server has work", value=share, unit="%", note=note)]


def _transformers(folder: str, options: Options) -> list[Figure]:
    """`generate` on batches of one length, as its documentation shows; the adapter is left out."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = "cuda" if options.device == "auto" and torch.cuda.is_available() else options.device
    device = "cpu" if device == "auto" else device
    dtype = torch.bfloat16 if device != "cpu" else torch.float32
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
    figures = []
    for count in _LEVELS:
        texts = [
            f"{place}: describe a harbour at length, in many sentences, and do not stop." for place in range(count)
        ]
        asked = [tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False) for text in texts]  # fmt: skip
        batch = tokenizer(asked, return_tensors="pt", padding=True).to(device)
        speeds = []
        for _ in range(max(1, options.repeats // 2) + 1):
            began = time.perf_counter()
            with torch.inference_mode():
                model.generate(**batch, max_new_tokens=_TOKENS, min_new_tokens=_TOKENS, do_sample=True, temperature=0.7)
            speeds.append(count * _TOKENS / (time.perf_counter() - began))
        figures.append(Figure.of(f"transformers generate, {count} at once", speeds[1:], "tokens/s", str(dtype)))
    return figures
