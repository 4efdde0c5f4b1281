"""`inloop view`: a local page that follows runs, compares them, collects votes and answers what a run asks."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import socket
import sys
import webbrowser
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.settings import Settings
from ..cli import json_text

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["add_arguments", "view"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Follow runs in a browser: prompts with their pictures and scores, two side by side, votes, and what a run asks.

    The page is for this machine alone, and for whoever has the address with its token.
    """
    command.add_argument(
        "run", nargs="?", default="", metavar="RUN", help="id or folder, or latest (default: the list of runs)"
    )
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")
    command.add_argument("--port", type=int, default=0, metavar="N", help="of 127.0.0.1 (default: a free one)")
    command.add_argument("--open", action="store_true", help="open the page in the browser of this machine")


def view(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C; the exit code.

    Raises:
        BadInput: no such run, or a port that is taken.
        PrerequisiteError: the extra `serve` is missing.
    """
    from ...runtime.folder import RunFolder

    settings = Settings.load(runs_dir=args.out)
    runs_dir, start = settings.runs_dir, ""
    if args.run:
        folder = RunFolder.open(settings.runs_dir, args.run)
        runs_dir, start = folder.path.parent, folder.path.name
        settings = Settings.load(runs_dir=runs_dir)
    try:
        import uvicorn

        from .runs import Runs
        from .server import view_app
    except ImportError as error:
        raise PrerequisiteError(
            f"the page is served by Starlette and uvicorn: {error}",
            remedy="install the extra: pip install 'inloop[serve]'",
        ) from None
    token = secrets.token_urlsafe(24)
    with _bound(args.port) as listening:
        port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}/?token={token}"
        print(json_text({"url": url, "port": port}) if args.json else f"{url}\nCtrl-C stops it", flush=True)
        if args.open:
            webbrowser.open(url)
        try:
            asyncio.run(_served(uvicorn, view_app(Runs(runs_dir, settings), token=token, start=start), listening))
        except KeyboardInterrupt:
            print("  stopping", file=sys.stderr)
    return 0


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=128)
    except (OSError, OverflowError) as error:
        raise BadInput(f"--port {port} cannot be served ({error}): give another port, or none.") from None


async def _served(uvicorn: Any, app: Starlette, listening: socket.socket) -> None:
    settings = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    await uvicorn.Server(settings).serve(sockets=[listening])
