"""`inloop bench-llm URL`: what a server can do, and how fast it is with 1, 8 and 32 requests at once; of several, each and all together."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.llm import FEATURES, Capabilities, Level, capabilities, common, measure, probe
from ...runtime.settings import Settings
from ..cli import amount, json_text

__all__ = ["add_arguments", "bench_llm"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop bench-llm`."""
    command.add_argument(
        "url",
        metavar="URL",
        help="http://HOST:PORT/v1[,http://HOST:PORT/v1][#MODEL]; the key comes from INLOOP_API_KEY",
    )
    command.add_argument("--levels", default="1,8,32", metavar="N,N", help="requests at once (default: 1,8,32)")
    command.add_argument("--tokens", type=int, default=64, metavar="N", help="tokens of each answer (default: 64)")
    command.add_argument("--rounds", type=int, default=2, metavar="N", help="requests a place (default: 2)")
    command.add_argument("--fresh", action="store_true", help="probe the server again, whatever the cache knows")


def bench_llm(args: argparse.Namespace) -> int:
    """The command."""
    from ...runtime.transport import address

    settings = Settings.load()
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    if not args.url.startswith(("http://", "https://")):
        raise BadInput(f"{args.url!r} is no URL: give http://HOST:PORT/v1[#MODEL]; inloop serve prints one.")
    try:
        levels = [int(part) for part in args.levels.split(",")]
    except ValueError:
        raise BadInput(f"--levels {args.levels!r}: give numbers with commas, such as 1,8,32.") from None
    urls, model = address(args.url, key)
    ask = partial(probe, key=key) if args.fresh else partial(capabilities, cache_dir=settings.cache_dir, key=key)
    able = {url: ask(url, model) for url in urls}
    shown = print if not args.json else _silent
    measured: dict[str, list[Level]] = {}
    for url in urls:
        shown("\n" * (url != urls[0]) + _about(able[url]), flush=True)
        measured[url] = _measured([url], model, key, levels, args, shown)
    together = measured[urls[0]]
    if len(urls) > 1:
        shown(f"\n{model} at all {len(urls)} together", flush=True)
        together = measured[args.url] = _measured(urls, model, key, levels, args, shown)
    if args.json:
        told = {"capabilities": common(list(able.values())).model_dump(mode="json"), "levels": _plain(together)}
        if len(urls) > 1:
            told["servers"] = [
                {"url": url, "capabilities": able[url].model_dump(mode="json"), "levels": _plain(measured[url])}
                for url in urls
            ]
        print(json_text(told))
        return 0
    everything = [level for each in measured.values() for level in each]
    for reason in dict.fromkeys(level.reason for level in everything if level.reason):
        print(f"failed: {reason}", file=sys.stderr)
    if not all(level.counted for level in everything):
        print("The server does not count its tokens: they are estimated from the text.")
    return 0


def _measured(
    urls: Sequence[str],
    model: str,
    key: str,
    levels: Sequence[int],
    args: argparse.Namespace,
    shown: Callable[..., None],
) -> list[Level]:
    shown(f"\n{'at once':>8}  {'tokens/s':>9}  {'first token':>12}  {'median':>8}  {'95 %':>8}  failed")

    def tell(level: Level) -> None:
        shown(_row(level), flush=True)

    return asyncio.run(measure(urls, model, key=key, levels=levels, tokens=args.tokens, rounds=args.rounds, tell=tell))


def _plain(levels: Sequence[Level]) -> list[dict[str, Any]]:
    return [level.model_dump() for level in levels]


def _silent(*words: object, flush: bool = False) -> None:
    return None


def _about(able: Capabilities) -> str:
    context = f", {amount(able.context)} tokens of context" if able.context else ""
    lines = [f"{able.model} at {able.url}", f"{able.server or 'a server that does not say what it is'}{context}", ""]
    for feature in FEATURES:
        found = able.finding(feature)
        lines.append(f"  {feature:<12} {found.state:<8} {found.how}".rstrip())
    return "\n".join(lines)


def _row(level: Level) -> str:
    return (
        f"{level.concurrent:>8}  {level.tokens_per_second:>9.1f}  {level.first:>10.2f} s"
        f"  {level.median:>6.2f} s  {level.p95:>6.2f} s  {level.failed or ''}"
    ).rstrip()
