"""`inloop serve --index URL`: what `inloop ask` answers, behind the chat API of OpenAI."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from ...graphs import rag as room
from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.http import is_loopback
from ...runtime.records import flags_checked
from ...runtime.settings import Settings
from ..cli import add_flags, flag_names, given_flags, json_text, log_to_stderr, printable

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["add_index_arguments", "serve_index"]

_FIELDS = (
    *("where", "llm", "router", "grader", "rewriter", "answerer", "verifier", "embedder", "reranker"),
    *("mode", "k", "shown", "quotes", "rewrites", "repairs"),
)
_OF_MODELS = ("model", "lora", "context", "detach", "status", "stop", "load", "unload", "install")


def add_index_arguments(command: argparse.ArgumentParser) -> None:
    """`--index` and, under it, the flags of `inloop ask`."""
    command.add_argument("--index", metavar="URL", help="answer from this index instead, as inloop ask does")
    add_flags(command, room.RagConfig, only=_FIELDS)


def serve_index(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; the exit code.

    Raises:
        BadInput: flags of another kind of server, no such index, a port that is taken, or other machines let in without a key.
        PrerequisiteError: the extra `serve`, a model or a store is missing.
    """
    for name in _OF_MODELS:
        if getattr(args, name, None) not in (None, [], False):
            raise BadInput(
                f"--index serves an index, and {name!r} is of a language model's server: leave one of them out."
            )
    fields = given_flags(args, room.RagConfig)
    settings = Settings.load(threads=args.threads, **{name: fields[name] for name in ("llm",) if name in fields})
    with flags_checked(flag_names(room.RagConfig)):
        config = room.RagConfig(**{**room.RagConfig.defaults(settings), **fields})
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    if not is_loopback(args.host) and not key:
        raise BadInput(
            f"--host {args.host!r} lets other machines in: set a key in INLOOP_API_KEY, or leave --host out to serve this"
            " machine alone."
        )
    try:
        import uvicorn

        from .chat_app import MODEL, chat_app
    except ImportError as error:
        raise PrerequisiteError(
            f"an index is served by Starlette and uvicorn: {error}",
            remedy="install the extra: pip install 'inloop[serve]'",
        ) from None
    log_to_stderr(settings)
    with _bound(args.host, args.port) as listening:
        for number in (signal.SIGINT, signal.SIGTERM):  # the server catches them itself, and lets what it works on end
            signal.signal(number, signal.default_int_handler)
        with room.Answering(config, settings) as answering:
            host, port = listening.getsockname()[:2]
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # what clients on this machine call it
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
            told = {"url": url, "model": MODEL, "index": config.index, "port": port}
            if args.json:
                print(json_text(told), flush=True)
            else:
                print(f"{url}  model {MODEL}\n{printable(config.index)}; Ctrl-C stops it", flush=True)
            try:
                asyncio.run(_served(uvicorn, chat_app(answering, key=key), listening))
            except KeyboardInterrupt:
                print("  stopping", file=sys.stderr)
    return 0


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens, before anything is loaded; port 0: a free one."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise BadInput(f"--host {host} --port {port} cannot be served ({error}): give another port, or none.") from None


async def _served(uvicorn: Any, app: Starlette, listening: socket.socket) -> None:
    settings = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    await uvicorn.Server(settings).serve(sockets=[listening])
