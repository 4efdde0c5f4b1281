"""`inloop bench-llm URL`: what a server can do, and how fast it is with 1, 8 and 32 requests at once."""

from __future__ import annotations

import argparse
import asyncio
import sys

from ...runtime.errors import BadInput
from ...runtime.llm import FEATURES, Capabilities, Level, capabilities, measure, probe
from ...runtime.settings import Settings
from ..cli import amount, json_text

__all__ = ["add_arguments", "bench_llm"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop bench-llm`."""
    command.add_argument("url", metavar="URL", help="http://HOST:PORT/v1[#MODEL]; the key comes from INLOOP_API_KEY")
    command.add_argument("--levels", default="1,8,32", metavar="N,N", help="requests at once (default: 1,8,32)")
    command.add_argument("--tokens", type=int, default=64, metavar="N", help="tokens of each answer (default: 64)")
    command.add_argument("--rounds", type=int, default=2, metavar="N", help="requests a place (default: 2)")
    command.add_argument("--fresh", action="store_true", help="probe the server again, whatever the cache knows")


def bench_llm(args: argparse.Namespace) -> int:
    """The command."""
    from ...runtime.llm import address

    settings = Settings.load()
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    if not args.url.startswith(("http://", "https://")):
        raise BadInput(f"{args.url!r} is no URL: give http://HOST:PORT/v1[#MODEL]; inloop serve prints one.")
    try:
        levels = [int(part) for part in args.levels.split(",")]
    except ValueError:
        raise BadInput(f"--levels {args.levels!r}: give numbers with commas, such as 1,8,32.") from None
    url, model = address(args.url, key)
    able = probe(url, model, key=key) if args.fresh else capabilities(url, model, settings.cache_dir, key=key)
    if not args.json:
        print(_about(able), flush=True)
        print(f"\n{'at once':>8}  {'tokens/s':>9}  {'first token':>12}  {'median':>8}  {'95 %':>8}  failed")

    def tell(level: Level) -> None:
        if not args.json:
            print(_row(level), flush=True)

    got = asyncio.run(measure(url, model, key=key, levels=levels, tokens=args.tokens, rounds=args.rounds, tell=tell))
    if args.json:
        told = {"capabilities": able.model_dump(mode="json"), "levels": [level.model_dump() for level in got]}
        print(json_text(told))
        return 0
    for reason in dict.fromkeys(level.reason for level in got if level.reason):
        print(f"failed: {reason}", file=sys.stderr)
    if not all(level.counted for level in got):
        print("The server does not count its tokens: they are estimated from the text.")
    return 0


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
