"""How vLLM and the embedded server are started: the command, the defaults that suit the loops, and what their logs mean.

Defaults: prefix caching (a loop sends the same instructions again and again), JSON schemas (vLLM's default backend), LoRA
with room for a few adapters, all CPU cores, the memory that is there, nothing fetched where the model is on the disk, no
usage reports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import BadInput, PrerequisiteError
from .adapters import gguf_of, settled_path
from .llama_server import NO_PAGES, default_threads
from .process import Plan
from .servable import Servable, config_of
from .vllm_env import Environment, clean_environment

__all__ = ["embedded_plan", "vllm_plan"]

_GB = 1 << 30
_CONTEXT = 8192
_RESERVE_GB = 2.0  # Python, torch and vLLM themselves, and something for the rest of the machine
_ADAPTERS = 4


def vllm_plan(
    model: Servable,
    environment: Environment,
    *,
    port: int,
    cache_dir: Path,
    host: str = "127.0.0.1",
    key: str = "",
    context: int | None = None,
    threads: int | None = None,
    data_parallel: int = 1,
    gpu_share: float | None = None,
    dtype: str = "",
    say: Callable[[str], None] = lambda text: None,
) -> Plan:
    """The plan for a vLLM server; a GGUF model is converted now, if it was not before.

    `data_parallel`: so many copies of the model, each on a GPU of its own, behind one address. `gpu_share`: of each GPU's memory; default: what is free.
    `dtype`: "float32", "bfloat16" or "float16"; default: on a CPU what it computes best, for models that embed float32; on a GPU the model's own.

    Raises:
        BadInput: an adapter of another base, a public host without a key.
        PrerequisiteError: the model does not fit into the memory that is free.
    """
    source = model.hugging_face(cache_dir, say)
    local = Path(source) if model.hub is None else None
    on_cpu = environment.build == "cpu" or (environment.build == "" and shutil.which("nvidia-smi") is None)
    arguments = ["--model", source, "--served-model-name", model.name, "--host", host, "--port", str(port)]
    arguments += ["--allowed-origins", json.dumps([NO_PAGES])]
    embeds = model.flag != "--llm"
    arguments += ["--runner", "pooling"] if embeds else ["--enable-prefix-caching", "--generation-config", "vllm"]
    variables = {"PYTHONUNBUFFERED": "1"}
    most = _longest(local)
    if on_cpu:
        dtype = dtype or ("float32" if embeds else _cpu_dtype())  # vectors as of the same model in process
        space = _cache_space(local, growth=2.0 if dtype == "float32" else 1.0)
        variables |= {"VLLM_CPU_OMP_THREADS_BIND": _cores(threads), "VLLM_CPU_KVCACHE_SPACE": str(space)}
        if not embeds:  # sentence encoders often read less than their positions allow, and vLLM knows how much
            context = context or (min(most, _CONTEXT) if most else None)
        if data_parallel > 1 or gpu_share is not None:
            raise BadInput(
                "--data-parallel and --gpu-share are for GPUs: on CPUs start one server more, with --threads"
            )
    else:
        arguments += ["--gpu-memory-utilization", f"{gpu_share or _gpu_share():.2f}"]
        arguments += ["--data-parallel-size", str(data_parallel)] if data_parallel > 1 else []
    arguments += ["--dtype", dtype or "auto"]
    if context is not None:
        if most and context > most:
            raise BadInput(f"--context {context}: the model reads {most} tokens at most")
        arguments += ["--max-model-len", str(context)]
    if not embeds and _takes_adapters(local):
        rank = max([16, *(adapter.rank for adapter in model.adapters)])
        slots = max(_ADAPTERS, len(model.adapters))
        arguments += ["--enable-lora", "--max-lora-rank", str(_rank(rank)), "--max-loras", str(slots)]
        variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
    elif model.adapters:
        raise BadInput(f"{model.name!r} cannot be served with adapters")
    paths = {adapter.name: str(settled_path(adapter, cache_dir)) for adapter in model.adapters}
    if paths:
        arguments += ["--lora-modules", *(f"{name}={path}" for name, path in paths.items())]
    if local is not None:
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if key:
        variables["VLLM_API_KEY"] = key  # not in the arguments, which every user of the machine can read
    log = cache_dir / "serve" / f"{port}.log"
    command = [str(environment.python), "-m", "vllm.entrypoints.openai.api_server", *arguments]
    return Plan(
        engine="vllm",
        version=environment.version,
        command=(sys.executable, "-P", "-m", "inloop.runtime.serving.watchdog"),
        first_line={"command": command, "env": variables, "log": str(log), "without": _unwanted()},
        port=port,
        host=host,
        key=key,
        log=log,
        models={
            name: f"vllm-{environment.version}-{dtype or 'auto'}:{revision}"
            for name, revision in model.revisions.items()
        },
        adapters=paths,
        flag=model.flag,
        explain=explain_vllm,
    )


def embedded_plan(
    model: Servable,
    *,
    port: int,
    cache_dir: Path,
    host: str = "127.0.0.1",
    key: str = "",
    context: int | None = None,
    threads: int | None = None,
    slots: int = 1,
) -> Plan:
    """The plan for the embedded server (llama.cpp): a GGUF model with at most one adapter, which is then all it serves.

    Raises `BadInput`: no GGUF file, several adapters, a public host without a key.
    """
    if model.gguf is None:
        raise BadInput(
            f"the embedded server reads GGUF files of models that chat, which {model.name!r} is not; serve it with vLLM"
            " (inloop serve --install) or give a .gguf file"
        )
    if len(model.adapters) > 1:
        raise BadInput("the embedded server takes one adapter; serve several with vLLM (inloop serve --install)")
    try:
        from importlib.metadata import version

        version_ = version("xllamacpp")
    except ImportError as error:
        raise PrerequisiteError("the package xllamacpp is not installed", remedy="pip install xllamacpp") from error
    adapter = model.adapters[0] if model.adapters else None
    path = gguf_of(adapter, cache_dir, 64) if adapter is not None else None
    name = adapter.name if adapter is not None else model.name
    log = cache_dir / "serve" / f"{port}.log"
    return Plan(
        engine="embedded",
        version=version_,
        command=(sys.executable, "-P", "-m", "inloop.runtime.serving.llama_server"),
        first_line={
            "model": str(model.gguf), "adapter": str(path) if path else None, "threads": threads or default_threads(),
            "n_ctx": context or 4096, "slots": slots, "api_key": key, "log": str(log), "parent": os.getpid(),
            "folder": None, "port": port, "host": host, "alias": name,
        },
        port=port,
        host=host,
        key=key,
        log=log,
        # as `open_chat` names it: the same file with the same adapter gives the same text, whoever started the server
        models={name: model.revisions[name]} if slots == 1 else {name: f"{model.revisions[name]}/{slots} slots"},
        adapters={adapter.name: str(adapter.folder)} if adapter is not None else {},
    )  # fmt: skip


def explain_vllm(log: str) -> tuple[str, str] | None:
    """What went wrong and what to do, for the ends of vLLM that users meet."""
    low = log.lower()
    for words, problem, remedy in _ENDS:
        if any(word in low for word in words):
            return problem, remedy
    return None


_ENDS = (
    (("address already in use",), "the port is taken", "leave --port out for a free one"),
    (
        (
            "no available memory for the cache",
            "larger than the available kv cache",
            "kv cache allocation is less than",
            "out of memory",
            "cannot allocate",
        ),
        "the model does not fit into the memory that is free",
        "free some memory, give a shorter --context, or serve a smaller model",
    ),
    (("no space left on device",), "the disk is full", "free some disk space"),
    (
        ("no module named 'torchvision'",),
        "vLLM reads pictures with torchvision, which its environment does not have",
        "install the one that fits its torch there: PYTHON -m pip install torchvision==0.28.0"
        " --index-url https://download.pytorch.org/whl/cpu",
    ),
    (
        ("are not supported for now", "has no vllm implementation", "not a language model"),
        "vLLM cannot serve this kind of model",
        "give a chat model that vLLM knows, or a GGUF file with --engine embedded",
    ),
    (
        (
            "couldn't connect to 'https://huggingface.co",
            "localentrynotfounderror",
            "outgoing traffic has been disabled",
        ),
        "the model is not on this machine and the hub cannot be reached",
        "connect to the network once, or give the model's folder",
    ),
    (("is greater than max_lora_rank",), "the adapter's rank is too high", "name the adapter at the start: --lora"),
)


def _unwanted() -> list[str]:
    return [name for name in os.environ if name not in clean_environment()]


def _longest(folder: Path | None) -> int | None:
    if folder is None:
        return None
    config = config_of(folder)
    value = config.get("text_config", config).get("max_position_embeddings")
    return value if isinstance(value, int) else None


def _takes_adapters(folder: Path | None) -> bool:
    """Whether LoRA is asked for; vLLM refuses to start with it for the few kinds of models that cannot have it."""
    return folder is None or config_of(folder).get("model_type") not in ("gpt2", "opt", "bloom", "mamba")


def _rank(rank: int) -> int:
    """The least of vLLM's ranks that is enough."""
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), rank)


