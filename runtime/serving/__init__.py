"""Servers for local models: engines, processes that are looked after, adapters."""

from .adapters import find_adapter, listed, load_adapter, unload_adapter
from .choose import check_numbers, plan_for, serve
from .engines import embedded_plan, vllm_plan
from .gguf_folder import model_folder
from .llama_server import LocalServer, cpu_cores, default_threads
from .lora_gguf import export_lora
from .process import Plan, Serving, free_port
from .registry import Served, all_served, coming_back, find_served, kept, update
from .servable import find_servable, is_known
from .vllm_env import build_for_this_machine, find_vllm, install, no_place

__all__ = [
    "LocalServer",
    "Plan",
    "Served",
    "Serving",
    "all_served",
    "build_for_this_machine",
    "check_numbers",
    "coming_back",
    "cpu_cores",
    "default_threads",
    "embedded_plan",
    "export_lora",
    "find_adapter",
    "find_servable",
    "find_served",
    "find_vllm",
    "free_port",
    "install",
    "is_known",
    "kept",
    "listed",
    "load_adapter",
    "model_folder",
    "no_place",
    "plan_for",
    "serve",
    "unload_adapter",
    "update",
    "vllm_plan",
]
