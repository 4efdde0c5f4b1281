"""What libraries would tell their makers, and which proxies would see this machine's own servers: settled before one is imported.

`keep_private` is called by `import inloop` itself, so by every command and script; child processes inherit it. It
changes environment variables alone, which is all that these libraries read, some of them in the moment of their import.

Invariants: usage statistics are off whatever the environment said before; of the proxies only their exceptions change, and
only where there are proxies.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

__all__ = ["OFF", "keep_private", "tracing"]

OFF: dict[str, dict[str, str]] = {
    "onnxruntime": {"ORT_DISABLE_TELEMETRY": "1"},  # or it makes a device id in the cache folder; diffusers imports it
    "huggingface_hub": {"HF_HUB_DISABLE_TELEMETRY": "1", "DISABLE_TELEMETRY": "1"},
    "transformers": {
        "DISABLE_SAFETENSORS_CONVERSION": "1"
    },  # asks a web service to convert the repository that is loaded
    "vllm": {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1"},
    "ray": {"RAY_USAGE_STATS_ENABLED": "0"},
    "mlflow": {"MLFLOW_DISABLE_TELEMETRY": "true"},
    "gradio": {"GRADIO_ANALYTICS_ENABLED": "False"},
    "streamlit": {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"},
    "langgraph-cli": {"LANGGRAPH_CLI_NO_ANALYTICS": "1"},
    "chromadb": {"ANONYMIZED_TELEMETRY": "False"},
    "haystack-ai": {"HAYSTACK_TELEMETRY_ENABLED": "False"},
    "unstructured": {"SCARF_NO_ANALYTICS": "true"},
    "albumentations": {"NO_ALBUMENTATIONS_UPDATE": "1"},
    "pip": {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
}
"""By distribution: the variables that switch its usage statistics and its look for a newer version off."""

_ANY = {"DO_NOT_TRACK": "1"}  # the common sign (consoledonottrack.com), which others heed
_LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")
_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


def keep_private(environ: MutableMapping[str, str] = os.environ) -> None:
    """Switch every library's usage statistics off, and except loopback from the proxies."""
    for variables in (*OFF.values(), _ANY):
        environ.update(variables)
    # Without a proxy nothing is excepted: the variable alone would hide the proxies of macOS's own settings.
    if any(environ.get(name) for scheme in ("http", "https", "all") for name in _spellings(f"{scheme}_proxy")):
        given = [name for name in _spellings("no_proxy") if environ.get(name)]
        for name in given or _spellings("no_proxy"):
            excepted = [host.strip() for host in environ.get(name, "").split(",") if host.strip()]
            if "*" not in excepted:
                environ[name] = ",".join(dict.fromkeys([*excepted, *_LOOPBACK]))


def tracing(environ: MutableMapping[str, str] = os.environ) -> str:
    """The variable by which the user has LangGraph's runs sent to LangSmith; "" where there is none."""
    return next((name for name in _TRACING if environ.get(name, "").lower() in ("true", "1")), "")


def _spellings(name: str) -> tuple[str, str]:
    return name, name.upper()