def _cores(threads: int | None) -> str:
    """The CPUs to bind to: all of a small machine, else one a physical core (the second thread of a core only waits).

    `threads` of them, where they were asked for; the second threads of the cores come last.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if len(allowed) <= 4:
        return ",".join(map(str, allowed[:threads]))
    cores: dict[str, int] = {}
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.setdefault(siblings.read_text(encoding="ascii").strip(), cpu)
        except OSError:
            cores[str(cpu)] = cpu
    first = sorted(cores.values())
    return ",".join(map(str, [*first, *(cpu for cpu in allowed if cpu not in first)][: threads or len(first)]))


def _cpu_dtype() -> str:
    """bfloat16 where the processor computes it; elsewhere it is emulated, and two to four times slower than float32."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "bfloat16"
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", told, re.MULTILINE)
    known = set(flags[1].split()) if flags is not None else set()
    return "bfloat16" if known & {"avx512_bf16", "amx_bf16", "bf16"} else "float32"


def _cache_space(folder: Path | None, growth: float = 1.0) -> int:
    """GB for the KV cache: a third of what is left beside the weights (`growth` times their files), 1 to 16."""
    free = _free_memory()
    files = sum(path.stat().st_size for path in folder.glob("*.safetensors")) if folder is not None else 0
    weights = files * growth
    left = free / _GB - _RESERVE_GB - 1.2 * weights / _GB
    if left < 1:
        raise PrerequisiteError(
            f"the model does not fit: {weights / 1e9:.1f} GB of weights, {_RESERVE_GB:.0f} GB for vLLM and at least 1 GB"
            f" for its cache, and {free / 1e9:.1f} GB of memory are free",
            remedy="free some memory, serve a smaller model, or a quantised GGUF file with --engine embedded",
        )
    return int(max(1, min(16, left / 3)))


def _free_memory() -> int:
    """Bytes that can be had: of the memory node with the least, since vLLM takes its cache from one node alone."""
    nodes = []
    for path in Path("/sys/devices/system/node").glob("node[0-9]*/meminfo"):
        told = _meminfo(path)
        if told.get("MemTotal"):
            nodes.append(told.get("MemFree", 0) + told.get("Inactive(file)", 0))
    everything = _meminfo(Path("/proc/meminfo")).get("MemAvailable")
    if everything is None:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([everything, *nodes])


def _meminfo(path: Path) -> dict[str, int]:
    """The lines of a kernel's meminfo file, in bytes."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = re.findall(r"^(?:Node \d+ )?(\S+):\s+(\d+) kB$", "\n".join(lines), re.MULTILINE)
    return {name: int(value) * 1024 for name, value in found}


def _gpu_share() -> float:
    """The share of the first GPU's memory to ask for: what is free of it, with a margin, at most nine tenths."""
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=20, check=True,
        ).stdout  # fmt: skip
        free, total = (float(number) for number in told.splitlines()[0].split(","))
        return max(0.1, min(0.9, 0.95 * free / total))
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return 0.9
