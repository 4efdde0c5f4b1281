"""Which engine serves a model on this machine: vLLM where it has a place, else the embedded server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from ..errors import BadInput, PrerequisiteError
from ..models import Progress
from ..settings import Settings
from .engines import embedded_plan, vllm_plan
from .llama_server import cpu_cores
from .process import Plan, Serving, free_port
from .servable import find_servable, is_known
from .vllm_env import build_for_this_machine, find_vllm, no_place

__all__ = ["Engine", "check_numbers", "plan_for", "serve"]

Engine = Literal["auto", "vllm", "embedded"]
_LEAST_CONTEXT = 64


def serve(
    model: str,
    *,
    loras: Sequence[str] = (),
    engine: Engine = "auto",
    host: str = "127.0.0.1",
    port: int = 0,
    context: int | None = None,
    slots: int = 1,
    data_parallel: int = 1,
    gpu_share: float | None = None,
    dtype: str = "",
    settings: Settings | None = None,
    on_line: Callable[[str], None] = lambda line: None,
) -> Serving:
    """Start a server of a language model and wait until it answers; `with` stops it at the end.

    Args:
        model: smollm2, mini-writer, mini-answerer, gguf:PATH, a model folder, or a hub id; one that chats, sees and chats, or embeds (vLLM).
        loras: adapters as NAME=FOLDER, each served as the model NAME.
        engine: "auto" takes vLLM, or the embedded server where vLLM has no place.
        host: any but loopback needs a key.
        port: 0 for a free one.
        context: the longest prompt and answer together, in tokens.
        slots: requests at once of the embedded server; 1 keeps seeds exact.
        data_parallel: copies of the model that vLLM puts on so many GPUs, behind one address.
        gpu_share: of each GPU's memory, above 0 and at most 1, for several servers side by side; default: what is free.
        dtype: "float32", "bfloat16" or "float16", of vLLM; default: what suits the machine, and float32 for models that embed.
        settings: default: what `inloop config` shows.
        on_line: called with what the start says.

    Raises:
        BadInput: no such model, or a number that cannot be used.
        PrerequisiteError: vLLM or a file that is missing, a port that is taken, a server that does not start.
    """
    settings = settings or Settings.load()
    plan = plan_for(
        model, loras=loras, engine=engine, host=host, port=port, context=context, slots=slots,
        data_parallel=data_parallel, gpu_share=gpu_share, dtype=dtype, settings=settings, say=on_line,
    )  # fmt: skip
    serving = Serving(plan, settings.cache_dir, say=on_line)
    serving.start()
    return serving


def plan_for(
    model: str,
    *,
    loras: Sequence[str],
    engine: Engine,
    host: str,
    port: int,
    context: int | None,
    slots: int,
    data_parallel: int = 1,
    gpu_share: float | None = None,
    dtype: str = "",
    settings: Settings,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> Plan:
    """How a model is served on this machine. Raises what `serve` raises."""
    check_numbers(
        port=port, context=context, slots=slots, data_parallel=data_parallel, gpu_share=gpu_share, settings=settings
    )
    key = settings.api_key.get_secret_value() if settings.api_key is not None and _is_our_key(settings) else ""
    reason = no_place()
    if engine == "vllm" and reason is not None:
        raise PrerequisiteError(reason, remedy="inloop serve MODEL --engine embedded")
    environment = None
    if engine != "embedded" and reason is None:
        environment = find_vllm(settings)
        if environment is None:
            raise _without_vllm(model, loras, settings)
    chosen_port = free_port(host, port)
    servable = find_servable(model, loras, settings.cache_dir, progress=progress)
    if environment is not None:
        say(f"vLLM {environment.version} serves {servable.name}; the start takes half a minute or more")
        return vllm_plan(
            servable, environment, port=chosen_port, host=host, key=key, cache_dir=settings.cache_dir, context=context,
            threads=settings.threads, data_parallel=data_parallel, gpu_share=gpu_share, dtype=dtype, say=say,
        )  # fmt: skip
    if data_parallel > 1 or gpu_share is not None or dtype:
        raise BadInput(
            "--data-parallel, --gpu-share and --dtype are vLLM's: the embedded server runs on the CPU, once, as its file is quantised."
        )
    if reason is not None and engine != "embedded":
        say(f"{reason}: the embedded server (llama.cpp) serves {servable.name} instead")
    return embedded_plan(
        servable, port=chosen_port, host=host, key=key, cache_dir=settings.cache_dir, context=context,
        threads=settings.threads, slots=slots,
    )  # fmt: skip


def check_numbers(
    *,
    port: int,
    context: int | None,
    slots: int,
    settings: Settings,
    data_parallel: int = 1,
    gpu_share: float | None = None,
) -> None:
    """Refuse what a server would start with and not work: more threads than cores would only wait for each other."""
    cores = cpu_cores()
    if settings.threads is not None and settings.threads > cores:
        raise BadInput(
            f"{settings.threads} threads: this process may use {cores} CPU cores; give --threads {cores} or less"
        )
    if slots < 1:
        raise BadInput(f"--slots {slots} cannot be used: give 1 or more.")
    if context is not None and context < _LEAST_CONTEXT:
        raise BadInput(f"--context {context} cannot be used: give {_LEAST_CONTEXT} tokens or more.")
    if data_parallel < 1 or (gpu_share is not None and not 0 < gpu_share <= 1):
        raise BadInput(
            f"--data-parallel {data_parallel}, --gpu-share {gpu_share}: give 1 copy or more, and a share above 0 and at most 1."
        )
    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port} cannot be used: give 1 to 65535, or leave it out for a free one.")


def _without_vllm(model: str, loras: Sequence[str], settings: Settings) -> PrerequisiteError:
    """What to do about it, for the model that was named; `BadInput` where there is no such model."""
    install = f"inloop serve --install makes it ({build_for_this_machine().disk / 1e9:.1f} GB on disk)"
    if is_known(model) or find_servable(model, loras, settings.cache_dir).gguf is not None:
        remedy = (
            f"inloop serve {model} --engine embedded serves it as it is, with llama.cpp; or {install}, and the GGUF"
            " file is converted for it, once"
        )
    else:
        remedy = f"{install}; the embedded server reads GGUF files alone"
    return PrerequisiteError("vLLM is not installed: it needs an environment of its own", remedy=remedy)


def _is_our_key(settings: Settings) -> bool:
    """Whether the key was meant for a server of inloop: OPENAI_API_KEY belongs to somebody else's."""
    return settings.api_key is not None and any(
        line.name == "api_key" and "OPENAI" not in line.where for line in Settings.sources()
    )
