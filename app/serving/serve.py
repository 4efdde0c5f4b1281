"""`inloop serve`: a model on this machine behind the OpenAI API, with vLLM or with the embedded server; or an index.

In the foreground the command is the keeper of its server and ends it with itself; `--detach` makes the same command run on
its own, and `--status` and `--stop` find it again. The standard output holds the address, everything else goes to the
standard error.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.models import download_bar
from ...runtime.serving import Served, all_served, check_numbers, find_served, kept, update
from ...runtime.settings import Settings
from ..cli import clip, json_text, printable
from ..rag import add_index_arguments, serve_index

__all__ = ["add_arguments", "serve"]

_WIDE = 110


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop serve`."""
    command.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help="smollm2, mini-writer, mini-answerer, gguf:PATH, a model folder, or a hub id ORG/NAME",
    )
    command.add_argument(
        "--lora", action="append", default=[], metavar="NAME=FOLDER", help="a LoRA adapter, served as the model NAME"
    )
    command.add_argument(
        "--engine",
        choices=("auto", "vllm", "embedded"),
        default="auto",
        help="auto: vLLM, or the embedded server where vLLM has no place",
    )
    command.add_argument("--host", default="127.0.0.1", metavar="HOST", help="any but loopback needs INLOOP_API_KEY")
    command.add_argument("--port", type=int, default=0, metavar="PORT", help="default: a free one")
    command.add_argument("--context", type=int, metavar="TOKENS", help="the longest prompt and answer together")
    command.add_argument(
        "--threads", type=int, metavar="N", help="CPU cores to use (default: embedded half of them, vLLM all)"
    )
    command.add_argument(
        "--slots", type=int, default=1, metavar="N", help="requests at once of the embedded server; 1 keeps seeds exact"
    )
    command.add_argument(
        "--data-parallel",
        type=int,
        default=1,
        metavar="N",
        help="vLLM: copies on N GPUs behind one address (default: 1)",
    )
    command.add_argument(
        "--gpu-share",
        type=float,
        metavar="F",
        help="vLLM: of the GPU's memory, for several models side by side (default: what is free)",
    )
    command.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), default="",
        help="vLLM: the precision; float32 scores as in process (default: what suits the machine, float32 to embed)",
    )  # fmt: skip
    command.add_argument("--detach", action="store_true", help="come back when it is ready, and leave it running")
    add_index_arguments(command)
    managed = command.add_argument_group("servers that run, and vLLM itself")
    managed.add_argument("--status", action="store_true", help="list the servers")
    managed.add_argument("--stop", nargs="?", type=int, const=0, metavar="PORT", help="stop a server")
    managed.add_argument("--load", action="append", default=[], metavar="NAME=FOLDER", help="load an adapter (--port)")
    managed.add_argument("--unload", action="append", default=[], metavar="NAME", help="unload an adapter (--port)")
    managed.add_argument("--install", action="store_true", help="make vLLM's environment (says its size first)")


def serve(args: argparse.Namespace) -> int:
    """The command."""
    if args.index is not None:
        return serve_index(args)
    settings = Settings.load(threads=args.threads)
    say = _silent if args.json else _say
    if args.status:
        return _status(args, settings)
    if args.stop is not None:
        return _stop(args, settings)
    if args.load or args.unload:
        return _adapters(args, settings)
    if args.install:
        from ...runtime.serving import install

        made = install(settings, say=say, progress=download_bar("vllm", silent=args.json))
        if args.model is None:
            _show(args, made.model_dump(mode="json"), f"vLLM {made.version}: {made.python}")
            return 0
    if args.model is None:
        raise BadInput("no model: give one, as in inloop serve smollm2; --status lists the servers that run.")
    check_numbers(
        port=args.port, context=args.context, slots=args.slots, data_parallel=args.data_parallel,
        gpu_share=args.gpu_share, settings=settings,
    )  # fmt: skip
    if args.detach:
        return _detach(args, settings)
    return _keep(args, settings, say)


def _keep(args: argparse.Namespace, settings: Settings, say: Callable[[str], None]) -> int:
    """Serve until Ctrl-C, SIGTERM, or the end of the terminal."""
    from ...runtime.serving import Serving, plan_for

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    plan = plan_for(
        args.model, loras=args.lora, engine=args.engine, host=args.host, port=args.port, context=args.context,
        slots=args.slots, data_parallel=args.data_parallel, gpu_share=args.gpu_share, dtype=args.dtype, settings=settings, say=say,
        progress=download_bar(args.model, silent=args.json),
    )  # fmt: skip
    serving = Serving(plan, settings.cache_dir, say=say)
    try:
        served = serving.start()
        _show(args, _told(served), _ready(served))
        serving.wait()
    except KeyboardInterrupt:
        say("stopping")
    finally:
        serving.stop()
    return 0


def _detach(args: argparse.Namespace, settings: Settings) -> int:
    """Start the same command without us, and wait until its server is ready."""
    from ...runtime.serving import free_port

    port = free_port(args.host, args.port)
    folder = settings.cache_dir / "serve"
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{port}.out"
    command = [
        sys.executable,
        "-m",
        "inloop.app.cli.main",
        "serve",
        args.model,
        "--port",
        str(port),
        "--host",
        args.host,
    ]
    command += ["--engine", args.engine, "--slots", str(args.slots)]
    command += [part for each in args.lora for part in ("--lora", each)]
    command += ["--context", str(args.context)] if args.context is not None else []
    command += ["--threads", str(args.threads)] if args.threads is not None else []
    command += ["--data-parallel", str(args.data_parallel)]
    command += ["--dtype", args.dtype] if args.dtype else []
    command += ["--gpu-share", str(args.gpu_share)] if args.gpu_share is not None else []
    with out.open("wb") as file:
        keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    seen = 0
    while True:
        ended = keeper.poll() is not None
        text = out.read_text(encoding="utf-8", errors="replace")
        served = find_served(f"http://127.0.0.1:{port}/v1", settings.cache_dir)
        if served is not None and served.pid == keeper.pid and served.state == "ready":
            _show(args, _told(served), _ready(served, detached=True))
            return 0
        if ended:
            problem = text.rpartition("inloop: ")[2].strip() or f"the server ended ({keeper.returncode})"
            first, _, remedy = problem.partition("What to do: ")
            raise PrerequisiteError(first.strip(), remedy=remedy or f"see {out}")
        if not args.json and text[seen:].strip():
            print(text[seen:], end="", file=sys.stderr, flush=True)
        seen = len(text)
        time.sleep(0.2)


def _status(args: argparse.Namespace, settings: Settings) -> int:
    found = all_served(settings.cache_dir)
    if args.json:
        print(json_text({"servers": [_told(served) for served in found]}))
        return 0
    if not found:
        print("no server of inloop is running; start one with: inloop serve smollm2")
    for served in found:
        again = f", started again {served.restarts}x" if served.restarts else ""
        print(f"{served.port:<6} {served.state:<10} {served.engine} {served.version}, pid {served.pid}{again}")
        for name in served.models:
            print(f"{'':<6} {'':<10} {served.flag} {served.url}#{name}{' (LoRA)' if name in served.adapters else ''}")
        print(f"{'':<6} {'':<10} log {served.log}")
    return 0


def _stop(args: argparse.Namespace, settings: Settings) -> int:
    served = _chosen(args.stop, settings)
    os.kill(served.pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while kept(served, settings.cache_dir):
        if time.monotonic() > deadline:
            raise PrerequisiteError(
                f"the server on port {served.port} does not end (pid {served.pid})", remedy=f"kill -9 {served.pid}"
            )
        time.sleep(0.05)
    _show(args, {"stopped": served.port}, f"stopped the server on port {served.port}")
    return 0


def _adapters(args: argparse.Namespace, settings: Settings) -> int:
    """Load or unload adapters of a server that runs, and say so in its file."""
    from ...runtime.serving import find_adapter, load_adapter, unload_adapter

    served = _chosen(args.port, settings)
    if served.engine != "vllm":
        raise BadInput("the embedded server takes its adapter at the start: inloop serve MODEL --lora NAME=FOLDER")
    key = settings.api_key.get_secret_value() if settings.api_key is not None else ""
    base = next(revision for name, revision in served.models.items() if name not in served.adapters)
    for spec in args.load:
        adapter = find_adapter(spec, settings.cache_dir)
        load_adapter(served.url, adapter, settings.cache_dir, key=key)
        served = update(served, settings.cache_dir, lambda now, a=adapter: now.with_adapter(a.name, str(a.folder), f"{base}+{a.revision}"))  # type: ignore[misc]  # fmt: skip
    for name in args.unload:
        unload_adapter(served.url, name, key=key)
        served = update(served, settings.cache_dir, lambda now, n=name: now.without_adapter(n))  # type: ignore[misc]
    _show(args, _told(served), "\n".join(f"{served.flag} {served.url}#{name}" for name in served.models))
    return 0


def _chosen(port: int, settings: Settings) -> Served:
    """The server at `port`; 0: the only one there is."""
    found = all_served(settings.cache_dir)
    matching = [served for served in found if port in (0, served.port)]
    if len(matching) == 1:
        return matching[0]
    ports = ", ".join(str(served.port) for served in found)
    if not found:
        raise BadInput("no server of inloop is running.")
    if not matching:
        raise BadInput(f"no server of inloop is on port {port}; there are some on {ports}.")
    raise BadInput(f"several servers are running, on the ports {ports}: name the port.")


def _told(served: Served) -> dict[str, Any]:
    return {**served.model_dump(mode="json"), "llm": served.llm, "port": served.port}


def _ready(served: Served, *, detached: bool = False) -> str:
    lines = [f"{served.flag} {served.url}#{name}" for name in served.models]
    end = f"inloop serve --stop {served.port}" if detached else "Ctrl-C stops it"
    return "\n".join([*lines, f"log {served.log}; {end}"])


def _show(args: argparse.Namespace, told: dict[str, Any], text: str) -> None:
    print(json_text(told) if args.json else text, flush=True)


def _say(text: str) -> None:
    print(f"  {clip(printable(text), _WIDE)}", file=sys.stderr, flush=True)


def _silent(text: str) -> None:
    return None


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt
